/**
 * Reactions: a row of buttons, and what floats up when anyone taps them.
 * @module reactions
 */
import { calm, element } from "./dom.js";
import { icon } from "./icons.js";

/** The kinds that the log knows, in the order shown: [kind, icon, words]. */
export const KINDS = Object.freeze([
  ["heart", "hearts", "Heart"],
  ["clap", "clap", "Clap"],
  ["laugh", "laugh", "Laugh"],
  ["wow", "wow", "Wow"],
  ["fire", "fire", "Fire"],
]);

/** At most so many float at once, and so many more for one message, however many were tapped. */
const FLOATING = 28;
const AT_ONCE = 6;

/** What floats over the picture. */
export class Burst {
  #root;
  #random;

  constructor(root, random = Math.random) {
    this.#root = root;
    this.#random = random;
  }

  /** Let `count` of a kind rise; fewer when many are up already, none where less motion is asked for. */
  rise(kind, count) {
    const known = KINDS.find(([name]) => name === kind);
    if (!known || calm() || document.hidden) return;
    const room = FLOATING - this.#root.childElementCount;
    for (let index = 0; index < Math.min(count, AT_ONCE, room); index += 1) this.#root.append(this.#one(known, index));
  }

  #one([kind, iconName], index) {
    const one = element("span", { class: "floating", "data-kind": kind, "data-testid": "floating" }, icon(iconName));
    one.style.setProperty("--x", `${Math.round(this.#random() * 90)}px`);
    one.style.setProperty("--sway", `${Math.round(this.#random() * 50 - 25)}px`);
    one.style.setProperty("--delay", `${index * 110}ms`);
    one.style.setProperty("--size", `${Math.round(20 + this.#random() * 14)}px`);
    one.addEventListener("animationend", () => one.remove());
    return one;
  }
}

/** What of the feed's totals was tapped by others since the last ones: `{kind: count}`, without our own taps. */
export class Taps {
  #seen = null;
  #own = new Map();

  /** One tap of this visitor, which the totals will bring back. */
  mine(kind) {
    this.#own.set(kind, (this.#own.get(kind) ?? 0) + 1);
  }

  /** Start over with these totals (a join, another video). */
  reset(reactions = {}) {
    this.#seen = { ...reactions };
    this.#own.clear();
  }

  /** Taps of others between the totals before and these. */
  take(reactions = {}) {
    const fresh = {};
    for (const [kind, total] of Object.entries(reactions)) {
      const grown = Math.max(0, total - (this.#seen === null ? total : (this.#seen[kind] ?? 0)));
      const own = Math.min(grown, this.#own.get(kind) ?? 0);
      if (own) this.#own.set(kind, this.#own.get(kind) - own);
      if (grown > own) fresh[kind] = grown - own;
    }
    this.#seen = { ...this.#seen, ...reactions };
    return fresh;
  }
}

/** The row of buttons. @param {(kind: string) => void} tapped */
export function reactionButtons(tapped) {
  return element("div", { class: "reactions", role: "group", "aria-label": "Reactions" },
    ...KINDS.map(([kind, iconName, words]) =>
      element("button", { type: "button", class: "reactions__one", "data-kind": kind, "data-testid": `react-${kind}`, "aria-label": words, title: words, onclick: () => tapped(kind) }, icon(iconName))));
}
