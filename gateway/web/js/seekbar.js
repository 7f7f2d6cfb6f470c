/**
 * The seek bar: where the picture is in the window, what is buffered, and where ad breaks lie.
 * @module seekbar
 */
import { element } from "./dom.js";
import { clock, distance } from "./format.js";

/**
 * @param {HTMLElement} root
 * @param {import("./player.js").Player} player
 * @param {() => {startMs: number, durationMs: number}[]} breaks by the wall clock of the media
 */
export function mountSeekBar(root, player, breaks) {
  const buffered = element("div", { class: "seek__buffered" });
  const played = element("div", { class: "seek__played" });
  const marks = element("div", { class: "seek__marks" });
  const slider = element("input", { type: "range", class: "seek__input", min: 0, max: 1000, step: 1, "aria-label": "Seek", "data-testid": "seek" });
  root.append(element("div", { class: "seek__track" }, buffered, played, marks), slider);
  let dragging = false;

  const draw = () => {
    const { start, end } = player.window;
    const length = end - start;
    root.hidden = length <= 0;
    if (root.hidden) return;
    const share = (seconds) => Math.max(0, Math.min(1, (seconds - start) / length));
    const at = dragging ? Number(slider.value) / 1000 : share(player.currentTime);
    if (!dragging) slider.value = String(Math.round(at * 1000));
    played.style.setProperty("--to", String(at));
    buffered.style.setProperty("--to", String(share(bufferedEnd(player))));
    const behind = end - start - at * length;
    slider.setAttribute("aria-valuetext", player.live ? (behind < 1 ? "live" : `${distance(behind)} behind live`) : `${clock(at * length)} of ${clock(length)}`);
    drawMarks(marks, player, share, breaks());
  };
  slider.addEventListener("input", () => {
    dragging = true;
    draw();
  });
  slider.addEventListener("change", () => {
    const { start, end } = player.window;
    dragging = false;
    player.seek(start + ((end - start) * Number(slider.value)) / 1000);
  });
  player.addEventListener("tick", draw);
  player.addEventListener("state", draw);
  draw();
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
