/**
 * The conversation of a recorded (or rewound) video at the position of the player: each comment and each burst of reactions
 * comes when its picture does, wherever the viewer seeks.
 *
 *     follow(position) ─ next to where it was ─▶ show what is due, read ahead
 *                      └ somewhere else ──────▶ read from a little before; once it is there, show what was said there instead
 *
 * Positions are wall clock of the picture (EXT-X-PROGRAM-DATE-TIME), which comments carry, too. Nothing here knows the page:
 * `read` fetches, `reset`, `show` and `burst` draw.
 * @module replay_chat
 */

/** What was said so long before is shown at once after a seek. */
export const BACK_MS = 60_000;
/** So much is read at once, and further on when less than this is left. */
export const AHEAD_MS = 45_000;
const LEFT_MS = 20_000;
/** A step of the picture forward by more than this, or back, is a seek. */
const STEP_MS = 4_000;
const BACKWARD_MS = 700;
/** Bursts that are further behind are over. */
const FRESH_MS = 6_000;
const RETRY_MS = 3_000;

/**
 * @typedef {{id: string, seq: number, at_ms: number, media_ms: number|null}} Comment
 * @typedef {{at_ms: number, reactions: Record<string, number>}} Moment
 */

/** Where in the video a comment belongs. */
export const placeOf = (comment) => comment.media_ms ?? comment.at_ms;

export class ReplayChat {
  #read;
  #reset;
  #show;
  #burst;
  #now;
  #position = null;
  #until = 0; // read so far
  #due = []; // {placeMs, comment} or {placeMs, reactions}, the next first
  #shown = new Set();
  #generation = 0;
  #reading = false;
  #fresh = false; // nothing of this place is shown yet
  #quietUntilMs = 0;

  /**
   * @param {{read: (fromMs: number, toMs: number) => Promise<{comments: Comment[], bursts: Moment[]}>, reset: () => void,
   *   show: (comment: Comment) => void, burst?: (reactions: Record<string, number>) => void, now?: () => number}} page
   */
  constructor({ read, reset, show, burst = () => {}, now = () => performance.now() }) {
    this.#read = read;
    this.#reset = reset;
    this.#show = show;
    this.#burst = burst;
    this.#now = now;
  }

  /** The picture is here now. Call it a few times a second while the video is not live. @param {number|null} positionMs */
  follow(positionMs) {
    if (positionMs === null) return;
    const step = this.#position === null ? Infinity : positionMs - this.#position;
    if (step > STEP_MS || step < -BACKWARD_MS) this.#seek(positionMs);
    this.#position = Math.max(positionMs, this.#position ?? positionMs);
    this.#showDue();
    if (this.#until - this.#position < LEFT_MS) this.#readAhead();
  }

  /** Somebody has just written: shown now if it is about the picture that is shown now. Gives whether it was. */
  take(comment) {
    if (this.#position === null || this.#fresh || this.#shown.has(comment.id)) return false;
    if (Math.abs(placeOf(comment) - this.#position) > LEFT_MS) return false;
    this.#shown.add(comment.id);
    this.#show(comment);
    return true;
  }

  /** Forget where it was: the video is live again, or another one. */
  stop() {
    this.#generation += 1;
    this.#position = null;
    this.#due = [];
    this.#shown.clear();
    this.#reading = false;
  }

  #seek(positionMs) {
    this.stop();
    this.#position = positionMs;
    this.#until = Math.max(0, positionMs - BACK_MS);
    this.#quietUntilMs = 0;
    this.#fresh = true;
  }

  async #readAhead() {
    if (this.#reading || this.#now() < this.#quietUntilMs) return;
    const [generation, fromMs, toMs] = [this.#generation, this.#until, this.#position + AHEAD_MS];
    this.#reading = true;
    try {
      const { comments, bursts } = await this.#read(Math.floor(fromMs), Math.floor(toMs));
      if (generation !== this.#generation) return;
      if (this.#fresh) this.#reset();
      this.#fresh = false;
      this.#until = Math.floor(toMs);
      this.#due.push(...comments.map((comment) => ({ placeMs: placeOf(comment), comment })), ...bursts.map(({ at_ms: placeMs, reactions }) => ({ placeMs, reactions })));
      this.#due.sort((one, other) => one.placeMs - other.placeMs || (one.comment?.seq ?? 0) - (other.comment?.seq ?? 0));
      this.#showDue();
    } catch {
      if (generation === this.#generation) this.#quietUntilMs = this.#now() + RETRY_MS;
    } finally {
      if (generation === this.#generation) this.#reading = false;
    }
  }

  #showDue() {
    while (this.#due.length && this.#due[0].placeMs <= this.#position) {
      const { placeMs, comment, reactions } = this.#due.shift();
      if (reactions) {
        if (this.#position - placeMs < FRESH_MS) this.#burst(reactions);
      } else if (!this.#shown.has(comment.id)) {
        this.#shown.add(comment.id);
        this.#show(comment);
      }
    }
  }
}
