/**
 * The emotes of a channel: their pictures by name, and a panel from which one goes into what is written.
 * @module emotes
 */
import { call } from "./api.js";
import { element } from "./dom.js";
import { icon } from "./icons.js";
import { at } from "./site.js";

export class Emotes {
  #channel = "";
  #changed;
  #choose;
  /** Address of the picture by name. @type {Record<string, string>} */
  pictures = {};
  button = element("button", { type: "button", class: "control control--plain", "aria-label": "Emotes", title: "Emotes", "aria-expanded": "false", "aria-controls": "emotes", "data-testid": "emotes-open", hidden: true, onclick: () => this.#show(this.panel.hidden) }, icon("laugh"));
  panel = element("div", { id: "emotes", class: "emotes", role: "group", "aria-label": "Emotes of the channel", "data-testid": "emotes", hidden: true, onkeydown: (event) => event.key === "Escape" && this.#close() });

  /** @param {{changed: () => void, choose: (text: string) => void}} page `changed`: there are pictures now; `choose`: put a text in */
  constructor({ changed, choose }) {
    this.#changed = changed;
    this.#choose = choose;
  }

  /** Those of a channel; read once. */
  async open(channel) {
    if (!channel || channel === this.#channel) return;
    this.#channel = channel;
    try {
      const { emotes = [] } = (await call(`/v1/channels/${encodeURIComponent(channel)}/emotes`)) ?? {};
      if (channel !== this.#channel) return;
      this.pictures = Object.fromEntries(emotes.map(({ name, url }) => [name, at(url)]));
      this.panel.replaceChildren(...emotes.map(({ name }) => this.#one(name)));
      this.button.hidden = emotes.length === 0;
      if (this.button.hidden) this.#show(false);
      this.#changed();
    } catch {
      this.#channel = ""; // with the next join
    }
  }

  #one(name) {
    const chosen = () => {
      this.#show(false);
      this.#choose(`:${name}:`);
    };
    return element("button", { type: "button", class: "emotes__one", title: `:${name}:`, "aria-label": name, "data-testid": "emote", onclick: chosen }, element("img", { src: this.pictures[name], alt: "", loading: "lazy" }));
  }

  #show(shown) {
    this.panel.hidden = !shown;
    this.button.setAttribute("aria-expanded", String(shown));
    if (shown) this.panel.querySelector("button")?.focus();
  }

  #close() {
    this.#show(false);
    this.button.focus();
  }
}
