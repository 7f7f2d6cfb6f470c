/**
 * Small plots over time: one line, or one bar a minute; axes, units, and a value under the pointer, the finger or the arrow keys.
 * Colours are those of the style sheet.
 * @module plot
 */
import { element, setText } from "./dom.js";

const SVG = "http://www.w3.org/2000/svg";
const HEIGHT = 132;
const EDGE = { top: 8, right: 10, bottom: 20, left: 38 };
const TICKS = 3;
const STEPS = [1, 2, 2.5, 5, 10];
const MINUTE_MS = 60_000;

/** @typedef {{x: number, y: number}} Point `x`: wall clock in ms */

/** A round number for the top of an axis and the step of its lines. @param {boolean} whole only whole numbers */
export function niceScale(most, whole = true) {
  const rough = Math.max(most, whole ? 1 : Number.MIN_VALUE) / TICKS;
  const power = 10 ** Math.floor(Math.log10(rough));
  let step = STEPS.map((one) => one * power).find((one) => one >= rough * (1 - 1e-9)) ?? 10 * power;
  if (whole) step = Math.max(1, Math.ceil(step));
  return { step, top: step * Math.max(1, Math.ceil(most / step - 1e-9)) };
}

/** Times for the labels below a plot: round minutes, `most` of them at most. */
export function timeTicks(from, to, most = 5) {
  const steps = [1, 2, 5, 10, 15, 30, 60, 120].map((minutes) => minutes * MINUTE_MS);
  const step = steps.find((one) => (to - from) / one <= most) ?? steps.at(-1);
  const ticks = [];
  for (let at = Math.ceil(from / step) * step; at <= to; at += step) ticks.push(at);
  return ticks;
}

/** One point for each minute of a range: what `pick` gives of its row, else what `missing` makes of the value before and the time. */
export function eachMinute(rows, from, to, pick, missing = () => 0) {
  const known = new Map(rows.map((row) => [row.minute_ms, pick(row)]));
  const points = [];
  let last = rows.filter((row) => row.minute_ms < from).reduce((_, row) => pick(row), 0);
  for (let at = Math.floor(from / MINUTE_MS) * MINUTE_MS; at <= to; at += MINUTE_MS) {
    last = known.get(at) ?? missing(last, at);
    points.push({ x: at, y: last });
  }
  return points;
}

/** By how much a count that only grows has grown in each minute. */
export function growth(points) {
  return points.map(({ x, y }, index) => ({ x, y: Math.max(0, y - (points[index - 1]?.y ?? y)) }));
}

export class Plot {
  #format;
  #bars;
  #whole;
  #empty;
  #points = [];
  #range = { from: 0, to: 1 };
  #at = -1;
  #width = 0;
  #svg = shape("svg", { class: "plot__picture", "aria-hidden": "true", focusable: "false" });
  #value = element("span", { class: "plot__value" });
  #when = element("span", { class: "plot__when" });
  #title;

  /**
   * @param {{title: string, format: (y: number) => string, bars?: boolean, whole?: boolean, empty?: string, testid?: string}} options
   *   `whole`: the axis has whole numbers only; `empty`: what is said where there is nothing to draw
   */
  constructor({ title, format, bars = false, whole = true, empty = "Nothing yet", testid }) {
    this.#format = format;
    this.#bars = bars;
    this.#whole = whole;
    this.#empty = empty;
    this.#title = title;
    const stage = element("div", { class: "plot__stage", tabindex: "0", role: "img", "data-testid": testid }, this.#svg);
    this.element = element("figure", { class: `plot plot--${bars ? "bars" : "line"}` },
      element("figcaption", { class: "plot__head" }, element("span", { class: "plot__title" }, title), element("span", { class: "plot__now" }, this.#value, this.#when)), stage);
    stage.addEventListener("pointermove", (event) => this.#point(event));
    stage.addEventListener("pointerdown", (event) => this.#point(event));
    stage.addEventListener("pointerleave", () => this.#choose(-1));
    stage.addEventListener("blur", () => this.#choose(-1));
    stage.addEventListener("keydown", (event) => this.#key(event));
    new ResizeObserver(() => this.#resize(stage.clientWidth)).observe(stage);
  }

  /** Show other points, oldest first. @param {Point[]} points @param {{from: number, to: number}} range of the time axis */
  draw(points, range) {
    const chosen = this.#points[this.#at]?.x;
    this.#points = points;
    this.#range = range;
    this.#at = chosen === undefined ? -1 : points.findIndex(({ x }) => x === chosen);
    this.#redraw();
  }

  #resize(width) {
    if (width === this.#width) return;
    this.#width = width;
    this.#redraw();
  }

  #key(event) {
    const last = this.#points.length - 1;
    const from = this.#at < 0 ? last + 1 : this.#at;
    const to = { ArrowLeft: from - 1, ArrowRight: from + 1, Home: 0, End: last, Escape: -1 }[event.key];
    if (to === undefined || last < 0) return;
    event.preventDefault();
    this.#choose(event.key === "Escape" ? -1 : Math.min(last, Math.max(0, to)));
  }

  #point(event) {
    const left = this.#svg.getBoundingClientRect().left;
    const x = event.clientX - left;
    let nearest = -1;
    let best = Number.POSITIVE_INFINITY;
    this.#points.forEach((point, index) => {
      const away = Math.abs(this.#x(point.x + (this.#bars ? MINUTE_MS / 2 : 0)) - x);
      if (away < best) [best, nearest] = [away, index];
    });
    this.#choose(nearest);
  }

  #choose(index) {
    if (index === this.#at) return;
    this.#at = index;
    this.#redraw();
  }

  #x(ms) {
    const { from, to } = this.#range;
    return EDGE.left + ((ms - from) / Math.max(1, to - from)) * (this.#width - EDGE.left - EDGE.right);
  }

  #redraw() {
    const shown = this.#points[this.#at] ?? this.#newest;
    setText(this.#value, shown ? this.#format(shown.y) : "–");
    setText(this.#when, shown && this.#at >= 0 ? timeOf(shown.x) : "");
    this.element.querySelector("[role=img]").setAttribute("aria-label", this.#summary());
    if (this.#width < 60) return;
    const most = this.#points.reduce((top, { y }) => Math.max(top, y), 0);
    const { step, top } = niceScale(most, this.#whole);
    const y = (value) => EDGE.top + (1 - value / top) * (HEIGHT - EDGE.top - EDGE.bottom);
    this.#svg.setAttribute("viewBox", `0 0 ${this.#width} ${HEIGHT}`);
    this.#svg.setAttribute("height", String(HEIGHT));
    this.#svg.replaceChildren(...this.#axes(step, top, y), ...(most > 0 || !this.#bars ? this.#data(y) : []), ...this.#marker(y));
    if (!this.#points.length || (this.#bars && most === 0)) this.#svg.append(text(this.#empty, EDGE.left + (this.#width - EDGE.left - EDGE.right) / 2, HEIGHT / 2, "plot__empty"));
  }

  /** The last value that is whole: the minute that has only begun says little. */
  get #newest() {
    return (this.#bars && this.#points.at(-2)) || this.#points.at(-1);
  }

  #axes(step, top, y) {
    const drawn = [];
    for (let value = 0; value <= top * (1 + 1e-9); value += step) {
      drawn.push(shape("line", { class: value === 0 ? "plot__base" : "plot__grid", x1: EDGE.left, x2: this.#width - EDGE.right, y1: y(value), y2: y(value) }));
      drawn.push(text(this.#format(value, true), EDGE.left - 6, y(value) + 4, "plot__label plot__label--y"));
    }
    for (const at of timeTicks(this.#range.from, this.#range.to, Math.max(2, Math.floor(this.#width / 95)))) {
      const x = this.#x(at);
      if (x > EDGE.left + 12 && x < this.#width - EDGE.right - 12) drawn.push(text(timeOf(at), x, HEIGHT - 5, "plot__label"));
    }
    return drawn;
  }

  #data(y) {
    if (this.#bars) {
      const width = Math.max(1.5, (this.#x(this.#range.from + MINUTE_MS) - this.#x(this.#range.from)) * 0.72);
      return this.#points.filter((point) => point.y > 0).map((point) => {
        const middle = Math.min(this.#x(point.x + MINUTE_MS / 2), this.#width - EDGE.right - width / 2);
        return shape("rect", { class: "plot__bar", x: Math.max(EDGE.left, middle - width / 2), y: y(point.y), width, height: Math.max(1, y(0) - y(point.y)), rx: Math.min(2, width / 3) });
      });
    }
    if (!this.#points.length) return [];
    const line = this.#points.map((point, index) => `${index ? "L" : "M"}${this.#x(point.x).toFixed(1)} ${y(point.y).toFixed(1)}`).join("");
    const first = this.#x(this.#points[0].x).toFixed(1);
    const last = this.#x(this.#points.at(-1).x).toFixed(1);
    return [shape("path", { class: "plot__area", d: `${line}L${last} ${y(0)}L${first} ${y(0)}Z` }), shape("path", { class: "plot__line", d: line })];
  }

  #marker(y) {
    const point = this.#points[this.#at];
    if (!point) return [];
    const x = this.#x(point.x + (this.#bars ? MINUTE_MS / 2 : 0));
    return [shape("line", { class: "plot__rule", x1: x, x2: x, y1: EDGE.top, y2: y(0) }), shape("circle", { class: "plot__dot", cx: x, cy: y(point.y), r: 3.5 })];
  }

  #summary() {
    if (!this.#points.length) return `${this.#title}: ${this.#empty}`;
    const shown = this.#points[this.#at];
    if (shown) return `${this.#title} at ${timeOf(shown.x)}: ${this.#format(shown.y)}`;
    const most = this.#points.reduce((top, { y }) => Math.max(top, y), 0);
    return `${this.#title}: now ${this.#format(this.#newest.y)}, most ${this.#format(most)}. Arrow keys tell the values.`;
  }
}

function shape(tag, attributes) {
  const made = document.createElementNS(SVG, tag);
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, typeof value === "number" ? String(Math.round(value * 100) / 100) : value);
  return made;
}

function text(words, x, y, className) {
  const made = shape("text", { class: className, x, y });
  made.textContent = words;
  return made;
}

function timeOf(ms) {
  return new Date(ms).toLocaleTimeString([], { hour: "2-digit", minute: "2-digit" });
}
