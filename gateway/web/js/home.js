/**
 * The start page: what is live, kept fresh while it is looked at.
 * @module home
 */
import { AccountDialog } from "./account.js";
import { listChannels, listVideos } from "./api.js";
import { byId, element, mountCopyButtons, setText } from "./dom.js";
import { Follows } from "./follows.js";
import { ago, compact, counted } from "./format.js";
import { icon, mountIcons } from "./icons.js";
import { Session, browserStorage } from "./session.js";
import { drawShelf, poster } from "./shelf.js";

const REFRESH_MS = 4000;
const EARLIER = 12;
const CARD_TAGS = 3;
/** The picture of what is live is asked for again so often. */
const FRAME_MS = 20000;
const LIVE_STATES = new Set(["live", "interrupted"]);

let timer = 0;
let shown = null; // what the server said last

mountIcons();
mountCopyButtons();
for (const button of document.querySelectorAll("[data-copy]")) button.append(icon("copy"), icon("check"));
const session = new Session(browserStorage());
const follows = new Follows(session);
new AccountDialog({ session, button: byId("account-open"), dialog: byId("account"), title: byId("account-title"), body: byId("account-body") });
follows.addEventListener("change", () => shown && show(...shown));
session.start();
refresh();
document.addEventListener("visibilitychange", () => document.visibilityState === "visible" && refresh());

async function refresh() {
  clearTimeout(timer);
  if (document.visibilityState === "hidden") return;
  try {
    const [channels, videos] = await Promise.all([listChannels(), listVideos().catch(() => [])]);
    shown = [channels, videos];
    show(...shown);
  } catch (problem) {
    setText(byId("summary"), problem.message);
    byId("summary").dataset.wrong = "true";
  }
  timer = setTimeout(refresh, REFRESH_MS);
}

function show(channels, videos) {
  const live = channels.filter(isLive).sort((left, right) => (right.viewers ?? 0) - (left.viewers ?? 0));
  const earlier = channels.filter((channel) => !isLive(channel) && channel.video_id)
    .sort((left, right) => (right.started_ms ?? 0) - (left.started_ms ?? 0));
  const watching = live.reduce((sum, { viewers }) => sum + (viewers ?? 0), 0);
  delete byId("summary").dataset.wrong;
  setText(byId("summary"), live.length ? `${counted(live.length, "stream")}, ${counted(watching, "viewer")}` : "No stream at the moment");
  byId("empty").hidden = live.length > 0;
  byId("past").hidden = videos.length === 0;
  drawShelf(byId("videos"), videos);
  const listed = new Set(videos.map(({ id }) => id));
  const quiet = others(earlier).filter(({ video_id: video }) => !listed.has(video)).slice(0, EARLIER);
  byId("quiet").hidden = quiet.length === 0;
  showFollowed([...live, ...earlier], others(live));
  draw(byId("live"), others(live));
  draw(byId("earlier"), quiet);
}

/** Channels that one follows come first: those on the air, then the others, of which some may have shown nothing yet. */
function showFollowed(channels, more) {
  const known = channels.filter(({ name }) => follows.has(name));
  const names = new Set(known.map(({ name }) => name));
  const silent = follows.all.filter((name) => !names.has(name)).sort().map((name) => ({ name, state: "" }));
  byId("following").hidden = known.length + silent.length === 0;
  byId("others-title").hidden = more.length === 0;
  draw(byId("followed"), [...known, ...silent]);
}

const isLive = ({ state }) => LIVE_STATES.has(state);

const others = (channels) => channels.filter(({ name }) => !follows.has(name));

/** Update the cards in place, so that focus and hover stay where they are. */
function draw(list, channels) {
  const key = (name, live) => `${name} ${live}`; // one that goes on the air gets another picture
  const old = new Map([...list.children].map((item) => [key(item.dataset.channel, item.dataset.live), item]));
  channels.forEach((channel, index) => {
    const live = isLive(channel);
    const item = old.get(key(channel.name, live)) ?? newCard(channel, live);
    old.delete(key(channel.name, live));
    update(item, channel, live);
    if (list.children[index] !== item) list.insertBefore(item, list.children[index] ?? null);
  });
  for (const gone of old.values()) gone.remove();
}

function newCard({ name, video_id: video }, live) {
  const badge = element("span", { class: live ? "badge badge--live" : "badge", "data-part": "badge" });
  const picture = live ? frameOf(video) : video && `/v1/videos/${video}/poster.jpg?width=480`;
  return element("li", { "data-channel": name, "data-live": String(live) },
    element("a", { class: live ? "card" : "card card--quiet", "data-testid": "card" },
      element("div", { class: "card__picture" }, poster(name, picture), badge),
      element("div", { class: "card__text" },
        element("h3", { class: "card__title", "data-part": "title" }),
        element("p", { class: "card__channel", "data-part": "channel" }, name),
        element("p", { class: "card__tags", "data-part": "tags", "data-testid": "card-tags" }),
        element("p", { class: "card__numbers" },
          element("span", {}, icon("eye"), element("span", { "data-part": "viewers", "data-testid": "card-viewers" }), element("span", { class: "sr" }, " viewers")),
          element("span", {}, icon("thumb"), element("span", { "data-part": "likes", "data-testid": "card-likes" }), element("span", { class: "sr" }, " likes")),
          element("span", { class: "card__since", "data-part": "since" })))));
}

function update(item, { name, title, state, viewers, likes, started_ms: startedMs, video_id: video, tags = [] }, live) {
  const part = (key) => item.querySelector(`[data-part=${key}]`);
  const link = item.querySelector("a");
  const href = `/watch/${live ? name : video || name}`;
  if (link.getAttribute("href") !== href) link.setAttribute("href", href);
  setText(part("badge"), live ? (state === "interrupted" ? "Reconnecting" : "Live") : video ? "Ended" : "Off the air");
  part("badge").dataset.state = state ?? "";
  setText(part("title"), title || name);
  part("channel").hidden = !title;
  setText(part("tags"), tags.slice(0, CARD_TAGS).join(" · "));
  part("tags").hidden = tags.length === 0;
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
