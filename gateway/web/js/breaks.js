/**
 * Ad breaks by the picture's own clock: what counts is what this viewer sees, not what time it is.
 * @module breaks
 */
import { element, setText } from "./dom.js";
import { clock } from "./format.js";

const KEPT = 50;
/** A break that is this near is announced. */
const AHEAD_MS = 5000;

/**
 * The break at `programMs`.
 * @param {{id: string, startMs: number, durationMs: number}[]} breaks
 * @param {number} programMs wall clock of the picture
 * @returns {{id: string, phase: "now"|"soon", leftMs: number, share: number}|null} `share`: how much of it is over, 0 to 1
 */
export function breakAt(breaks, programMs) {
  for (const { id, startMs, durationMs } of breaks) {
    const leftMs = startMs + durationMs - programMs;
    if (startMs <= programMs && leftMs > 0) return { id, phase: "now", leftMs, share: 1 - leftMs / durationMs };
  }
  const next = breaks.filter(({ startMs }) => startMs > programMs).sort((left, right) => left.startMs - right.startMs)[0];
  if (next && next.startMs - programMs <= AHEAD_MS) return { id: next.id, phase: "soon", leftMs: next.startMs - programMs, share: 0 };
  return null;
}

/** The breaks of a video and the overlay that counts them down. */
export class AdBreaks {
  #root;
  #breaks = new Map();
  #text = element("span", { class: "break__text", "data-testid": "ad-break-text" });
  #entered;
  #current = "";

  /**
   * @param {HTMLElement} root of the overlay
   * @param {{entered: (found: {id: string, durationMs: number}) => void}} options told once as the picture enters a break
   */
  constructor(root, { entered }) {
    this.#root = root;
    this.#entered = entered;
    root.append(element("span", { class: "break__ring", "aria-hidden": "true" }), this.#text);
  }

  /** Every known break. */
  get list() {
    return [...this.#breaks.values()];
  }

  /** Forget them: another video. */
  clear() {
    this.#breaks.clear();
    this.#current = "";
    this.#root.hidden = true;
  }

  /** Take a `break` message of the feed; a later one about the same break replaces it. */
  take({ id, start_ms: startMs, duration_ms: durationMs, state }) {
    if (!id || !(durationMs > 0) || !Number.isFinite(startMs)) return;
    this.#breaks.set(id, { id, startMs, durationMs, state });
    if (this.#breaks.size > KEPT) this.#breaks.delete(this.#breaks.keys().next().value);
  }

  /** Show what belongs to the picture at `programMs` (null: the picture has no clock, so nothing is shown). */
  show(programMs) {
    const found = programMs === null ? null : breakAt(this.list, programMs);
    this.#root.hidden = found === null;
    if (!found) return;
    this.#root.dataset.phase = found.phase;
    this.#root.style.setProperty("--share", String(found.share));
    const seconds = Math.ceil(found.leftMs / 1000);
    setText(this.#text, found.phase === "now" ? `Ad break · ${clock(seconds)}` : `Ad break in ${seconds} s`);
    if (found.phase === "now" && found.id !== this.#current) {
      this.#current = found.id;
      this.#entered(this.#breaks.get(found.id));
    }
  }
}
