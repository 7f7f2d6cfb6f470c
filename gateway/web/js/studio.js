/**
 * The studio: choose a channel; see how its stream is, say what it is about, watch its numbers, moderate, push, start ad breaks.
 *
 * What everybody may know is shown of any channel; the rest to owners and moderators, by log-in or stream key.
 * @module studio
 */
import { AboutForm } from "./about_form.js";
import { AccountDialog } from "./account.js";
import { listChannels, makeChannel, readChannel, readHealth, readMe, readVideo, readViewers } from "./api.js";
import { AudiencePanel } from "./audience_panel.js";
import { byId, element, mountCopyButtons, setText } from "./dom.js";
import { clock, compact } from "./format.js";
import { HealthPanel } from "./health_panel.js";
import { icon, mountIcons } from "./icons.js";
import { ModerationPanel } from "./moderation_panel.js";
import { OwnerTools, keepKey } from "./owner.js";
import { PushBox } from "./push_box.js";
import { Session } from "./session.js";

const REFRESH_MS = 2000;
const FRAME_MS = 8000;
const LAST_CHANNEL = "logcast.studio.channel";
const STATES = {
  live: "Live",
  interrupted: "Interrupted: the encoder is away, the stream waits for it",
  ended: "Offline: the last stream has ended",
};

let channel = "";
let key = "";
let me = null; // of who is logged in: their roles
let access = "";
let timer = 0;
let asked = 0; // each opened channel has a number, so that a late answer about an earlier one is not shown
let round = 0; // and so has each look at it

mountIcons();
mountCopyButtons();
for (const button of document.querySelectorAll("[data-copy]")) button.append(icon("copy"), icon("check"));
const session = new Session(storage());
const account = new AccountDialog({ session, button: byId("account-open"), dialog: byId("account"), title: byId("account-title"), body: byId("account-body") });
const push = new PushBox();
const owner = new OwnerTools(byId("owner"), { opened, session, owns: () => roleHere() === "owner" });
const health = new HealthPanel(byId("health"));
const about = new AboutForm(byId("about"), { token });
const audience = new AudiencePanel(byId("audience"));
const moderation = new ModerationPanel(byId("moderation"), { token });
session.addEventListener("change", () => whoAmI());
byId("locked-log-in").addEventListener("click", () => account.open());
byId("channel-form").addEventListener("submit", (event) => {
  event.preventDefault();
  open(byId("channel-name").value.trim());
});
byId("make-form").addEventListener("submit", (event) => {
  event.preventDefault();
  make(byId("make-name").value.trim());
});
document.addEventListener("visibilitychange", () => document.visibilityState === "visible" && channel && refresh());
suggest();
const first = new URLSearchParams(location.search).get("channel") ?? remembered();
if (first) open(first);
session.start();

function token() {
  return key || session.token;
}

function roleHere() {
  const role = me?.roles?.find((one) => one.channel === channel)?.role;
  return me?.admin ? "owner" : ["owner", "moderator"].includes(role) ? role : "";
}

/** Somebody else, or nobody: whose channels are there to choose, and what may they here? */
async function whoAmI() {
  me = session.user ? await readMe(session.token).catch(() => null) : null;
  const mine = (me?.roles ?? []).filter(({ role }) => role === "owner" || role === "moderator");
  byId("mine").hidden = mine.length === 0;
  byId("mine").replaceChildren(...mine.map(({ channel: name, role }) =>
    element("button", { type: "button", class: "chip", "data-testid": "my-channel", onclick: () => open(name) }, name, role === "moderator" ? element("span", { class: "muted" }, " moderator") : null)));
  byId("make").hidden = !session.user;
  owner.redraw();
  if (!channel && mine.length) open(mine[0].channel);
  else if (channel) {
    access = "";
    refresh();
  }
}

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

/** Make a channel that the one who is logged in owns. */
async function make(name) {
  const note = byId("make-note");
  try {
    const made = await makeChannel(name, session.token);
    keepKey(made.name, made.stream_key);
    byId("make-name").value = "";
    setText(note, "");
    me = await readMe(session.token).catch(() => me);
    await open(made.name);
    whoAmI();
  } catch (problem) {
    note.dataset.wrong = "true";
    setText(note, problem.errors?.[0]?.message ?? problem.message);
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
    access = "";
    try {
      sessionStorage.setItem(LAST_CHANNEL, name);
    } catch {
      // Storage is blocked: the channel is asked for again next time.
    }
    note("");
    for (const chip of byId("mine").children) chip.setAttribute("aria-pressed", String(chip.firstChild.textContent === name));
    show(found);
    await owner.open(name);
    if (turn === asked) refresh();
  } catch (problem) {
    if (turn === asked) note(problem.status === 404 ? `There is no channel “${name}”. Make it with: logcast channel create ${name}` : problem.message, true);
  }
}

async function refresh() {
  clearTimeout(timer);
  if (document.visibilityState === "hidden") return;
  round += 1;
  const [turn, mine] = [asked, round];
  const late = () => turn !== asked || mine !== round;
  try {
    const found = await readAll(channel);
    if (late()) return;
    show(found);
    await showInside(late);
    if (late()) return;
    note("");
  } catch (problem) {
    if (late()) return;
    note(problem.message, true);
  }
  clearTimeout(timer);
  timer = setTimeout(refresh, REFRESH_MS);
}

/** The channel, with the figures of its video where it has one. */
async function readAll(name) {
  const power = name === channel && access === "open" ? token() : ""; // it opens private videos
  const found = await readChannel(name, power);
  if (!found.video_id) return { ...found, video: null, crowd: null };
  const [video, crowd] = await Promise.all([readVideo(found.video_id, power).catch(() => null), readViewers(found.video_id, power).catch(() => null)]);
  return { ...found, video, crowd };
}

/** What is for owners and moderators only. */
async function showInside(late) {
  if (!key && !roleHere()) return lock("locked");
  try {
    const found = await readHealth(channel, token());
    if (late()) return;
    if (access !== "open") moderation.open(channel);
    lock("open");
    health.show(found);
    await moderation.refresh();
  } catch (problem) {
    if (late()) return;
    if (problem.status !== 401 && problem.status !== 403) throw problem;
    lock("locked");
  }
}

function lock(to) {
  access = to;
  for (const panel of document.querySelectorAll("[data-inside]")) panel.hidden = to !== "open";
  byId("about-panel").hidden = to !== "open" || !(key || roleHere() === "owner");
  byId("locked").hidden = to !== "locked";
  setText(byId("locked-words"), session.user ? `${session.user.name} is neither owner nor moderator of ${channel}. Unlock it with its stream key, or log in as somebody else.` : `Stream health, title and moderation of ${channel} are for its owners and moderators.`);
}

function note(text, wrong = false) {
  setText(byId("channel-note"), text);
  byId("channel-note").dataset.wrong = String(wrong);
}

function show(found) {
  const { state, viewers, likes, started_ms: startedMs, title, video, crowd } = found;
  const onAir = state === "live" || state === "interrupted";
  for (const panel of document.querySelectorAll("[data-channel]")) panel.hidden = false;
  byId("state-panel").dataset.state = state ?? "offline";
  setText(byId("state-text"), STATES[state] ?? "Offline: nothing has been pushed yet");
  setText(byId("state-title-text"), title && title !== channel ? title : channel);
  setText(byId("n-viewers"), number(onAir ? viewers : undefined));
  setText(byId("n-peak"), number(crowd?.peak));
  setText(byId("n-unique"), number(crowd?.unique));
  setText(byId("n-likes"), number(likes));
  setText(byId("n-comments"), number(video?.totals?.comments));
  setText(byId("n-time"), onAir && startedMs ? clock((Date.now() - startedMs) / 1000) : "–");
  setText(byId("watch-url"), `${location.origin}/watch/${channel}`);
  byId("watch-link").href = `/watch/${channel}`;
  showFrame(onAir ? found.video_id : null);
  about.show(channel, found);
  byId("audience-panel").hidden = !video;
  if (video) audience.show({ ...video, token: access === "open" ? token() : "" }, { viewers: viewers ?? 0, likes: likes ?? 0, reactions: video.totals?.reactions ?? {} });
}

/** The newest picture, so that the streamer sees what viewers see. */
function showFrame(video) {
  const image = byId("preview");
  const address = video ? `/v1/videos/${video}/frame?width=640&t=${Math.floor(Date.now() / FRAME_MS)}` : "";
  byId("preview-empty").hidden = Boolean(video);
  image.hidden = !video;
  if (video && image.getAttribute("src") !== address) image.src = address;
}

const number = (value) => (Number.isFinite(value) ? compact(value) : "–");

function opened(found) {
  key = found;
  push.use(found);
  if (channel) refresh();
}
