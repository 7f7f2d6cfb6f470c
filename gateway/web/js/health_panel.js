/**
 * The health of the stream: a verdict, what to do, the figures, plots of the last ten minutes, what is made for viewers, what went wrong.
 * @module health_panel
 */
import { element, setText } from "./dom.js";
import { ago, clock } from "./format.js";
import { icon } from "./icons.js";
import { Plot } from "./plot.js";

const WINDOW_MS = 10 * 60_000;
const VERDICTS = {
  good: ["check", "Excellent", "The stream arrives as it should."],
  warning: ["warn", "Fair", "Viewers may notice this."],
  bad: ["warn", "Poor", "Viewers notice this now."],
  unknown: ["clock", "Measuring", "The first figures come in a moment."],
  offline: ["pause", "Offline", "Figures come with the stream."],
};

/** 3412000 → "3.4 Mbit/s"; `short`: for an axis. */
export function bits(bps, short = false) {
  const [value, unit] = bps >= 1e6 ? [(bps / 1e6).toFixed(bps >= 1e7 ? 0 : 1), "M"] : [Math.round(bps / 1e3), "k"];
  return short ? (bps === 0 ? "0" : `${String(value).replace(/\.0$/, "")}${unit}`) : `${value} ${unit}bit/s`;
}

/** avc1.64001f → "H.264"; what is not known stays. */
export function codec(name) {
  const known = { avc1: "H.264", avc3: "H.264", hvc1: "H.265", hev1: "H.265", av01: "AV1", mp4a: "AAC" };
  return known[name.split(".")[0]] ?? name;
}

/** Pictures a second without needless digits: 29.97, 30. */
export const rate = (fps) => String(Math.round(fps * 100) / 100);

const seconds = (ms) => `${(ms / 1000).toFixed(1).replace(/\.0$/, "")} s`;

export class HealthPanel {
  #verdict = element("p", { class: "verdict", "data-testid": "health-status" });
  #advice = element("ul", { class: "advice", "data-testid": "health-advice", "aria-label": "What to do" });
  #figures = element("dl", { class: "figures" });
  #renditions = element("div", { class: "made" });
  #errors = element("div", { class: "errors" });
  #plots = element("div", { class: "plots plots--two" });
  #bitrate = new Plot({ title: "Bitrate", format: bits, whole: false, testid: "plot-bitrate" });
  #fps = new Plot({ title: "Pictures a second", format: (y) => String(Math.round(y)), testid: "plot-fps" });

  constructor(root) {
    this.#plots.append(this.#bitrate.element, this.#fps.element);
    root.append(this.#verdict, this.#advice, this.#figures, this.#plots, this.#renditions, this.#errors);
  }

  /** Take the answer of `/v1/channels/C/health`. */
  show(health) {
    this.#showVerdict(health);
    this.#showAdvice(health.advice);
    this.#showFigures(health);
    const range = { from: health.at_ms - WINDOW_MS, to: health.at_ms };
    this.#plots.hidden = health.series.length < 2;
    this.#bitrate.draw(health.series.map((one) => ({ x: one.at_ms, y: one.video_bps + one.audio_bps })), range);
    this.#fps.draw(health.series.map((one) => ({ x: one.at_ms, y: one.frame_rate })), range);
    this.#showRenditions(health.renditions);
    this.#showErrors(health.errors, health.at_ms);
  }

  #showVerdict({ status, advice }) {
    if (this.#verdict.dataset.status !== status) {
      const [sign, word] = VERDICTS[status];
      this.#verdict.dataset.status = status;
      this.#verdict.replaceChildren(element("span", { class: "verdict__sign" }, icon(sign)), element("b", {}, word), element("span", { class: "verdict__words" }));
    }
    setText(this.#verdict.lastChild, status === "good" && advice.length ? "All is well; there is something to gain." : VERDICTS[status][2]);
  }

  #showAdvice(advice) {
    this.#advice.hidden = advice.length === 0;
    keep(this.#advice, advice, ({ code }) => code, (row, one) => {
      row.dataset.level = one.level;
      setText(row.children[0], one.title);
      setText(row.children[1], one.text);
    }, () => element("li", { class: "advice__one" }, element("b", {}), element("span", {})));
  }

  #showFigures({ ingest, renditions }) {
    this.#figures.hidden = !ingest;
    if (!ingest) return;
    const source = renditions.find(({ name }) => name === "source");
    const wanted = ingest.wanted_frame_rate;
    const figures = [
      ["Picture", ingest.width ? `${ingest.width} × ${ingest.height}` : "none", ingest.video_codecs && codec(ingest.video_codecs)],
      ["Bitrate", bits(ingest.video_bps), ingest.audio_bps ? `+ ${bits(ingest.audio_bps)} sound` : ""],
      ["Frame rate", rate(ingest.frame_rate), wanted ? `of ${rate(wanted)}` : ""],
      ["Keyframes", ingest.keyframe_ms ? `every ${seconds(ingest.keyframe_ms)}` : "–", ""],
      ["Sound", ingest.audio_codecs ? codec(ingest.audio_codecs) : "none", ingest.sample_rate ? `${ingest.sample_rate / 1000} kHz, ${ingest.channels === 1 ? "mono" : ingest.channels === 2 ? "stereo" : `${ingest.channels} channels`}` : ""],
      ["Frames lost", String(ingest.left_out), ingest.connections > 1 ? `${ingest.connections} connections` : ""],
      ["Server delay", source?.delay_ms === null || source === undefined ? "–" : source.delay_ms < 1000 ? `${source.delay_ms} ms` : seconds(source.delay_ms), "from arrival to viewers"],
      ["Connected", clock((ingest.measured_ms - ingest.connected_ms) / 1000), ingest.encoder],
    ];
    keep(this.#figures, figures, ([name]) => name, (row, [, value, more]) => {
      setText(row.children[1].children[0], value);
      setText(row.children[1].children[1], more);
    }, ([name]) => element("div", { class: "figures__one" }, element("dt", {}, name), element("dd", {}, element("span", { class: "figures__value" }), element("span", { class: "figures__more" }))));
  }

  #showRenditions(rows) {
    this.#renditions.hidden = rows.length === 0;
    if (!this.#renditions.childElementCount) {
      const head = ["Quality", "Size", "Bitrate", "Behind"].map((words) => element("th", { scope: "col" }, words));
      this.#renditions.append(element("h3", {}, "What viewers can choose"), element("table", { class: "made__table", "data-testid": "health-renditions" }, element("thead", {}, element("tr", {}, ...head)), element("tbody", {})));
    }
    keep(this.#renditions.querySelector("tbody"), rows, ({ name }) => name, (row, one) => {
      const size = one.track === "audio" ? "–" : `${one.width} × ${one.height}`;
      const late = one.behind_ms < 1000 ? "no" : seconds(one.behind_ms);
      const behind = one.left_out_now ? "left out" : late;
      [one.name === "source" ? "Original" : one.name === "audio" ? "Sound" : one.name, size, bits(one.bitrate_bps), one.gaps && !one.left_out_ms ? `${behind}, ${one.gaps} missing` : behind]
        .forEach((words, index) => setText(row.children[index], words));
      row.dataset.late = String(one.behind_ms > 4000 || one.left_out_now);
    }, () => element("tr", {}, element("th", { scope: "row" }), element("td", {}), element("td", {}), element("td", {})));
  }

  #showErrors(errors, nowMs) {
    this.#errors.hidden = errors.length === 0;
    if (!this.#errors.childElementCount) this.#errors.append(element("h3", {}, "What went wrong lately"), element("ul", { class: "errors__list", "data-testid": "health-errors" }));
    keep(this.#errors.querySelector("ul"), errors.slice(0, 5), ({ at_ms: at }) => String(at), (row, one) => {
      setText(row.children[0], `${one.text[0].toUpperCase()}${one.text.slice(1)}`);
      const when = ago(one.at_ms, nowMs);
      setText(row.children[1], when === "just now" ? when : `${when} ago`);
    }, () => element("li", {}, element("span", {}), element("span", { class: "muted" })));
  }
}

/** Rows in place: those that stay keep their nodes, so that focus, selection and screen readers are left alone. */
export function keep(list, rows, keyOf, update, make) {
  const old = new Map([...list.children].map((row) => [row.dataset.key, row]));
  rows.forEach((one, index) => {
    const key = keyOf(one);
    const row = old.get(key) ?? make(one);
    old.delete(key);
    row.dataset.key = key;
    update(row, one);
    if (list.children[index] !== row) list.insertBefore(row, list.children[index] ?? null);
  });
  for (const gone of old.values()) gone.remove();
}
