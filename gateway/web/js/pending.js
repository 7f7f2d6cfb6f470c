/**
 * The writer's own comments that wait for a moderator, above the input: to be changed, or taken back, until somebody decides.
 * @module pending
 */
import { element } from "./dom.js";

const MOST = 10;

/** @typedef {{id: string, text: string}} Waiting */

export class Pending {
  #waiting = new Map();
  #edit;
  #withdraw;
  element = element("ul", { class: "pending", "aria-label": "Your comments that wait for a moderator", "data-testid": "pending", hidden: true });

  /** @param {{edit: (comment: Waiting) => void, withdraw: (comment: Waiting) => void}} actions */
  constructor({ edit, withdraw }) {
    this.#edit = edit;
    this.#withdraw = withdraw;
  }

  /** These wait, and no others. @param {Waiting[]} held */
  set(held) {
    this.#waiting = new Map(held.map((one) => [one.id, one]));
    this.#draw();
  }

  /** One waits, or has another text. @param {Waiting} comment */
  add(comment) {
    this.#waiting.set(comment.id, comment);
    while (this.#waiting.size > MOST) this.#waiting.delete(this.#waiting.keys().next().value);
    this.#draw();
  }

  /** One does not wait any more. */
  remove(id) {
    if (this.#waiting.delete(id)) this.#draw();
  }

  #draw() {
    this.element.hidden = this.#waiting.size === 0;
    this.element.replaceChildren(...[...this.#waiting.values()].map((comment) => this.#row(comment)));
  }

  #row(comment) {
    const button = (name, words, choose) => element("button", { type: "button", class: "link link--small", "data-testid": `pending-${name}`, onclick: () => choose(comment) }, words);
    return element("li", { class: "pending__one", "data-id": comment.id, "data-testid": "pending-one" },
      element("p", { class: "comment__line" }, element("span", { class: "muted" }, "Waits for a moderator: "), element("span", { dir: "auto", "data-testid": "pending-text" }, comment.text)),
      element("div", { class: "review__foot" }, button("edit", "Edit", this.#edit), button("withdraw", "Take back", this.#withdraw)));
  }
}
