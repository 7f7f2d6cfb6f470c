/**
 * The menu of a comment: one for the whole column, next to the button that opened it. It says whom it is about, for the
 * comments below it may move on meanwhile.
 * @module comment_menu
 */
import { element } from "./dom.js";

const ABOUT_LENGTH = 60;
const EDGE_PX = 8;

/** @typedef {{key: string, text: string, choose: () => void, grave?: boolean}} Item */

export class CommentMenu {
  #menu = element("div", { class: "comment-menu", role: "menu", "data-testid": "comment-menu", hidden: true });
  #button = null;

  constructor() {
    document.body.append(this.#menu);
    this.#menu.addEventListener("keydown", (event) => this.#keyed(event));
    document.addEventListener("pointerdown", ({ target }) => this.#menu.contains(target) || this.#button?.contains(target) || this.close());
    addEventListener("resize", () => this.close());
  }

  /** Open it for a comment, or close it where it is open for this one. @param {Item[]} items */
  toggle(button, comment, items) {
    const open = this.#button === button;
    this.close();
    if (open || !items.length) return;
    this.#button = button;
    button.setAttribute("aria-expanded", "true");
    const name = comment.user?.name ?? "someone";
    this.#menu.setAttribute("aria-label", `Comment of ${name}`);
    const about = element("p", { class: "comment-menu__about", role: "presentation" }, element("b", {}, name), ` ${[...(comment.text ?? "")].slice(0, ABOUT_LENGTH).join("")}`);
    this.#menu.replaceChildren(about, ...items.map((item) => this.#item(item)));
    this.#menu.hidden = false;
    this.#place(button.getBoundingClientRect());
    this.#items()[0].focus();
  }

  /** Close it. @param {boolean} back whether the focus returns to the button */
  close(back = false) {
    const button = this.#button;
    this.#button = null;
    this.#menu.hidden = true;
    button?.setAttribute("aria-expanded", "false");
    if (back && button?.isConnected) button.focus();
  }

  #items() {
    return [...this.#menu.querySelectorAll("[role=menuitem]")];
  }

  #item({ key, text, choose, grave = false }) {
    const chosen = () => {
      this.close(true);
      choose();
    };
    return element("button", { type: "button", role: "menuitem", tabindex: "-1", class: `comment-menu__item${grave ? " comment-menu__item--grave" : ""}`, "data-key": key, "data-testid": `menu-${key}`, onclick: chosen }, text);
  }

  #place({ top, bottom, right }) {
    const { offsetHeight: height, offsetWidth: width } = this.#menu;
    const below = bottom + height + EDGE_PX <= innerHeight;
    this.#menu.style.setProperty("top", `${Math.max(EDGE_PX, below ? bottom : top - height)}px`);
    this.#menu.style.setProperty("left", `${Math.max(EDGE_PX, Math.min(right, innerWidth - EDGE_PX) - width)}px`);
  }

  #keyed(event) {
    const items = this.#items();
    const at = items.indexOf(document.activeElement);
    const to = { ArrowDown: at + 1, ArrowUp: at - 1, Home: 0, End: items.length - 1 }[event.key];
    if (to !== undefined) items[(to + items.length) % items.length].focus();
    else if (event.key === "Escape" || event.key === "Tab") this.close(true);
    else return;
    event.preventDefault();
    event.stopPropagation();
  }
}
