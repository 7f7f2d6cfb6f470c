/**
 * What this visitor likes of one video, kept in the browser: the feed tells totals, not whose they are.
 * @module likes
 */
const KEPT = 500;

export class Likes {
  #targets = new Set();

  /** Id of the video; null: none. */
  video = null;

  /** Turn to another video. */
  open(video) {
    this.video = video;
    this.#targets = new Set(this.#read());
  }

  /** Whether a comment (its id) or the video (`""`) is liked. */
  has(target) {
    return this.#targets.has(target);
  }

  /** Remember a like or its end. */
  set(target, liked) {
    if (liked) this.#targets.add(target);
    else this.#targets.delete(target);
    if (this.#targets.size > KEPT) this.#targets.delete([...this.#targets].find((kept) => kept !== ""));
    try {
      sessionStorage.setItem(this.#key(), JSON.stringify([...this.#targets]));
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
