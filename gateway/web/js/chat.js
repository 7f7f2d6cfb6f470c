/**
 * The chat column: who is there, the comments, reactions, and the line to write in.
 * @module chat
 */
import { closePoll, readConversation, readEarlierComments, readPinned } from "./api.js";
import { changed, CommentList, ROWS } from "./comments.js";
import { Attention } from "./attention.js";
import { element, setText } from "./dom.js";
import { Emotes } from "./emotes.js";
import { COMMENT_LENGTH, newCommentId } from "./feed.js";
import { compact } from "./format.js";
import { icon } from "./icons.js";
import { cleanName, NAME_LENGTH } from "./identity.js";
import { Likes } from "./likes.js";
import { Moderating } from "./moderating.js";
import { Pending } from "./pending.js";
import { Pinned } from "./pinned.js";
import { PollForm } from "./poll_form.js";
import { Polls } from "./polls.js";
import { reactionButtons } from "./reactions.js";
import { ReplayChat } from "./replay_chat.js";

const PAGE = 50;
/** What people read for the server's reasons, where its own sentence is missing. */
const REASONS = {
  too_long: `That is longer than ${COMMENT_LENGTH} characters.`,
  empty: "Write something first.",
  slow_mode: "Slow mode: wait a moment before the next comment.",
  duplicate: "You have just said that.",
  blocked_word: "It has a word that is not allowed here.",
  unknown_parent: "The comment you reply to is not there any more.",
  links: "Links are not allowed here.",
};

export class Chat {
  #feed;
  #identity;
  #session;
  #openAccount;
  #rules = {};
  #likes = new Likes();
  #comments;
  #programMs;
  #moderating;
  #attention = new Attention();
  #emotes = new Emotes({ changed: () => (this.#comments.emotes = this.#emotes.pictures), choose: (text) => this.#insert(text) });
  #pending = new Pending({
    edit: (comment) => this.#edit(comment),
    withdraw: ({ id }) => this.#feed.revise(id, null).then(() => this.#pending.remove(id), (refused) => this.#say(refused.message || "It was not taken back.", true, refused.reason)),
  });
  #pinned = new Pinned((id) => this.#comments.find(id));
  #polls;
  #ask = element("button", { type: "button", class: "control control--plain chat__ask", "aria-label": "Ask the viewers", title: "Ask the viewers", "aria-haspopup": "dialog", "data-testid": "poll-ask", hidden: true }, icon("poll"));
  #parent = null;
  #editing = null; // id of one's own comment that is written anew
  #sending = false;
  #replay;
  #following = false;
  #replayed = null; // the video whose conversation is read by position
  #live = []; // the newest comments of the feed while the column follows a position
  #status = element("span", { class: "chat__status", role: "status", "data-testid": "feed-state" });
  #who = element("button", { type: "button", class: "chat__who", "data-testid": "rename", title: "Change your name" });
  #nameForm;
  #nameInput = element("input", { class: "input", maxlength: NAME_LENGTH, required: true, autocomplete: "nickname", "aria-label": "Your name", "data-testid": "name-input" });
  #replying = element("div", { class: "chat__replying", "data-testid": "replying", hidden: true });
  #input = element("textarea", { id: "chat-input", class: "input chat__input", rows: 1, placeholder: "Say something", "aria-label": "Comment", "aria-describedby": "chat-note", enterkeyhint: "send", "data-testid": "comment-input" });
  #left = element("span", { class: "chat__left", "aria-hidden": "true" });
  #note = element("p", { id: "chat-note", class: "chat__note", role: "alert", "data-testid": "comment-error" });
  #gate = element("div", { class: "chat__gate", "data-testid": "chat-gate", hidden: true });
  #send = element("button", { class: "button button--main button--send", "aria-label": "Send", "data-testid": "send" }, icon("send"));

  /**
   * @param {HTMLElement} root
   * @param {{feed: import("./feed.js").Feed, identity: import("./identity.js").Identity, session: import("./session.js").Session, openAccount: () => void, react: (kind: string) => void, programMs: () => number|null, burst?: (kind: string, count: number) => void}} options
   *   `programMs`: the wall clock of the picture, which goes with each comment; `burst`: shows reactions of a recorded video
   */
  constructor(root, { feed, identity, session, openAccount, react, programMs, burst = () => {} }) {
    this.#feed = feed;
    this.#programMs = programMs;
    this.#identity = identity;
    this.#session = session;
    this.#openAccount = openAccount;
    this.#comments = new CommentList({
      reply: (comment) => this.#replyTo(comment),
      like: (id, liked) => this.like(liked, id),
      menu: (button, comment) => this.#moderating.open(button, comment),
      earlier: (seq) => readEarlierComments(feed.video, seq, PAGE),
      liked: this.#likes,
    });
    this.#moderating = new Moderating({
      feed,
      token: () => identity.token,
      own: (comment) => this.#ownItems(comment),
      moderated: (moderates) => {
        this.#comments.moderated = moderates;
        this.#polls.moderated = moderates;
        this.#ask.hidden = !moderates;
      },
    });
    const pollForm = new PollForm({ feed, token: () => identity.token, close: icon("close") });
    this.#ask.addEventListener("click", () => pollForm.open());
    this.#polls = new Polls({
      vote: (poll, option) => feed.vote(poll, option),
      close: (poll) => closePoll(feed.video, poll, identity.token).catch(({ message }) => this.#say(message, true)),
    });
    this.#replay = new ReplayChat({
      read: (fromMs, toMs) => readConversation(this.#replayed, fromMs, toMs),
      reset: () => this.#comments.clear(),
      show: (comment) => this.#comments.add(comment),
      burst: (reactions) => Object.entries(reactions).forEach(([kind, count]) => burst(kind, count)),
    });
    this.#nameForm = this.#makeNameForm();
    const form = element("form", { class: "chat__form", onsubmit: (event) => this.#submit(event) },
      element("div", { class: "chat__field" }, this.#input, this.#left), this.#emotes.button, this.#send);
    root.append(
      element("div", { class: "chat__head" }, element("h2", {}, "Chat"), this.#status, this.#ask),
      this.#moderating.queue.element,
      this.#polls.element,
      this.#pinned.element,
      this.#comments.element,
      element("div", { class: "chat__foot" }, reactionButtons(react), this.#moderating.offer.element, this.#nameForm, this.#pending.element, this.#replying, this.#note, this.#gate, this.#emotes.panel, form, this.#who));
    this.#input.addEventListener("input", () => this.#typed());
    this.#input.addEventListener("keydown", (event) => this.#keyed(event));
    this.#who.addEventListener("click", () => this.#askName());
    this.#listen();
    this.#drawName();
  }

  /** Put the cursor into the input. */
  focus() {
    this.#input.focus();
  }

  /** A line between the comments. */
  note(text) {
    this.#comments.note(text);
  }

  /** Whether the column has what was said at the position of the picture. */
  get follows() {
    return this.#following;
  }

  /**
   * Follow the picture: of a recorded video, and while the viewer has gone back in a live one, the column has what was said
   * there; else what the feed says.
   * @param {boolean} later whether it is not at the live edge
   * @param {string|null} video what is shown
   */
  follow(later, video) {
    if (later && video) {
      if (video !== this.#replayed) this.#replay.stop();
      this.#replayed = video;
      this.#following = true;
      this.#replay.follow(this.#programMs());
    } else if (this.#following) {
      this.#following = false;
      this.#replay.stop();
      this.#comments.clear();
      for (const comment of this.#live) this.#comments.add(comment);
    }
  }

  /** Whether this visitor likes the video (`""`) or a comment. */
  isLiked(target = "") {
    return this.#likes.has(target);
  }

  /** Like or unlike the video, or a comment. */
  like(liked, comment = null) {
    this.#likes.set(comment ?? "", liked);
    this.#feed.like(liked, comment);
  }

  #listen() {
    const on = (type, handler) => this.#feed.addEventListener(type, ({ detail }) => handler(detail));
    on("state", ({ state }) => this.#showState(state));
    on("video", ({ id }) => this.#videoIs(id));
    on("joined", ({ channel, user, totals }) => {
      this.#emotes.open(channel);
      if (this.#comments.me && this.#comments.me !== user?.id) this.#mine({ liked: false, comments: [], votes: {} }, true);
      this.#comments.me = user?.id ?? "";
      this.#comments.name = user?.name ?? "";
      this.#comments.setLikes(totals?.comment_likes ?? {});
      this.#drawName();
      this.#readPinned();
      this.#drawGate();
      this.#typed();
    });
    on("mine", (mine) => mine.video === this.#likes.video && this.#mine(mine));
    on("withdrawn", ({ comment }) => this.#pending.remove(comment));
    on("decided", ({ id, reason, message }) => {
      this.#pending.remove(id);
      if (reason) this.#say(message || REASONS[reason] || "Your comment was declined.", true, reason);
    });
    on("comment", (comment) => {
      this.#heard(comment);
      if (this.#comments.isForReader(comment)) this.#attention.called();
    });
    on("changed", (event) => {
      const known = this.#pinned.get(event.id) ?? this.#comments.get(event.id) ?? event.comment;
      if (known) this.#pinned.take(changed(known, event));
      this.#comments.change(event);
      const heard = this.#live.find(({ id }) => id === event.id);
      if (heard) Object.assign(heard, changed(heard, event));
    });
    on("rules", (rules) => {
      this.#rules = rules;
      this.#drawGate();
    });
    on("poll", (poll) => this.#polls.take(poll));
    on("totals", ({ comment_likes: likes }) => this.#comments.setLikes(likes ?? {}));
    on("error", ({ message }) => this.#say(message || "The server did not take that.", true));
  }

  /** What is this visitor's; `other`: of somebody else than before. */
  #mine(mine, other = false) {
    if (other) this.#likes.forget();
    this.#likes.take(mine);
    this.#comments.drawLiked();
    this.#polls.takeVotes(mine.votes);
    this.#pending.set(mine.held ?? []);
  }

  async #readPinned() {
    const { video } = this.#feed;
    if (!video) return;
    const found = await readPinned(video).catch(() => []); // those that the feed tells are there without
    if (found.length && video === this.#feed.video) this.#pinned.set(found.map((comment) => ({ ...comment, pinned: true })));
  }

  #heard(comment) {
    this.#pending.remove(comment.id);
    this.#pinned.take(comment);
    this.#live.push(comment);
    if (this.#live.length > ROWS) this.#live.shift();
    if (this.#following) this.#replay.take(comment);
    else this.#comments.add(comment);
  }

  #videoIs(id) {
    if (id === this.#likes.video) return;
    this.#live = [];
    this.#pinned.set([]);
    this.#pending.set([]);
    this.#polls.clear();
    this.#moderating.offer.take();
    this.#replay.stop();
    this.#likes.open(id);
    this.#comments.clear();
    this.#replyTo(null);
  }

  #showState(state) {
    const words = { connecting: "Connecting…", open: "", waiting: "Connection lost. Reconnecting…", closed: "Chat is closed" };
    setText(this.#status, words[state]);
    this.#status.dataset.state = state;
  }

  // -- the name -----------------------------------------------------------------------------------------------------

  #makeNameForm() {
    const save = (event) => {
      event.preventDefault();
      const name = cleanName(this.#nameInput.value);
      if (!name) return;
      this.#nameForm.hidden = true;
      if (name !== this.#feed.user?.name) this.#feed.rename(name);
      this.#drawName();
      this.#input.focus();
    };
    return element("form", { class: "chat__name", hidden: true, onsubmit: save, onkeydown: (event) => event.key === "Escape" && this.#closeName() },
      this.#nameInput, element("button", { class: "button", "data-testid": "name-save" }, "Save"));
  }

  #askName() {
    if (this.#session.user) return this.#openAccount();
    this.#nameForm.hidden = !this.#nameForm.hidden;
    this.#nameInput.value = this.#identity.chosen ? this.#identity.name : "";
    this.#nameInput.placeholder = this.#identity.name;
    if (!this.#nameForm.hidden) this.#nameInput.focus();
    return undefined;
  }

  #closeName() {
    this.#nameForm.hidden = true;
    this.#who.focus();
  }

  #drawName() {
    const name = this.#feed.user?.name ?? this.#identity.name;
    this.#who.replaceChildren("Chatting as ", element("b", { "data-testid": "my-name" }, name), icon("pencil"));
  }

  /** Guests are told before they write where the channel's rules do not let them. */
  #drawGate() {
    const words = { accounts: "Log in to comment here.", followers: "Followers may comment here.", members: "Members may comment here." }[this.#rules.who];
    this.#gate.hidden = !words || Boolean(this.#session.user) || this.#feed.user?.guest === false;
    if (this.#gate.hidden) return;
    this.#gate.replaceChildren(element("span", {}, words), element("button", { type: "button", class: "button button--quiet", "data-testid": "gate-log-in", onclick: () => this.#openAccount() }, "Log in"));
  }

  // -- writing ------------------------------------------------------------------------------------------------------

  #replyTo(comment) {
    this.#parent = comment?.id ?? null;
    this.#editing = null;
    this.#showAbout(comment && "reply", "Do not reply", "Replying to ", element("b", {}, comment?.user?.name ?? "someone"));
  }

  #edit(comment) {
    this.#parent = null;
    this.#editing = comment.id;
    this.#showAbout("pencil", "Do not edit", "Editing your comment");
    this.#input.value = comment.text ?? "";
    this.#typed();
  }

  #leaveEdit() {
    if (this.#editing) this.#input.value = "";
    this.#replyTo(null);
    this.#typed();
  }

  /** Above the input: what is written about (no sign: nothing). */
  #showAbout(sign, stop, ...words) {
    this.#replying.hidden = !sign;
    if (!sign) return;
    const end = element("button", { type: "button", class: "control control--plain", "aria-label": stop, onclick: () => this.#leaveEdit() }, icon("close"));
    this.#replying.replaceChildren(sign === "reply" ? icon("reply") : icon("pencil"), element("span", {}, ...words), end);
    this.#input.focus();
  }

  #ownItems(comment) {
    const remove = () => this.#feed.revise(comment.id, null).catch((refused) => this.#say(refused.message || "It was not removed.", true, refused.reason));
    return [
      { key: "edit", text: "Edit", choose: () => this.#edit(comment) },
      { key: "remove", text: "Delete for good", grave: true, choose: () => this.#moderating.offer.make("Delete your comment for good?", "Delete", remove) },
    ];
  }

  /** Put a text in at the cursor. */
  #insert(text) {
    const { selectionStart: start, selectionEnd: end, value } = this.#input;
    const before = start && !/\s$/.test(value.slice(0, start)) ? " " : "";
    this.#input.setRangeText(`${before}${text} `, start, end, "end");
    this.#input.focus();
    this.#typed();
  }

  #keyed(event) {
    if (event.key === "Enter" && !event.shiftKey && !event.isComposing) {
      event.preventDefault();
      this.#input.form.requestSubmit();
    } else if (event.key === "Escape" && (this.#parent || this.#editing)) {
      this.#leaveEdit();
    }
  }

  #typed() {
    const left = COMMENT_LENGTH - [...this.#input.value].length;
    setText(this.#left, left <= 60 ? String(left) : "");
    this.#left.dataset.over = String(left < 0);
    this.#input.style.setProperty("height", "auto");
    this.#input.style.setProperty("height", `${Math.min(this.#input.scrollHeight, 110)}px`);
    if (!this.#sending) this.#say("");
  }

  async #submit(event) {
    event.preventDefault();
    const text = this.#input.value.trim();
    if (!text || this.#sending) return;
    if ([...text].length > COMMENT_LENGTH) return this.#say(REASONS.too_long, true);
    this.#setSending(true);
    const edits = this.#editing !== null;
    const id = this.#editing ?? newCommentId();
    try {
      await (edits ? this.#feed.revise(id, text) : this.#feed.comment(text, { parent: this.#parent, mediaMs: this.#programMs(), id }));
      this.#input.value = "";
      this.#replyTo(null);
      if (!edits) this.#comments.toEnd();
      this.#setSending(false);
      this.#typed();
    } catch (refused) {
      this.#setSending(false);
      if (refused.held) {
        this.#pending.add({ id, text });
        this.#input.value = "";
        this.#replyTo(null);
        this.#typed();
        return this.#say(refused.message || "A moderator looks at it first.", false, "held");
      }
      if (refused.reason === "email_unverified") this.#session.renew(); // the link may have been used since: the next try knows
      this.#say(refused.message || REASONS[refused.reason] || "The comment was not taken.", true, refused.reason);
    }
    return undefined;
  }

  #setSending(sending) {
    this.#sending = sending;
    this.#input.readOnly = sending;
    this.#send.disabled = sending;
    if (sending) this.#say(this.#feed.state === "open" ? "" : "Waiting for the connection…");
  }

  #say(text, wrong = false, reason = "") {
    setText(this.#note, text);
    this.#note.dataset.wrong = String(wrong);
    this.#note.dataset.reason = reason;
  }
}

/** Viewers as the page shows them. */
export const viewersText = (number) => (Number.isFinite(number) ? compact(number) : "–");
