/**
 * The comments that wait for a moderator, above the conversation: approve or decline each.
 * @module review
 */
import { element, setText } from "./dom.js";

const MOST = 50;
const READ_AGAIN_MS = 400;
/** Why a comment waits, in words. */
const WHY = { first_message: "first message", links: "has a link", blocked_word: "has a word to look at", classifier: "held by the classifier" };

/** @typedef {{video_id: string, id: string, user: {id: string, name: string}, text: string, reason: string, note: string}} Held */

export class ReviewQueue {
  #held = new Map();
  #waiting = 0;
  #decide;
  #read;
  #timer = 0;
  #toggle = element("button", { type: "button", class: "review__toggle", "aria-expanded": "false", "aria-controls": "review-list", "data-testid": "review-toggle", onclick: () => this.#show(this.#list.hidden) });
  #list = element("ul", { class: "review__list", id: "review-list", "aria-label": "Comments that wait", "data-testid": "review-list", hidden: true });

  /** @param {{decide: (kind: "approve"|"decline", held: Held) => Promise<unknown>, read: () => Promise<{held: Held[], waiting: number}>}} actions */
  constructor({ decide, read }) {
    this.#decide = decide;
    this.#read = read;
    this.element = element("section", { class: "review", "aria-label": "Review", "data-testid": "review", hidden: true }, this.#toggle, this.#list);
  }

  /** Nobody who moderates is here any more. */
  clear() {
    clearTimeout(this.#timer);
    this.#held.clear();
    this.#waiting = 0;
    this.#draw();
  }

  /** Take the feed's `review`: some comments that wait, some that do not any more, and how many there are. */
  take({ held, gone = [], waiting }) {
    for (const id of gone) this.#held.delete(id);
    for (const one of held) {
      const known = this.#held.get(one.id);
      if (known && known.text !== one.text) this.#list.querySelector(`[data-id="${CSS.escape(one.id)}"]`)?.remove();
      this.#held.set(one.id, one);
    }
    this.#waiting = Math.max(waiting, 0);
    this.#draw();
  }

  /** Take an act of anyone: decisions leave the queue; what else changes it is read again. */
  acted({ kind, comment_id: id, undoes }) {
    const decided = !undoes && (kind === "approve" || kind === "decline");
    if (decided && id) this.#forget(id);
    else if (undoes || ["approve", "ban", "hide_user"].includes(kind)) this.#readSoon();
  }

  #forget(id) {
    if (!this.#held.delete(id)) return;
    this.#waiting -= 1;
    this.#draw();
  }

  #readSoon() {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(async () => {
      const { held, waiting } = await this.#read().catch(() => ({ held: [...this.#held.values()], waiting: this.#waiting }));
      this.#held = new Map(held.map((one) => [one.id, one]));
      this.take({ held: [], waiting });
    }, READ_AGAIN_MS);
  }

  #show(shown) {
    this.#list.hidden = !shown;
    this.#toggle.setAttribute("aria-expanded", String(shown));
  }

  #draw() {
    this.element.hidden = this.#held.size === 0;
    setText(this.#toggle, `${this.#waiting} comment${this.#waiting === 1 ? " waits" : "s wait"} for review`);
    if (this.element.hidden) this.#show(false);
    const wanted = [...this.#held.values()].slice(0, MOST);
    const rows = new Map([...this.#list.children].map((row) => [row.dataset.id, row]));
    this.#list.replaceChildren(...wanted.map((one) => rows.get(one.id) ?? this.#row(one)));
  }

  #row(held) {
    const button = (kind, words) => element("button", { type: "button", class: `button button--quiet review__${kind}`, "data-testid": kind, "aria-label": `${words} the comment of ${held.user.name}`, onclick: () => this.#decided(kind, held) }, words);
    return element("li", { class: "review__one", "data-id": held.id, "data-testid": "held" },
      element("p", { class: "comment__line" }, element("b", {}, held.user.name), " ", element("span", { dir: "auto", "data-testid": "held-text" }, held.text)),
      element("div", { class: "review__foot" }, element("span", { class: "muted" }, WHY[held.reason] ?? held.reason), button("approve", "Approve"), button("decline", "Decline")));
  }

  async #decided(kind, held) {
    const row = this.#list.querySelector(`[data-id="${CSS.escape(held.id)}"]`);
    for (const button of row.querySelectorAll("button")) button.disabled = true;
    const next = (row.nextElementSibling ?? row.previousElementSibling)?.querySelector("button");
    if (await this.#decide(kind, held)) {
      this.#forget(held.id);
      (next ?? this.#toggle).focus();
    } else {
      for (const button of row.querySelectorAll("button")) button.disabled = false;
    }
  }
}
