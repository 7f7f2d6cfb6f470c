/**
 * The start page: what is live, kept fresh while it is looked at.
 * @module home
 */
import { listChannels, listVideos } from "./api.js";
import { byId, element, mountCopyButtons, setText } from "./dom.js";
import { ago, compact, counted } from "./format.js";
import { icon, mountIcons } from "./icons.js";
import { drawShelf, poster } from "./shelf.js";

const REFRESH_MS = 4000;
const EARLIER = 12;
/** The picture of what is live is asked for again so often. */
const FRAME_MS = 20000;
const LIVE_STATES = new Set(["live", "interrupted"]);

let timer = 0;

mountIcons();
mountCopyButtons();
for (const button of document.querySelectorAll("[data-copy]")) button.append(icon("copy"), icon("check"));
refresh();
document.addEventListener("visibilitychange", () => document.visibilityState === "visible" && refresh());

async function refresh() {
  clearTimeout(timer);
  if (document.visibilityState === "hidden") return;
  try {
    const [channels, videos] = await Promise.all([listChannels(), listVideos().catch(() => [])]);
    show(channels, videos);
  } catch (problem) {
    setText(byId("summary"), problem.message);
    byId("summary").dataset.wrong = "true";
  }
  timer = setTimeout(refresh, REFRESH_MS);
}

function show(channels, videos) {
  const live = channels.filter(({ state }) => LIVE_STATES.has(state)).sort((left, right) => (right.viewers ?? 0) - (left.viewers ?? 0));
  const earlier = channels.filter(({ state, video_id: video }) => !LIVE_STATES.has(state) && video)
    .sort((left, right) => (right.started_ms ?? 0) - (left.started_ms ?? 0)).slice(0, EARLIER);
  const watching = live.reduce((sum, { viewers }) => sum + (viewers ?? 0), 0);
  delete byId("summary").dataset.wrong;
  setText(byId("summary"), live.length ? `${counted(live.length, "stream")}, ${counted(watching, "viewer")}` : "No stream at the moment");
  byId("empty").hidden = live.length > 0;
  byId("past").hidden = videos.length === 0;
  drawShelf(byId("videos"), videos);
  const listed = new Set(videos.map(({ id }) => id));
  const quiet = earlier.filter(({ video_id: video }) => !listed.has(video));
  byId("quiet").hidden = quiet.length === 0;
  draw(byId("live"), live, true);
  draw(byId("earlier"), quiet, false);
}

/** Update the cards in place, so that focus and hover stay where they are. */
function draw(list, channels, live) {
  const old = new Map([...list.children].map((item) => [item.dataset.channel, item]));
  channels.forEach((channel, index) => {
    const item = old.get(channel.name) ?? newCard(channel, live);
    old.delete(channel.name);
    update(item, channel, live);
    if (list.children[index] !== item) list.insertBefore(item, list.children[index] ?? null);
  });
  for (const gone of old.values()) gone.remove();
}

function newCard({ name, video_id: video }, live) {
  const badge = element("span", { class: live ? "badge badge--live" : "badge", "data-part": "badge" });
  return element("li", { "data-channel": name },
    element("a", { class: "card", "data-testid": "card" },
      element("div", { class: "card__picture" }, poster(name, live ? frameOf(video) : `/v1/videos/${video}/poster.jpg?width=480`), badge),
      element("div", { class: "card__text" },
        element("h3", { class: "card__title", "data-part": "title" }),
        element("p", { class: "card__channel", "data-part": "channel" }, name),
        element("p", { class: "card__numbers" },
          element("span", {}, icon("eye"), element("span", { "data-part": "viewers", "data-testid": "card-viewers" }), element("span", { class: "sr" }, " viewers")),
          element("span", {}, icon("thumb"), element("span", { "data-part": "likes", "data-testid": "card-likes" }), element("span", { class: "sr" }, " likes")),
          element("span", { class: "card__since", "data-part": "since" })))));
}

function update(item, { name, title, state, viewers, likes, started_ms: startedMs, video_id: video }, live) {
  const part = (key) => item.querySelector(`[data-part=${key}]`);
  const link = item.querySelector("a");
  const href = live ? `/watch/${name}` : `/watch/${video}`;
  if (link.getAttribute("href") !== href) link.setAttribute("href", href);
  setText(part("badge"), live ? (state === "interrupted" ? "Reconnecting" : "Live") : "Ended");
  part("badge").dataset.state = state ?? "";
  setText(part("title"), title || name);
  part("channel").hidden = !title;
  setText(part("viewers"), compact(viewers ?? 0));
  setText(part("likes"), compact(likes ?? 0));
  setText(part("since"), startedMs ? ago(startedMs, Date.now()) : "");
  const image = item.querySelector("img");
  if (live && video && image.getAttribute("src") !== frameOf(video)) image.src = frameOf(video);
}

/** The newest picture of what is live; the address changes when it is time for another. */
function frameOf(video) {
  return `/v1/videos/${video}/frame?width=480&t=${Math.floor(Date.now() / FRAME_MS)}`;
}
