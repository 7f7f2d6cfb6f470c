/**
 * Preview thumbnails: the WebVTT of a video's sprite sheets, read when it is first wanted, and again while it grows.
 * @module thumbnails
 */
import { element } from "./dom.js";
import { at as here } from "./site.js";

/** A live video has a new thumbnail every few seconds; it is asked for no more often than this. */
const AGAIN_MS = 4000;
const CLOCK = /^(?:(\d+):)?(\d{2}):(\d{2})\.(\d{3})$/;
const FRAGMENT = /^(.*)#xywh=(\d+),(\d+),(\d+),(\d+)$/;

/**
 * The cues of a thumbnail track: `[{start, end, url, x, y, width, height}]`, times in seconds; what is no cue is left out.
 * @param {string} text
 * @param {string} base address of the track
 */
export function parseThumbnails(text, base) {
  return text.split(/\r?\n\r?\n/).flatMap((block) => {
    const lines = block.trim().split(/\r?\n/);
    const at = lines.findIndex((line) => line.includes("-->"));
    const [start, end] = (lines[at] ?? "").split("-->").map((time) => seconds(time.trim()));
    const found = FRAGMENT.exec(lines[at + 1] ?? "");
    if (!found || !(end > start)) return [];
    const [x, y, width, height] = found.slice(2).map(Number);
    return [{ start, end, url: new URL(found[1], base).href, x, y, width, height }];
  });
}

function seconds(time) {
  const found = CLOCK.exec(time);
  return found ? Number(found[1] ?? 0) * 3600 + Number(found[2]) * 60 + Number(found[3]) + Number(found[4]) / 1000 : NaN;
}

/** The cue of a time: the one it lies in, else the last one before it, else the first. */
export function cueAt(cues, time) {
  let [low, high] = [0, cues.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if (cues[middle].start <= time) low = middle + 1;
    else high = middle;
  }
  return cues[Math.max(0, low - 1)] ?? null;
}

/** The thumbnails of one video after another. */
export class Thumbnails {
  #url = "";
  #cues = [];
  #readMs = -Infinity;
  #reading = false;
  #time = null; // what is shown, or will be once the track is read
  #element = element("div", { class: "preview__picture", hidden: true, "data-testid": "thumbnail" });

  /** The element that shows one. */
  get element() {
    return this.#element;
  }

  /** Another video; its track is not read before it is wanted. */
  turnTo(videoId) {
    const url = videoId ? here(`/v1/videos/${encodeURIComponent(videoId)}/thumbnails.vtt`) : "";
    if (url === this.#url) return;
    this.#url = url;
    this.#cues = [];
    this.#readMs = -Infinity;
    this.#element.hidden = true;
  }

  /** Show the thumbnail of a media time (null: none); nothing while there is none. */
  show(time) {
    this.#time = time;
    const last = this.#cues.at(-1);
    if (time !== null && (!last || time > last.end)) this.#read();
    const cue = time === null ? null : cueAt(this.#cues, time);
    this.#element.hidden = !cue;
    if (!cue) return;
    const { style } = this.#element;
    style.width = `${cue.width}px`;
    style.height = `${cue.height}px`;
    style.backgroundImage = `url("${cue.url}")`;
    style.backgroundPosition = `-${cue.x}px -${cue.y}px`;
  }

  async #read() {
    if (!this.#url || this.#reading || performance.now() - this.#readMs < AGAIN_MS) return;
    const url = this.#url;
    this.#reading = true;
    this.#readMs = performance.now();
    try {
      const answer = await fetch(url);
      const text = answer.ok ? await answer.text() : "";
      if (url !== this.#url || !text) return;
      this.#cues = parseThumbnails(text, new URL(url, location.href));
      this.show(this.#time);
    } catch {
      // No thumbnails: the seek bar works without.
    } finally {
      this.#reading = false;
    }
  }
}
