/**
 * Says in the title of a page that nobody looks at how often its reader was spoken to meanwhile.
 * @module attention
 */
export class Attention {
  #count = 0;
  #page;

  /** @param {Document} page */
  constructor(page = document) {
    this.#page = page;
    page.addEventListener("visibilitychange", () => page.visibilityState === "visible" && this.#show(0));
  }

  /** The reader was mentioned, or answered. */
  called() {
    if (this.#page.visibilityState === "hidden") this.#show(this.#count + 1);
  }

  #show(count) {
    const plain = this.#page.title.replace(/^\(\d+\+?\) /, "");
    this.#count = count;
    this.#page.title = count ? `(${count > 99 ? "99+" : count}) ${plain}` : plain;
  }
}
