/**
 * Moderating from the conversation: what the menu of a comment offers, the queue of held comments, and taking back.
 *
 * Acts go over HTTP, so that each has its answer; the feed's `review` says that this visitor moderates, and what waits.
 * @module moderating
 */
import { call } from "./api.js";
import { CommentMenu } from "./comment_menu.js";
import { element } from "./dom.js";
import { ReviewQueue } from "./review.js";

const TIMEOUT_S = 600;
const OFFERED_MS = 8000;

/** What people read of acts that are done. */
const DONE = {
  hide: () => "Hidden.", show: () => "Shown again.", pin: () => "Pinned.", unpin: () => "Not pinned any more.", approve: () => "Approved.", decline: () => "Declined.",
  timeout: (name) => `${name} has to wait 10 minutes.`, ban: (name) => `${name} is banned.`, hide_user: (name) => `Everything by ${name} is removed.`,
};

/** A line that offers one thing for some seconds; it stays while it is pointed at or has the focus. */
export class Offer {
  #timer = 0;
  element = element("div", { class: "offer", role: "status", "data-testid": "offer" });

  constructor() {
    for (const type of ["pointerenter", "focusin"]) this.element.addEventListener(type, () => clearTimeout(this.#timer));
    for (const type of ["pointerleave", "focusout"]) this.element.addEventListener(type, () => this.#lapse());
  }

  /** @param {string} text @param {string} words on the button; empty: none @param {() => void} choose */
  make(text, words = "", choose = () => {}) {
    const chosen = () => {
      this.take();
      choose();
    };
    this.element.replaceChildren(element("span", {}, text), ...(words ? [element("button", { type: "button", class: "button button--quiet", "data-testid": "offer-take", onclick: chosen }, words)] : []));
    this.#lapse();
  }

  /** Take it away. */
  take() {
    clearTimeout(this.#timer);
    this.element.replaceChildren();
  }

  #lapse() {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.take(), OFFERED_MS);
  }
}

export class Moderating {
  #feed;
  #token;
  #channel = "";
  #own;
  #menu = new CommentMenu();
  #moderated = () => {};
  /** Offers to take back. */
  offer = new Offer();
  queue = new ReviewQueue({ decide: (kind, held) => this.#do(kind, { video_id: held.video_id, comment_id: held.id }, held.user.name), read: () => call(`${this.#path}/review`, { token: this.#token() }) });
  /** Whether this visitor moderates the channel. */
  moderates = false;

  /**
   * @param {{feed: import("./feed.js").Feed, token: () => string, own: (comment: object) => import("./comment_menu.js").Item[], moderated: (moderates: boolean) => void}} page
   *   `own`: what people may do with their own comments
   */
  constructor({ feed, token, own, moderated }) {
    this.#feed = feed;
    this.#token = token;
    this.#own = own;
    this.#moderated = moderated;
    const on = (type, handler) => feed.addEventListener(type, ({ detail }) => handler(detail));
    on("joined", ({ channel }) => {
      this.#channel = channel;
      this.#set(false);
      this.queue.clear();
    });
    on("review", (review) => {
      this.#set(true);
      this.queue.take(review);
    });
    on("acted", ({ act }) => this.queue.acted(act));
  }

  /** Open the menu of a comment. */
  open(button, comment) {
    this.#menu.toggle(button, comment, this.#items(comment));
  }

  get #path() {
    return `/v1/channels/${encodeURIComponent(this.#channel)}/moderation`;
  }

  #set(moderates) {
    this.moderates = moderates;
    this.#moderated(moderates);
  }

  #items(comment) {
    const mine = comment.user?.id === this.#feed.user?.id;
    const shown = (comment.state ?? "shown") === "shown";
    return [...(mine && shown ? this.#own(comment) : []), ...(this.moderates ? this.#acts(comment, mine, shown) : [])];
  }

  #acts(comment, mine, shown) {
    const name = comment.user?.name ?? "someone";
    const of = { video_id: this.#feed.video, comment_id: comment.id };
    const item = (kind, text, about, grave = false) => ({ key: kind, text, grave, choose: () => this.#do(kind, about, name) });
    const items = shown
      ? [item("hide", "Hide", of), comment.pinned ? item("unpin", "Unpin", of) : item("pin", "Pin on top", of)]
      : [item("show", "Show again", of)];
    if (mine || !comment.user?.id) return items;
    const user = { user_id: comment.user.id };
    return [...items,
      item("timeout", "Time out for 10 minutes", { ...user, seconds: TIMEOUT_S }),
      item("ban", `Ban ${name}`, user, true),
      item("hide_user", `Remove everything by ${name}`, user, true)];
  }

  /** Do it and offer to take it back; false when it was refused. */
  async #do(kind, about, name) {
    try {
      const act = await call(`${this.#path}/acts`, { method: "POST", token: this.#token(), body: { kind, ...about } });
      this.offer.make(DONE[kind](name), "Undo", () => this.#undo(act.act_id));
      return true;
    } catch (problem) {
      this.offer.make(problem.message);
      return false;
    }
  }

  async #undo(id) {
    try {
      await call(`${this.#path}/rollback`, { method: "POST", token: this.#token(), body: { acts: [id] } });
      this.offer.make("Taken back.");
    } catch (problem) {
      this.offer.make(problem.message);
    }
  }
}
