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

/** Our own taps come back with the feed's bursts, within this time; what is lost on the way hides nobody else's later. */
const OWN_MS = 5_000;

/** What of the feed's bursts was tapped by others: `{kind: count}`, without our own taps, which have risen already. */
export class Taps {
  #own = []; // {kind, atMs}, the oldest first
  #now;

  constructor(now = () => performance.now()) {
    this.#now = now;
  }

  /** One tap of this visitor, which a burst will bring back. */
  mine(kind) {
    this.#own.push({ kind, atMs: this.#now() });
  }

  /** Start over (a join, another video). */
  reset() {
    this.#own = [];
  }

  /** Taps of others in a burst. @param {Record<string, number>} counts */
  take(counts = {}) {
    this.#own = this.#own.filter(({ atMs }) => this.#now() - atMs < OWN_MS);
    const fresh = {};
    for (const [kind, count] of Object.entries(counts)) {
      const others = count - this.#forget(kind, count);
      if (others > 0) fresh[kind] = others;
    }
    return fresh;
  }

  #forget(kind, most) {
    const before = this.#own.length;
    let left = most;
    this.#own = this.#own.filter((tap) => tap.kind !== kind || (left -= 1) < 0);
    return before - this.#own.length;
  }
}

/** The row of buttons. @param {(kind: string) => void} tapped */
export function reactionButtons(tapped) {
  return element("div", { class: "reactions", role: "group", "aria-label": "Reactions" },
    ...KINDS.map(([kind, iconName, words]) =>
      element("button", { type: "button", class: "reactions__one", "data-kind": kind, "data-testid": `react-${kind}`, "aria-label": words, title: words, onclick: () => tapped(kind) }, icon(iconName))));
}
