/**
 * The feed: comments, totals, viewers, video changes and ad breaks of a channel over one WebSocket.
 *
 * The connection is in one of four states; `#join` runs at each arrow into "open":
 *
 *     closed ──connect()──▶ connecting ──joined──▶ open
 *                               ▲                    │ closed by the network or the server
 *                               └──back-off── waiting ◀┘
 *
 * Nothing is lost over a reconnect: the join carries `after`, the last number seen, and the server sends exactly what came
 * later; a number that was left out is a reason to join again. When to come back the server says in its `goodbye`. What this side wanted is said again after the join: comments without a verdict (same id, so
 * a repeat is seen as one) and the wanted states of likes and votes that the server has not `taken`. Reactions of a broken moment are dropped.
 *
 * Events (CustomEvent, the message in `detail`): `state` {state, retryMs, closeCode}, and the server's own `joined`,
 * `comment`, `changed`, `decided` (what became of one's comment that waited: {id, seq} or {id, reason, message}), `withdrawn`, `totals`, `viewers`, `poll`, `reactions`, `mine`, `review`, `acted`, `done`, `rules`, `part`, `video`, `break`, `error`.
 * `joined` with `resumed` false after the first join: the server begins anew, forget what was there. A `video` event comes first whenever the feed turns to
 * another video (also found at a join): numbers start over, forget the comments.
 *
 *     const feed = new Feed("/v1/channels/demo/feed", { identity });
 *     feed.addEventListener("comment", ({ detail }) => console.log(detail.seq, detail.user.name, detail.text));
 *     feed.connect();
 *     await feed.comment("hello");          // {seq}; throws CommentRefused
 *
 * @module feed
 */
import { at } from "./site.js";

export const PROTOCOL = "logcast.v1";
export const COMMENT_LENGTH = 500;
/** At most this many in one reaction message; taps are gathered. */
export const REACTION_COUNT = 10;

const PING_MS = 15000;
const SILENCE_MS = 35000;
const VERDICT_MS = 12000;
const JOIN_MS = 10000;
const REACTION_MS = 300;
const AGAIN_MS = 1000;
const OUTBOX = 20;
/** Errors after which a wish is said again, a little later. */
const PASSING = new Set(["too_fast", "log_away", "internal"]);
/** What is passed on as it comes. */
const TOLD = new Set(["totals", "viewers", "break", "poll", "reactions", "mine", "review", "rules", "part", "acted", "done"]);

/** Close codes of the server that need more than "try again". */
export const Close = Object.freeze({ BAD_TOKEN: 4401, NO_CHANNEL: 4404, ORIGIN: 4406, TOO_FAST: 4429, RESTART: 1012, TOO_SLOW: 1013, SILENT: 4000 });

/** The server did not take a comment (yet, where it is `held`); `reason` is its word (`slow_mode`, `links`…), the message a sentence. */
export class CommentRefused extends Error {
  constructor(reason, message, held = false) {
    super(message);
    this.name = "CommentRefused";
    this.reason = reason;
    this.held = held;
  }
}

/**
 * How long to wait before the next attempt: half fixed, half random, so that a thousand viewers of a restarted server
 * do not come back in the same moment. A restart or being too slow is no fault of the network: soon; "too fast" is ours: late.
 * @param {number} attempt 0 for the first
 * @param {number} closeCode of the WebSocket
 * @param {() => number} random [0, 1)
 * @returns {number} milliseconds
 */
export function backoffMs(attempt, closeCode, random) {
  const floor = { [Close.TOO_FAST]: 8000, [Close.NO_CHANNEL]: 10000, [Close.ORIGIN]: 20000 }[closeCode] ?? 500;
  const cap = Math.min(20000, floor * 2 ** Math.min(attempt, 6));
  return Math.round(cap / 2 + (random() * cap) / 2);
}

/** A fresh comment id: 130 random bits, 26 characters. `crypto.randomUUID` is missing on plain http. */
export function newCommentId(bytes = crypto.getRandomValues(new Uint8Array(26))) {
  return Array.from(bytes, (byte) => "0123456789abcdefghjkmnpqrstvwxyz"[byte & 31]).join("");
}

export class Feed extends EventTarget {
  #path;
  #identity;
  #random;
  #history;
  #socket = null;
  #attempt = 0;
  #retryTimer = 0;
  #pingTimer = 0;
  #heardMs = 0;
  #outbox = new Map(); // comment id -> {message, resolve, reject, timer}
  #wishes = new Map(); // what is wished for -> message with an id: the latest likes and votes that the log may not have
  #taps = new Map(); // kind -> count not sent yet
  #tapTimer = 0;
  #tapMs = null; // wall clock of the picture of the last tap
  #renaming = "";
  #silenceMs = SILENCE_MS;
  #heartbeat = false; // the server is heard without being asked
  #dense = false; // the server said where its numbers begin: none may be left out
  #adviceMs = null; // of a goodbye
  #wants;

  /**
   * @param {string} path `/v1/channels/NAME/feed` or `/v1/videos/ID/feed`
   * @param {{identity: import("./identity.js").Identity, history?: number, wants?: string[], random?: () => number}} options
   *   `wants`: renditions whose parts to hear of
   */
  constructor(path, { identity, history = 50, wants = [], random = Math.random }) {
    super();
    this.#path = path;
    this.#identity = identity;
    this.#history = history;
    this.#wants = wants;
    this.#random = random;
    /** "closed", "connecting", "open" or "waiting". */
    this.state = "closed";
    /** {id, name} as the server knows this visitor; null before the first join. */
    this.user = null;
    /** Id of the video that the numbers belong to; null: the channel has none. */
    this.video = null;
    /** Number of the last comment seen; null before the first join of a video. */
    this.seq = null;
    /** How often the feed was joined: 1, and one more at each reconnect. */
    this.joins = 0;
  }

  /** Open the feed and keep it open until `close()`. */
  connect() {
    if (this.state !== "closed") return;
    globalThis.addEventListener?.("online", this.#wake);
    globalThis.document?.addEventListener("visibilitychange", this.#wake);
    this.#open();
  }

  /** Close for good; comments without a verdict are refused with the reason `closed`. */
  close() {
    globalThis.removeEventListener?.("online", this.#wake);
    globalThis.document?.removeEventListener("visibilitychange", this.#wake);
    clearTimeout(this.#retryTimer);
    this.#dropSocket(1000);
    for (const id of [...this.#outbox.keys()]) this.#refuse(id, "closed", "The page closed the chat.");
    this.#setState("closed");
  }

  /**
   * Post a comment.
   * @param {string} text
   * @param {{parent?: string|null, mediaMs?: number|null, id?: string}} options `mediaMs`: wall clock of the picture that
   *   its author sees
   * @returns {Promise<{id: string, seq: number}>}
   * @throws {CommentRefused} with the server's reason, `busy` (too many unanswered) or `no_answer`
   */
  comment(text, { parent = null, mediaMs = null, id = newCommentId() } = {}) {
    return this.#ask({ type: "comment", id, text, ...(parent && { parent }), ...(mediaMs && { media_ms: Math.round(mediaMs) }) });
  }

  /** Say something that is answered by its id, and again after a reconnect. */
  #ask(message) {
    const { id } = message;
    if (this.#outbox.size >= OUTBOX) return Promise.reject(new CommentRefused("busy", "Wait for the comments before this one."));
    return new Promise((resolve, reject) => {
      const late = () => this.#refuse(id, "no_answer", "The server has not confirmed it yet. Try again in a moment.");
      this.#outbox.set(id, { message, resolve, reject, timer: setTimeout(late, VERDICT_MS) });
      this.#send(message);
    });
  }

  /** Like or unlike the video, or one comment; said again after a reconnect until the server has `taken` it. */
  like(liked, comment = null) {
    this.#wish(`like ${comment ?? ""}`, { type: "like", liked, ...(comment && { comment }) });
  }

  #wish(target, message) {
    const wish = { ...message, id: newCommentId() };
    this.#wishes.delete(target);
    this.#wishes.set(target, wish);
    if (this.#wishes.size > OUTBOX) this.#wishes.delete(this.#wishes.keys().next().value);
    return this.#send(wish);
  }

  /** An answer to a wish: it is done, or wished again a little later. False: it answers none. */
  #granted({ type, id, code }) {
    const [target, wish] = [...this.#wishes].find(([, one]) => one.id === id) ?? [];
    if (!wish) return false;
    if (type === "error" && code === "token_lapsed") return false; // said again when the token is renewed
    if (type === "error" && PASSING.has(code)) setTimeout(() => this.#wishes.get(target) === wish && this.#send(wish), AGAIN_MS);
    else this.#wishes.delete(target);
    return type === "taken" || PASSING.has(code);
  }

  /** Count a reaction ("heart", "clap", "laugh", "wow", "fire"); taps of 0.3 s go in one message. `mediaMs`: wall clock of the picture. */
  react(kind, mediaMs = null) {
    this.#tapMs = mediaMs;
    this.#taps.set(kind, Math.min(REACTION_COUNT, (this.#taps.get(kind) ?? 0) + 1));
    this.#tapTimer ||= setTimeout(() => this.#sendTaps(), REACTION_MS);
  }

  /** Vote in a poll; null takes the vote back. Said again like a like, but false and forgotten when not connected now. */
  vote(poll, option) {
    const target = `vote ${poll}`;
    return this.#wish(target, { type: "vote", poll, option }) || !this.#wishes.delete(target);
  }

  /** Another text of one's own comment, or null to take it back. @returns {Promise<{id: string, seq: number}>} as `comment` */
  revise(comment, text, id = newCommentId()) {
    return this.#ask({ type: "revise", id, comment, text });
  }

  /** Moderate: `hide`, `timeout`, `ban`… with `comment_id`, `user_id`, `seconds`, `reason`. False when not connected. */
  act(kind, about = {}) {
    return this.#send({ type: "act", kind, ...about });
  }

  /** Hear of these renditions' parts from now on. */
  want(parts) {
    this.#wants = parts;
    this.#send({ type: "want", parts });
  }

  /** Go on with a newer token of the same user. */
  renew(token) {
    this.#identity.keepToken(token);
    this.#send({ type: "token", token });
  }

  /** Go by another name: join again, with the token, and without it where the server keeps the token's name. */
  rename(name) {
    this.#identity.rename(name);
    this.#renaming = name;
    this.#attempt = 0;
    if (this.state !== "closed") this.#open();
  }

  /** Join again, as who the identity is now. */
  rejoin() {
    this.#attempt = 0;
    if (this.state !== "closed") this.#open();
  }

  #open() {
    clearTimeout(this.#retryTimer);
    this.#dropSocket(1000);
    const url = new URL(at(this.#path), location.href);
    url.protocol = url.protocol === "https:" ? "wss:" : "ws:";
    const socket = new WebSocket(url, PROTOCOL);
    this.#socket = socket;
    this.#heardMs = performance.now();
    socket.addEventListener("open", () => this.#join());
    socket.addEventListener("message", ({ data }) => this.#socket === socket && this.#receive(data));
    socket.addEventListener("close", ({ code }) => this.#socket === socket && this.#lost(code));
    this.#pingTimer = setInterval(() => this.#beat(), PING_MS);
    this.#retryTimer = setTimeout(() => this.state === "connecting" && this.#lost(Close.SILENT), JOIN_MS);
    this.#setState("connecting");
  }

  #join() {
    const { name, token } = this.#identity;
    const resume = this.seq === null ? { history: this.#history } : { after: this.seq };
    this.#send({ type: "join", name, ...(token && { token }), ...(this.video && { video: this.video }), ...(this.#wants.length && { wants: this.#wants }), ...resume }, true);
  }

  #joined(message) {
    clearTimeout(this.#retryTimer);
    const video = message.video?.id ?? null;
    if (video !== this.video) this.#turnTo(video, message.video);
    this.#dense = message.after !== undefined;
    if (this.#dense && !message.resumed) this.seq = message.after;
    this.seq ??= Math.max(0, (message.seq ?? 0) - this.#history);
    this.#heartbeat = message.heartbeat_ms > 0;
    this.#silenceMs = this.#heartbeat ? 2.5 * message.heartbeat_ms : SILENCE_MS;
    this.user = message.user ?? null;
    this.#identity.keepToken(message.token ?? this.#identity.token);
    if (this.#keepsOldName()) return;
    this.#attempt = 0;
    this.joins += 1;
    this.#setState("open");
    this.#emit("joined", message);
    for (const wish of this.#wishes.values()) this.#send(wish);
    for (const { message: waiting } of this.#outbox.values()) this.#send(waiting);
  }

  /** True when the server answered a rename with the old name: then the token goes, once, and a new guest joins. */
  #keepsOldName() {
    const wanted = this.#renaming;
    this.#renaming = "";
    if (!wanted || this.user?.name === wanted || !this.#identity.token) return false;
    this.#identity.keepToken("");
    this.#open();
    return true;
  }

  #receive(data) {
    this.#heardMs = performance.now();
    let message;
    try {
      message = JSON.parse(data);
    } catch {
      return; // not ours; the server's next frame may be
    }
    switch (message?.type) {
      case "joined": return this.#joined(message);
      case "comment": return this.#comment(message);
      case "changed": return this.#numbered(message);
      case "goodbye": this.#adviceMs = message.retry_ms ?? null; return undefined;
      case "accepted": return this.#accept(message.id, message.seq);
      case "withdrawn":
        this.#emit("withdrawn", message);
        return this.#accept(message.id, 0);
      case "held":
      case "rejected": return this.#refuse(message.id, message.reason ?? "", message.message ?? "", message.type === "held");
      case "video": return this.#changed(message);
      case "taken": return this.#granted(message);
      case "renewed":
        for (const wish of this.#wishes.values()) this.#send(wish);
        return this.#emit("renewed", message);
      case "error":
        if (this.#granted(message)) return undefined;
        if (this.#outbox.has(message.id)) return this.#refuse(message.id, message.code ?? "", message.message ?? "");
        return this.#emit("error", message);
      default: return TOLD.has(message?.type) ? this.#emit(message.type, message) : undefined; // heartbeat, pong, and what later servers add
    }
  }

  #comment(message) {
    if (this.#numbered(message) && this.#outbox.has(message.id)) this.#accept(message.id, message.seq);
  }

  /** Take the next number and tell; false for a repeat, and for a number too far: what is between comes with a new join. */
  #numbered(message) {
    if (this.seq !== null && message.seq <= this.seq) return false;
    if (this.#dense && this.seq !== null && message.seq > this.seq + 1) {
      this.#open();
      return false;
    }
    this.seq = message.seq;
    this.#emit(message.type, message);
    return true;
  }

  #changed(message) {
    if (message.id !== this.video) this.#turnTo(message.id, message);
    else this.#emit("video", message);
  }

  #turnTo(video, message) {
    this.seq = this.video === null ? this.seq : 0;
    if (video === null) this.seq = null;
    this.video = video;
    this.#wishes.clear();
    this.#emit("video", message ?? { type: "video", id: null, state: "ended" });
  }

  #accept(id, seq) {
    const waiting = this.#outbox.get(id);
    if (!waiting) return void this.#emit("decided", { id, seq });
    clearTimeout(waiting.timer);
    this.#outbox.delete(id);
    waiting.resolve({ id, seq });
  }

  #refuse(id, reason, message, held = false) {
    const waiting = this.#outbox.get(id);
    if (!waiting) return void (held || this.#emit("decided", { id, reason, message }));
    clearTimeout(waiting.timer);
    this.#outbox.delete(id);
    waiting.reject(new CommentRefused(reason, message, held));
  }

  #sendTaps() {
    this.#tapTimer = 0;
    for (const [kind, count] of this.#taps) this.#send({ type: "reaction", kind, count, ...(this.#tapMs && { media_ms: Math.round(this.#tapMs) }) });
    this.#taps.clear();
  }

  /** Before the join only the join itself may go out; everything else waits for it or is dropped. */
  #send(message, joining = false) {
    const able = this.#socket?.readyState === WebSocket.OPEN && (joining || this.state === "open");
    if (able) this.#socket.send(JSON.stringify(message));
    return able;
  }

  #beat() {
    if (performance.now() - this.#heardMs > this.#silenceMs) this.#lost(Close.SILENT);
    else if (!this.#heartbeat) this.#send({ type: "ping" });
  }

  #lost(closeCode) {
    clearTimeout(this.#retryTimer);
    this.#dropSocket(1000);
    if (closeCode === Close.BAD_TOKEN) this.#identity.keepToken("");
    const retryMs = this.#adviceMs ?? backoffMs(this.#attempt, closeCode, this.#random);
    this.#adviceMs = null;
    this.#attempt += 1;
    this.#retryTimer = setTimeout(() => this.#open(), retryMs);
    this.#setState("waiting", { retryMs, closeCode });
  }

  #wake = () => {
    if (this.state === "waiting" && globalThis.document?.visibilityState !== "hidden") this.#open();
    else if (this.state === "open") this.#beat();
  };

  #dropSocket(code) {
    clearInterval(this.#pingTimer);
    const socket = this.#socket;
    this.#socket = null;
    if (socket && socket.readyState <= WebSocket.OPEN) socket.close(code);
  }

  #setState(state, more = {}) {
    this.state = state;
    this.#emit("state", { state, ...more });
  }

  #emit(type, detail) {
    this.dispatchEvent(new CustomEvent(type, { detail }));
  }
}
