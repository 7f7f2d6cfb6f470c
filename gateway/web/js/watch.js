/**
 * The watch page: `/watch/CHANNEL` follows a channel through its broadcasts, `/watch/VIDEO` shows one of them.
 *
 * Two sources say what there is to play: the feed (at once) and, while the feed is away, the API (every few seconds).
 * Both end in `turnTo(video)`, which opens, replaces or ends the picture.
 *
 * `window.logcast` is there for tests and for looking in: `{player, feed, breaks}`.
 * @module watch
 */
import { AccountDialog } from "./account.js";
import { exists, listVideos, readChannel, readVideo } from "./api.js";
import { AdBreaks } from "./breaks.js";
import { Chat, viewersText } from "./chat.js";
import { mountControls } from "./controls.js";
import { byId, element, hue, setText } from "./dom.js";
import { Close, Feed } from "./feed.js";
import { Follows, mountFollow } from "./follows.js";
import { ago, clock, compact } from "./format.js";
import { mountIcons } from "./icons.js";
import { Identity } from "./identity.js";
import { OwnerTools } from "./owner.js";
import { Player } from "./player.js";
import { Burst, Taps } from "./reactions.js";
import { Session, browserStorage } from "./session.js";
import { at } from "./site.js";
import { drawShelf } from "./shelf.js";
import { mountStageCard } from "./stage.js";
import { Thumbnails } from "./thumbnails.js";

const POLL_MS = 4000;
/** A stream that has just ended is on the shelf a moment later. */
const SHELF_MS = 15000;
const REWOUND_S = 15;
const VIDEO_ID = /^[0-9a-hjkmnp-tv-z]{20}$/;

mountIcons();
const name = decodeURIComponent(location.pathname.split("/").filter(Boolean).pop() ?? "");
const subject = await findSubject();
const player = new Player(byId("video"));
const identity = new Identity(browserStorage());
const session = new Session(browserStorage());
const feed = new Feed(subject.feed, { identity });
const burst = new Burst(byId("burst"));
const taps = new Taps();
const account = new AccountDialog({ session, button: byId("account-open"), dialog: byId("account"), title: byId("account-title"), body: byId("account-body") });
const chat = new Chat(byId("chat"), { feed, identity, session, openAccount: () => account.open(), react, programMs: () => player.programMs, burst: (kind, count) => burst.rise(kind, count) });
const breaks = new AdBreaks(byId("break"), { entered: ({ durationMs }) => chat.note(`Ad break · ${clock(durationMs / 1000)}`) });
const card = mountStageCard(player, subject);
const thumbnails = new Thumbnails();
let video = null; // {id, state} of what is played or was

window.logcast = { player, feed, breaks };
mountControls(player, { breaks: () => breaks.list, thumbnails, openChat: () => chat.focus() });
mountTools();
mountLike();
mountFollow(byId("follow"), { follows: new Follows(session), session, channel: subject.channel, logIn: () => account.open() });
player.addEventListener("tick", () => {
  breaks.show(player.programMs);
  if (player.programMs !== null) chat.follow(player.live ? !player.following && farBack() : chat.follows || farBack(), video?.id ?? null);
});
player.addEventListener("state", () => player.state === "playing" || breaks.show(player.programMs));
listen();
listenToSession();
const known = session.start();
start();

/** A video id looks like a channel name, so the server is asked; a name that is neither stays a channel to wait for. */
async function findSubject() {
  const asVideo = VIDEO_ID.test(name) ? await readVideo(name).catch(() => null) : null;
  if (asVideo) {
    return { kind: "video", name, channel: asVideo.channel ?? "", feed: `/v1/videos/${name}/feed`, found: asVideo };
  }
  return { kind: "channel", name, channel: name, feed: `/v1/channels/${encodeURIComponent(name)}/feed`, found: null };
}

/** The viewer has gone back so far that the live conversation is about something else. */
function farBack() {
  return player.window.end - player.currentTime > REWOUND_S;
}

function start() {
  describe({ channel: subject.channel });
  if (subject.kind === "video") {
    describe({ ...subject.found, likes: subject.found.totals?.likes });
    turnTo({ id: subject.name, state: subject.found.state });
    known.then(() => feed.connect());
    return;
  }
  ask();
  setInterval(() => feed.state !== "open" && document.visibilityState === "visible" && ask(), POLL_MS);
}

/** Ask the API about the channel; the feed is opened once there is one. */
async function ask() {
  try {
    const channel = await readChannel(subject.name);
    describe({ ...channel, channel: channel.name });
    turnTo({ id: channel.video_id ?? null, state: channel.state });
  } catch (problem) {
    if (problem.status === 404) return card.missing();
    if (!video && player.state === "idle") player.open(masterOf(null)); // the API is away; the playlist may not be
  }
  await known; // nobody joins as a guest who is logged in
  return feed.connect();
}

function listen() {
  const on = (type, handler) => feed.addEventListener(type, ({ detail }) => handler(detail));
  on("video", (message) => {
    if (message.id !== video?.id) breaks.clear();
    describe(message);
    taps.reset();
    turnTo({ id: message.id, state: message.state });
    showLike();
  });
  on("joined", (message) => {
    describe({ title: message.video?.title, started_ms: message.video?.started_ms, tags: message.video?.tags, description: message.video?.description });
    if (message.video) turnTo({ id: message.video.id, state: message.video.state });
    showViewers(message.viewers);
    taps.reset();
    showLikes(message.totals?.likes);
    for (const one of message.breaks ?? []) breaks.take(one);
    showLike();
  });
  on("mine", showLike);
  on("viewers", ({ n }) => showViewers(n));
  on("totals", (totals) => showLikes(totals.likes));
  on("reactions", ({ counts }) => {
    if (chat.follows) return; // they are about other pictures than ours, which has bursts of its own
    for (const [kind, count] of Object.entries(taps.take(counts))) burst.rise(kind, count);
  });
  on("break", (message) => breaks.take(message));
}

/** The feed speaks for who is logged in: joins again as somebody else, goes on with a newer token of the same. */
function listenToSession() {
  session.addEventListener("change", () => {
    identity.account = session.token;
    feed.rejoin();
  });
  session.addEventListener("renewed", () => {
    identity.account = session.token;
    if (feed.state !== "open") return; // the next join has it
    if (feed.user?.id === session.user.id) feed.renew(session.token);
    else feed.rejoin();
  });
  feed.addEventListener("state", ({ detail }) => detail.closeCode === Close.BAD_TOKEN && session.user && session.renew());
  feed.addEventListener("error", ({ detail }) => detail.code === "token_lapsed" && session.user && session.renew());
}

/** Make the picture agree with what the channel has: a live video is opened, an ended one is played out. */
function turnTo(next) {
  const other = next.id !== video?.id;
  if (other || next.state !== video?.state) showKept(next);
  video = next;
  byId("live-badge").hidden = next.state !== "live";
  card.videoIs(next);
  const onAir = next.state === "live" || next.state === "interrupted";
  if (onAir || (subject.kind === "video" && next.id)) {
    if (other || ["idle", "offline", "ended"].includes(player.state)) player.open(masterOf(next.id));
    player.patient = next.state === "interrupted";
    player.finishing = next.state === "ended" && subject.kind === "video" && player.live;
  } else if (["playing", "reconnecting"].includes(player.state) && !other) {
    player.finishing = true;
  } else if (player.state !== "ended") {
    player.stop("offline");
  }
}

/** What a video has besides its stream: a poster, thumbnails, a file, and others before it. */
function showKept({ id, state }) {
  thumbnails.turnTo(id);
  const download = byId("download");
  download.hidden = true;
  if (id) {
    byId("video").poster = at(`/v1/videos/${id}/poster.jpg?width=1280`);
    byId("stage").dataset.poster = "";
  }
  if (id && state === "ended") {
    download.href = at(`/v1/videos/${id}/download`);
    exists(`/v1/videos/${id}/download`).then((there) => (download.hidden = !there || video?.id !== id));
  }
  showShelf();
  if (state === "ended") setTimeout(showShelf, SHELF_MS);
}

async function showShelf() {
  if (!subject.channel) return;
  const videos = (await listVideos(subject.channel).catch(() => [])).filter(({ id }) => id !== video?.id || subject.kind === "video");
  byId("past").hidden = videos.length === 0;
  drawShelf(byId("past-list"), videos, { current: subject.kind === "video" ? subject.name : "", showChannel: false });
}

function masterOf(id) {
  return at(id ? `/v1/videos/${id}/master.m3u8` : `/live/${encodeURIComponent(subject.name)}/master.m3u8`);
}

function describe({ title, channel, viewers, likes, started_ms: startedMs, tags, description }) {
  if (tags !== undefined || description !== undefined) showAbout(tags ?? [], description ?? "");
  const shown = title || byId("title").dataset.title || "";
  if (title) byId("title").dataset.title = title;
  if (channel !== undefined) setText(byId("channel"), channel);
  setText(byId("title"), shown || subject.channel || subject.name);
  document.title = `${shown || subject.name} · Logcast`;
  setText(byId("avatar"), [...(subject.channel || subject.name)][0]?.toUpperCase() ?? "");
  byId("avatar").style.setProperty("--hue", String(hue(subject.channel || subject.name)));
  if (startedMs) setText(byId("since"), `started ${ago(startedMs, Date.now())}${Date.now() - startedMs < 60000 ? "" : " ago"}`);
  if (viewers !== undefined) showViewers(viewers);
  if (likes !== undefined) showLikes(likes);
}

function showAbout(tags, description) {
  byId("about").hidden = tags.length === 0 && !description;
  byId("about-tags").hidden = tags.length === 0;
  byId("about-tags").replaceChildren(...tags.map((tag) => element("li", { class: "about__tag" }, tag)));
  setText(byId("about-text"), description);
}

function showViewers(number) {
  if (number !== undefined) setText(byId("viewers"), viewersText(number));
}

function showLikes(number) {
  if (Number.isFinite(number)) setText(byId("likes"), compact(number));
}

function mountLike() {
  byId("like").addEventListener("click", () => {
    const liked = !chat.isLiked();
    chat.like(liked);
    showLike();
    if (liked) burst.rise("heart", 1);
  });
}

function showLike() {
  byId("like").setAttribute("aria-pressed", String(chat.isLiked()));
}

function react(kind) {
  taps.mine(kind);
  feed.react(kind, player.programMs);
  burst.rise(kind, 1);
}

function mountTools() {
  const dialog = byId("tools");
  const tools = new OwnerTools(byId("tools-body"));
  let opened = false;
  byId("tools-open").hidden = !subject.channel;
  byId("tools-open").addEventListener("click", () => {
    dialog.showModal();
    if (!opened) tools.open(subject.channel);
    opened = true;
  });
}
