/**
 * The list of comments: a bounded window into a conversation of any length.
 *
 * While the reader is at the end, new comments are appended and the oldest leave. While the reader is scrolled back the
 * list holds still: new comments are only counted (the newest ones are kept aside, bounded as well), and a pill says how
 * many. Text goes in as text nodes only.
 *
 * The document is changed once a frame at most, and the scroll position with it: however fast comments come, there is one
 * layout a frame, and a scroll event always sees a settled list (so it can only come from the reader).
 * @module comments
 */
import { mentions, nodes, parse, plain } from "./comment_text.js";
import { calm, element, hue, setText } from "./dom.js";
import { compact } from "./format.js";
import { icon } from "./icons.js";

/** Rows in the document at most, and comments kept aside at most. */
export const ROWS = 300;
const END_PX = 48;
const QUOTE_LENGTH = 80;
const BADGES = { owner: "Host", moderator: "Mod" };
const GONE = { hidden: "Hidden by a moderator", removed: "Removed by its writer" };

/**
 * A comment as the feed sends it.
 * @typedef {{seq: number, id: string, parent: string|null, user: {id: string, name: string}, text?: string, at_ms: number, state?: "shown"|"hidden"|"removed"}} Comment
 */

/** A comment after a change of the feed. @param {Comment} comment */
export function changed(comment, { change, text, at_ms: atMs, comment: whole }) {
  const state = { hidden: "hidden", shown: "shown", removed: "removed" }[change];
  const after = { ...comment, ...whole, ...(state && { state }) };
  if (change === "removed") after.text = "";
  else if (text !== undefined) after.text = text;
  if (change === "edited" && text !== undefined) after.edited_ms = atMs;
  if (change === "pinned" || change === "unpinned") after.pinned = change === "pinned";
  return after;
}

export class CommentList {
  #scroller;
  #list = element("ol", { class: "comments", role: "log", "aria-live": "polite", "aria-relevant": "additions", "data-testid": "comments" });
  #pill = element("button", { type: "button", class: "pill", "data-testid": "new-messages", hidden: true });
  #empty = element("p", { class: "chat__empty muted", "data-testid": "chat-empty" }, "Quiet so far. Say hello.");
  #earlier = element("button", { type: "button", class: "button button--quiet comments__earlier", "data-testid": "earlier", hidden: true }, "Earlier comments");
  #recent = []; // the newest comments, whether in the document or not
  #queue = []; // what the next frame appends: comments, and notes as strings
  #frame = 0;
  #known = new Map(); // id -> comment, of #recent and of the rows: for quotes
  #likes = new Map(); // id -> likes
  #liked;
  #unseen = 0;
  #following = true;
  #me = "";
  #actions;
  #emotes = {};
  /** The reader's own name: comments that mention it stand out. */
  name = "";

  /**
   * @param {{reply: (comment: Comment) => void, like: (id: string, liked: boolean) => void, menu?: (button: HTMLElement, comment: Comment) => void, earlier: (seq: number) => Promise<Comment[]>, liked: {has: (id: string) => boolean}}} actions
   */
  constructor(actions) {
    this.#actions = actions;
    this.#liked = actions.liked;
    this.#scroller = element("div", { class: "chat__scroll", tabindex: "0", "data-scrolls": true, "data-testid": "chat-scroll", "aria-label": "Comments", role: "group" }, this.#earlier, this.#empty, this.#list);
    this.element = element("div", { class: "chat__window" }, this.#scroller, this.#pill);
    this.#scroller.addEventListener("scroll", () => this.#scrolled(), { passive: true });
    this.#pill.addEventListener("click", () => this.toEnd());
    this.#earlier.addEventListener("click", () => this.#loadEarlier());
    this.#list.addEventListener("click", (event) => this.#clicked(event));
    new ResizeObserver(() => this.#following && this.#stick()).observe(this.#scroller);
  }

  /** Forget everything: another video. */
  clear() {
    this.#recent = [];
    this.#queue = [];
    this.#known.clear();
    this.#likes.clear();
    this.#list.replaceChildren();
    this.#following = true;
    this.#empty.hidden = false;
    this.#countUnseen(0);
    this.#showEarlier();
  }

  /** Whose comments are marked as one's own. */
  set me(userId) {
    this.#me = userId;
  }

  get me() {
    return this.#me;
  }

  /** Whether the reader moderates: each comment has its menu. */
  set moderated(moderates) {
    this.#list.dataset.moderated = String(moderates);
  }

  /** Bring a comment into view, where it is in the document. */
  find(id) {
    this.#showParent(id);
  }

  /** A comment that is known here. */
  get(id) {
    return this.#known.get(id);
  }

  /** Take the next comment of the feed. @param {Comment} comment */
  add(comment) {
    this.#recent.push(comment);
    if (this.#recent.length > ROWS) this.#forget(this.#recent.shift());
    this.#known.set(comment.id, comment);
    this.#enqueue(comment);
  }

  /**
   * Take a change of a comment: its text, whether it is shown or pinned.
   * @param {{id: string, change: string, text?: string, at_ms: number, comment?: Comment}} event
   */
  change(event) {
    const comment = this.#known.get(event.id);
    if (!comment) return;
    Object.assign(comment, changed(comment, event)); // the queue has the same object
    this.#rowOf(event.id)?.replaceWith(this.#row(comment));
  }

  /** Put a line of the page's own between the comments ("Ad break · 30 s"). */
  note(text) {
    this.#enqueue(text);
  }

  /** Likes of comments that changed. @param {Record<string, number>} likes */
  setLikes(likes) {
    for (const [id, count] of Object.entries(likes)) {
      this.#likes.set(id, count);
      const row = this.#rowOf(id);
      if (row) this.#drawLikes(row, id);
    }
    while (this.#likes.size > 4 * ROWS) this.#likes.delete(this.#likes.keys().next().value);
  }

  /** Pictures of the channel's emotes by name: what is there is drawn anew. @param {Record<string, string>} pictures */
  set emotes(pictures) {
    this.#emotes = pictures;
    for (const row of this.#list.querySelectorAll(".comment")) {
      const comment = this.#known.get(row.dataset.id);
      if (comment) row.replaceWith(this.#row(comment));
    }
  }

  /** What the reader likes is known anew. */
  drawLiked() {
    for (const row of this.#list.querySelectorAll(".comment")) this.#drawLikes(row, row.dataset.id);
  }

  /** Show the newest comments and follow them. */
  toEnd() {
    this.#flush();
    if (!this.#following) this.#list.replaceChildren(...this.#recent.map((comment) => this.#row(comment)));
    this.#following = true;
    this.#countUnseen(0);
    this.#showEarlier();
    this.#stick();
  }

  #enqueue(entry) {
    this.#queue.push(entry);
    if (this.#queue.length > ROWS) this.#queue.shift(); // no frame for long: the page is not looked at
    this.#frame ||= requestAnimationFrame(() => {
      this.#frame = 0;
      this.#flush();
    });
  }

  #flush() {
    const entries = this.#queue.splice(0);
    if (this.#following) this.#append(entries.map((entry) => this.#line(entry)));
    else this.#countUnseen(this.#unseen + entries.filter((entry) => typeof entry !== "string").length);
  }

  #line(entry) {
    if (typeof entry !== "string") return this.#row(entry);
    return element("li", { class: "comments__note", "data-testid": "chat-note" }, entry);
  }

  #append(rows) {
    if (!rows.length) return;
    this.#empty.hidden = true;
    this.#list.append(...rows);
    while (this.#list.childElementCount > ROWS) this.#list.firstElementChild.remove();
    this.#showEarlier();
    this.#stick();
  }

  #stick() {
    this.#scroller.scrollTop = this.#scroller.scrollHeight;
  }

  #scrolled() {
    const { scrollTop, scrollHeight, clientHeight } = this.#scroller;
    const atEnd = scrollHeight - scrollTop - clientHeight < END_PX;
    if (atEnd && !this.#following) this.#resume();
    else if (!atEnd) this.#following = false;
  }

  /** The reader came back to the end of the rows: go on from there, without a jump where nothing is missing between. */
  #resume() {
    const last = Number([...this.#list.querySelectorAll(".comment")].at(-1)?.dataset.seq ?? 0);
    const later = this.#recent.filter((comment) => comment.seq > last);
    if (later.length && later.length === this.#recent.length && later[0].seq > last + 1) return this.toEnd(); // changes have numbers, too
    this.#following = true;
    this.#queue = this.#queue.filter((entry) => typeof entry === "string"); // the comments among them are in `later`
    this.#append(later.map((comment) => this.#row(comment)));
    return this.#countUnseen(0);
  }

  #countUnseen(count) {
    this.#unseen = count;
    this.#pill.hidden = count === 0;
    if (count) this.#pill.replaceChildren(icon("down"), `${compact(count)} new message${count === 1 ? "" : "s"}`);
  }

  #firstSeq() {
    return Number(this.#list.querySelector(".comment")?.dataset.seq ?? 0);
  }

  #showEarlier() {
    this.#earlier.hidden = this.#firstSeq() <= 1;
  }

  async #loadEarlier() {
    this.#earlier.disabled = true;
    try {
      const first = this.#firstSeq();
      const older = await this.#actions.earlier(first);
      if (first === this.#firstSeq()) this.#prepend(older.filter((comment) => comment.seq < first));
      setText(this.#earlier, "Earlier comments");
    } catch {
      setText(this.#earlier, "That did not load. Try again");
    } finally {
      this.#earlier.disabled = false;
    }
  }

  #prepend(older) {
    if (!older.length) {
      this.#earlier.hidden = true;
      return;
    }
    const fromEnd = this.#scroller.scrollHeight - this.#scroller.scrollTop;
    for (const comment of older) this.#known.set(comment.id, comment);
    this.#following = false;
    this.#list.prepend(...older.map((comment) => this.#row(comment)));
    this.#scroller.scrollTop = this.#scroller.scrollHeight - fromEnd;
    while (this.#list.childElementCount > ROWS) this.#list.lastElementChild.remove(); // they are below what is read
    this.#showEarlier();
  }

  #forget(comment) {
    if (!this.#rowOf(comment.id)) this.#known.delete(comment.id);
    if (this.#known.size > 4 * ROWS) this.#known = new Map(this.#recent.map((kept) => [kept.id, kept]));
  }

  #rowOf(id) {
    return this.#list.querySelector(`[data-id="${CSS.escape(id)}"]`);
  }

  #row(comment) {
    const { seq, id, user, at_ms: atMs } = comment;
    const gone = GONE[comment.state];
    const at = new Date(atMs);
    const row = element("li", { class: `comment${user?.id && user.id === this.#me ? " comment--mine" : ""}`, "data-id": id, "data-seq": seq, "data-state": comment.state ?? "shown", "data-testid": "comment" },
      comment.parent ? this.#quote(comment.parent) : null,
      gone ? element("p", { class: "comment__line comment__gone muted", "data-testid": "comment-gone" }, gone) : this.#said(comment),
      element("div", { class: "comment__foot" },
        element("span", { class: "comment__seq", title: "Number on the log" }, `#${seq}`),
        Number.isFinite(atMs) ? element("time", { datetime: at.toISOString() }, at.toLocaleTimeString([], { hour: "2-digit", minute: "2-digit" })) : null,
        comment.edited_ms && !gone ? element("span", { class: "comment__edited", "data-testid": "comment-edited" }, "edited") : null,
        comment.pinned && !gone ? element("span", { class: "comment__edited", "data-testid": "comment-pinned" }, "pinned") : null,
        ...(gone ? [] : this.#buttons(user)),
        comment.state === "removed" ? null : element("button", { type: "button", class: "comment__do", "data-do": "more", "data-testid": "more", "aria-haspopup": "menu", "aria-expanded": "false", "aria-label": `What to do with the comment of ${user?.name ?? "someone"}` }, icon("more"))));
    if (!gone) this.#drawLikes(row, id);
    return row;
  }

  #said({ user, text, parent }) {
    const tokens = parse(text ?? "", this.#emotes);
    const name = element("span", { class: "comment__name", "data-testid": "comment-name" }, user?.name ?? "Someone");
    name.style.setProperty("--hue", String(hue(user?.id ?? "")));
    if (user?.colour) {
      name.dataset.own = "";
      name.style.setProperty("--own", user.colour);
    }
    const mentioned = this.#isForReader(tokens, parent) ? " comment__text--mentioned" : "";
    const badge = BADGES[user?.role];
    return element("p", { class: "comment__line" }, badge ? element("span", { class: `comment__badge comment__badge--${user.role}`, "data-testid": "badge" }, badge) : null, name, " ", element("span", { class: `comment__text${mentioned}`, dir: "auto", "data-testid": "comment-text" }, ...nodes(tokens, element)));
  }

  /** Whether a comment speaks to the reader: by name, or as the answer to one of theirs. */
  isForReader({ user, text, parent, state }) {
    return user?.id !== this.#me && !GONE[state] && this.#isForReader(parse(text ?? ""), parent);
  }

  #isForReader(tokens, parent) {
    const answered = parent && this.#me && this.#known.get(parent)?.user?.id === this.#me;
    return Boolean(answered || (this.name && mentions(tokens, this.name)));
  }

  #buttons(user) {
    return [
      element("button", { type: "button", class: "comment__do", "data-do": "reply", "data-testid": "reply", "aria-label": `Reply to ${user?.name ?? "this comment"}` }, icon("reply"), "Reply"),
      element("button", { type: "button", class: "comment__do", "data-do": "like", "data-testid": "comment-like", "aria-label": `Like the comment of ${user?.name ?? "someone"}` }, icon("heart"), element("span", { "data-testid": "comment-likes" })),
    ];
  }

  #quote(parentId) {
    const parent = this.#known.get(parentId);
    const text = parent ? [...(parent.text ? plain(parse(parent.text)) : "…")].slice(0, QUOTE_LENGTH).join("") : "an earlier comment";
    return element("button", { type: "button", class: "comment__quote", "data-do": "parent", "data-parent": parentId, "data-testid": "in-reply-to" },
      icon("reply"), "in reply to ", parent ? element("b", {}, parent.user?.name ?? "someone") : null, parent ? ` ${text}` : text);
  }

  #drawLikes(row, id) {
    const button = row.querySelector('[data-do="like"]');
    if (!button) return; // it is not shown
    const count = this.#likes.get(id) ?? 0;
    button.setAttribute("aria-pressed", String(this.#liked.has(id)));
    setText(button.lastElementChild, count ? compact(count) : "");
  }

  #clicked({ target }) {
    const button = target.closest("[data-do]");
    const id = button?.closest(".comment").dataset.id;
    if (!button) return;
    if (button.dataset.do === "reply") {
      const comment = this.#known.get(id);
      if (comment) this.#actions.reply(comment);
    } else if (button.dataset.do === "like") {
      this.#actions.like(id, !this.#liked.has(id));
      this.#drawLikes(button.closest(".comment"), id);
    } else if (button.dataset.do === "more") {
      const comment = this.#known.get(id);
      if (comment) this.#actions.menu?.(button, comment);
    } else {
      this.#showParent(button.dataset.parent);
    }
  }

  #showParent(id) {
    const row = this.#rowOf(id);
    if (!row) return;
    this.#following = false;
    row.scrollIntoView({ block: "center", behavior: calm() ? "auto" : "smooth" });
    row.classList.remove("comment--found");
    void row.offsetWidth; // starts the animation anew
    row.classList.add("comment--found");
  }
}
