/**
 * What this visitor likes of one video: what the server says after a join, and what was clicked since. Kept in the browser
 * as well, for when the server cannot say.
 * @module likes
 */
const KEPT = 500;
/** A click is newer than what the server says so soon after it. */
const CLICKED_MS = 10_000;

export class Likes {
  #targets = new Set();
  #clicked = new Map(); // target -> {liked, atMs}
  #now;

  /** Id of the video; null: none. */
  video = null;

  constructor(now = () => performance.now()) {
    this.#now = now;
  }

  /** Turn to another video. */
  open(video) {
    this.video = video;
    this.#clicked.clear();
    this.#targets = new Set(this.#read());
  }

  /** Whether a comment (its id) or the video (`""`) is liked. */
  has(target) {
    return this.#targets.has(target);
  }

  /** Remember a like or its end. */
  set(target, liked) {
    this.#clicked.delete(target);
    this.#clicked.set(target, { liked, atMs: this.#now() });
    if (this.#clicked.size > KEPT) this.#clicked.delete(this.#clicked.keys().next().value);
    this.#mark(target, liked);
    this.#keep();
  }

  /** Take what the server knows. @param {{liked: boolean, comments: string[]}} mine */
  take({ liked, comments }) {
    this.#targets = new Set([...(liked ? [""] : []), ...comments]);
    for (const [target, { liked: wanted, atMs }] of this.#clicked) {
      if (this.#now() - atMs < CLICKED_MS) this.#mark(target, wanted);
    }
    this.#keep();
  }

  /** Somebody else is here now, who likes nothing until the server says so. */
  forget() {
    this.#targets.clear();
    this.#clicked.clear();
    this.#keep();
  }

  #mark(target, liked) {
    if (liked) this.#targets.add(target);
    else this.#targets.delete(target);
  }

  #keep() {
    try {
      sessionStorage.setItem(this.#key(), JSON.stringify([...this.#targets].slice(-KEPT)));
    } catch {
      // Storage is blocked: the marks last as long as the page.
    }
  }

  #key() {
    return `logcast.liked.${this.video}`;
  }

  #read() {
    try {
      const stored = JSON.parse(sessionStorage.getItem(this.#key()) ?? "[]");
      return Array.isArray(stored) ? stored : [];
    } catch {
      return [];
    }
  }
}
