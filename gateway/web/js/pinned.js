/**
 * The pinned comments, on top of the conversation.
 * @module pinned
 */
import { nodes, parse } from "./comment_text.js";
import { element } from "./dom.js";
import { icon } from "./icons.js";

const MOST = 3;

export class Pinned {
  #comments = new Map();
  #find;
  element = element("ul", { class: "pinned", "aria-label": "Pinned comments", "data-testid": "pinned", hidden: true });

  /** @param {(id: string) => void} find shows a comment in its place */
  constructor(find) {
    this.#find = find;
  }

  /** These are pinned, oldest first; none else. */
  set(comments) {
    this.#comments = new Map(comments.map((comment) => [comment.id, comment]));
    this.#draw();
  }

  /** Take a comment as it is now: on top while it is pinned and shown. */
  take(comment) {
    const here = comment.pinned && (comment.state ?? "shown") === "shown";
    if (!here && !this.#comments.has(comment.id)) return;
    if (here) this.#comments.set(comment.id, comment);
    else this.#comments.delete(comment.id);
    this.#draw();
  }

  /** The comment of this id, if it is pinned. */
  get(id) {
    return this.#comments.get(id);
  }

  #draw() {
    const shown = [...this.#comments.values()].slice(-MOST);
    this.element.hidden = shown.length === 0;
    this.element.replaceChildren(...shown.map(({ id, user, text }) => element("li", { class: "pinned__one", "data-id": id, "data-testid": "pinned-comment" },
      element("button", { type: "button", class: "pinned__find", "aria-label": `Pinned: ${user?.name ?? "someone"}: ${text ?? ""}`, onclick: () => this.#find(id) }, icon("pin")),
      element("p", { class: "pinned__text" }, element("b", {}, user?.name ?? "Someone"), " ", element("span", { dir: "auto" }, ...nodes(parse(text ?? ""), element))))));
  }
}
