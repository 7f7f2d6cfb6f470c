/**
 * The studio: choose a channel, see how to push to it, how it is doing, and start ad breaks.
 * @module studio
 */
import { AccountDialog } from "./account.js";
import { listChannels, readChannel, readVideo } from "./api.js";
import { byId, element, mountCopyButtons, setSecret, setText } from "./dom.js";
import { clock, compact } from "./format.js";
import { icon, mountIcons } from "./icons.js";
import { OwnerTools } from "./owner.js";
import { Session } from "./session.js";

const REFRESH_MS = 2000;
const LAST_CHANNEL = "logcast.studio.channel";
const STATES = {
  live: "Live",
  interrupted: "Interrupted: the encoder is away, the stream waits for it",
  ended: "Offline: the last stream has ended",
};

let channel = "";
let key = "";
let shown = true; // the key's letters only on demand
let timer = 0;
let asked = 0; // each opened channel has a number, so that a late answer about an earlier one is not shown

mountIcons();
mountCopyButtons();
for (const button of document.querySelectorAll("[data-copy]")) button.append(icon("copy"), icon("check"));
const session = new Session(storage());
new AccountDialog({ session, button: byId("account-open"), dialog: byId("account"), title: byId("account-title"), body: byId("account-body") });
const owner = new OwnerTools(byId("owner"), { opened, session });
session.start();
byId("channel-form").addEventListener("submit", (event) => {
  event.preventDefault();
  open(byId("channel-name").value.trim());
});
document.addEventListener("visibilitychange", () => document.visibilityState === "visible" && channel && refresh());
drawPush();
suggest();
const first = new URLSearchParams(location.search).get("channel") ?? remembered();
if (first) open(first);

async function suggest() {
  const channels = await listChannels().catch(() => []);
  byId("channel-names").replaceChildren(...channels.map(({ name }) => element("option", { value: name })));
}

function storage() {
  try {
    return localStorage;
  } catch {
    return { getItem: () => null, setItem: () => undefined };
  }
}

function remembered() {
  try {
    return sessionStorage.getItem(LAST_CHANNEL) ?? "";
  } catch {
    return "";
  }
}

async function open(name) {
  asked += 1;
  clearTimeout(timer);
  byId("channel-name").value = name;
  const turn = asked;
  try {
    const found = await readAll(name);
    if (turn !== asked) return;
    channel = name;
    try {
      sessionStorage.setItem(LAST_CHANNEL, name);
    } catch {
      // Storage is blocked: the channel is asked for again next time.
    }
    note("");
    show(found);
    owner.open(name);
    timer = setTimeout(refresh, REFRESH_MS);
  } catch (problem) {
    if (turn === asked) note(problem.status === 404 ? `There is no channel “${name}”. Make it with: logcast channel create ${name}` : problem.message, true);
  }
}

async function refresh() {
  clearTimeout(timer);
  if (document.visibilityState === "hidden") return;
  const turn = asked;
  try {
    const found = await readAll(channel);
    if (turn !== asked) return;
    show(found);
    note("");
  } catch (problem) {
    if (turn !== asked) return;
    note(problem.message, true);
  }
  timer = setTimeout(refresh, REFRESH_MS);
}

/** The channel, with the totals of its video where it has one. */
async function readAll(name) {
  const found = await readChannel(name);
  const video = found.video_id ? await readVideo(found.video_id).catch(() => null) : null;
  return { ...found, comments: video?.totals?.comments };
}

function note(text, wrong = false) {
  setText(byId("channel-note"), text);
  byId("channel-note").dataset.wrong = String(wrong);
}

function show({ state, viewers, likes, comments, started_ms: startedMs, title }) {
  const onAir = state === "live" || state === "interrupted";
  byId("state-panel").dataset.state = state ?? "offline";
  setText(byId("state-text"), `${STATES[state] ?? "Offline: nothing has been pushed yet"}${onAir && title ? ` · ${title}` : ""}`);
  setText(byId("n-viewers"), number(viewers));
  setText(byId("n-likes"), number(likes));
  setText(byId("n-comments"), number(comments));
  setText(byId("n-time"), onAir && startedMs ? clock((Date.now() - startedMs) / 1000) : "–");
  byId("watch-address").hidden = byId("watch-link").hidden = false;
  setText(byId("watch-url"), `${location.origin}/watch/${channel}`);
  byId("watch-link").href = `/watch/${channel}`;
}

const number = (value) => (Number.isFinite(value) ? compact(value) : "–");

function opened(found) {
  key = found;
  shown = false;
  drawPush();
}

/** The address as the encoder needs it; the key itself is only shown on demand. */
function drawPush() {
  const meta = (name) => document.querySelector(`meta[name="logcast-${name}"]`)?.content ?? "";
  const host = /^(|localhost|127\..*|\[?::1\]?|0\.0\.0\.0)$/.test(meta("public-host")) ? location.hostname : meta("public-host");
  const server = `rtmp://${host}${meta("rtmp-port") === "1935" ? "" : `:${meta("rtmp-port")}`}/live`;
  const real = key || "YOUR_STREAM_KEY";
  const mask = key && !shown ? `${key.slice(0, 5)}${"•".repeat(12)}` : real;
  const command = (secret) => [
    "ffmpeg -re -stream_loop -1 -i video.mp4",
    "-c:v libx264 -preset veryfast -tune zerolatency -bf 0 -g 30",
    "-b:v 3M -pix_fmt yuv420p -c:a aac -b:a 128k -ar 48000",
    `-f flv ${server}/${secret}`,
  ].join(" \\\n  ");
  setText(byId("push-server"), server);
  setSecret(byId("push-key"), real, mask);
  setSecret(byId("push-url"), `${server}/${real}`, `${server}/${mask}`);
  setSecret(byId("push-ffmpeg"), command(real), command(mask));
  drawReveal();
}

function drawReveal() {
  document.getElementById("push-reveal")?.remove();
  if (!key) return;
  const toggle = () => {
    shown = !shown;
    drawPush();
    document.getElementById("push-reveal").focus();
  };
  byId("push-key").parentElement.after(
    element("button", { type: "button", id: "push-reveal", class: "link link--small", onclick: toggle, "data-testid": "push-reveal" }, shown ? "Hide the key" : "Show the key"));
}
