/**
 * The seek bar: where the picture is in the window, what is buffered, where ad breaks lie, and what is where: a
 * thumbnail and its time under the pointer or finger.
 * @module seekbar
 */
import { element, setText } from "./dom.js";
import { clock, distance } from "./format.js";

/** Seconds that a key moves by. */
const KEYS = { ArrowLeft: -5, ArrowDown: -5, ArrowRight: 5, ArrowUp: 5, PageDown: -60, PageUp: 60 };

/**
 * @param {HTMLElement} root
 * @param {import("./player.js").Player} player
 * @param {{breaks: () => {startMs: number, durationMs: number}[], thumbnails: import("./thumbnails.js").Thumbnails}} options
 *   breaks by the wall clock of the media
 */
export function mountSeekBar(root, player, { breaks, thumbnails }) {
  const buffered = element("div", { class: "seek__buffered" });
  const played = element("div", { class: "seek__played" });
  const marks = element("div", { class: "seek__marks" });
  const time = element("span", { class: "preview__time", "data-testid": "preview-time" });
  const preview = element("div", { class: "preview", hidden: true, "aria-hidden": "true", "data-testid": "preview" }, thumbnails.element, time);
  const slider = element("input", { type: "range", class: "seek__input", min: 0, max: 1000, step: "any", "aria-label": "Seek", "data-testid": "seek" });
  root.append(element("div", { class: "seek__track" }, buffered, played, marks), slider, preview);
  let dragging = false;

  const draw = () => {
    const { start, end } = player.window;
    const length = end - start;
    root.hidden = length <= 0;
    if (root.hidden) return;
    const share = (seconds) => Math.max(0, Math.min(1, (seconds - start) / length));
    const at = dragging ? Number(slider.value) / 1000 : share(player.currentTime);
    if (!dragging) slider.value = String(at * 1000);
    played.style.setProperty("--to", String(at));
    buffered.style.setProperty("--to", String(share(bufferedEnd(player))));
    slider.setAttribute("aria-valuetext", words(player, at));
    drawMarks(marks, player, share, breaks());
  };
  const show = (at) => {
    const { start, end } = player.window;
    if (at === null || end <= start) {
      thumbnails.show(null);
      preview.hidden = true;
      return;
    }
    preview.hidden = false;
    setText(time, at >= 0.999 && player.live ? "Live" : placeText(player, start + at * (end - start)));
    thumbnails.show(player.mediaTimeOf(start + at * (end - start)));
    const half = preview.offsetWidth / 2;
    const left = Math.max(half, Math.min(root.clientWidth - half, at * root.clientWidth));
    preview.style.left = `${left}px`;
  };
  slider.addEventListener("input", () => {
    dragging = true;
    draw();
    show(Number(slider.value) / 1000);
  });
  slider.addEventListener("change", () => {
    const { start, end } = player.window;
    dragging = false;
    show(null);
    player.seek(start + ((end - start) * Number(slider.value)) / 1000);
  });
  slider.addEventListener("keydown", (event) => {
    const { start, end } = player.window;
    const to = { Home: start, End: end }[event.key] ?? player.currentTime + (KEYS[event.key] ?? NaN);
    if (Number.isNaN(to)) return;
    event.preventDefault();
    player.seek(to);
    draw();
  });
  root.addEventListener("pointermove", (event) => show(shareOf(root, event)));
  for (const event of ["pointerleave", "pointercancel"]) root.addEventListener(event, () => dragging || show(null));
  player.addEventListener("tick", draw);
  player.addEventListener("state", draw);
  draw();
}

/** How far along the bar a pointer is. */
function shareOf(root, { clientX }) {
  const { left, width } = root.getBoundingClientRect();
  return Math.max(0, Math.min(1, (clientX - left) / width));
}

/** A time in the window as people say it: from the start of what is over, or before live. */
function placeText(player, seconds) {
  const { start, end } = player.window;
  return player.live ? `−${clock(end - seconds)}` : clock(seconds - start);
}

function words(player, at) {
  const { start, end } = player.window;
  const length = end - start;
  const behind = length * (1 - at);
  if (player.live) return behind < 1 ? "live" : `${distance(behind)} behind live`;
  return `${clock(at * length)} of ${clock(length)}`;
}

function bufferedEnd(player) {
  const ranges = player.buffered;
  for (let index = 0; index < ranges.length; index += 1) {
    if (player.currentTime <= ranges.end(index)) return ranges.end(index);
  }
  return player.currentTime;
}

/** Breaks are known by wall clock; the picture's own clock says where that is in the media. */
function drawMarks(root, player, share, breaks) {
  const programMs = player.programMs;
  const places = programMs === null ? [] : breaks.map(({ startMs, durationMs }) => {
    const from = player.currentTime + (startMs - programMs) / 1000;
    return [share(from), share(from + durationMs / 1000)];
  }).filter(([from, to]) => to > from);
  while (root.childElementCount > places.length) root.lastElementChild.remove();
  while (root.childElementCount < places.length) root.append(element("i", { class: "seek__mark", "data-testid": "break-mark" }));
  places.forEach(([from, to], index) => {
    root.children[index].style.setProperty("--from", String(from));
    root.children[index].style.setProperty("--to", String(to));
  });
}
