/**
 * The player's own controls: buttons, seek bar, quality menu, keyboard, and what lies over the picture.
 * @module controls
 */
import { byId, element, setText } from "./dom.js";
import { clock, distance } from "./format.js";
import { setIcon } from "./icons.js";
import { mountSeekBar } from "./seekbar.js";

const IDLE_MS = 2600;
const VOLUME_STORED_AS = "logcast.volume";
/** Closer than this to where a live viewer is meant to be counts as live. */
const LIVE_TOLERANCE_S = 3;

/**
 * Wire the controls of the watch page to a player.
 * @param {import("./player.js").Player} player
 * @param {{breaks: () => object[], openChat: () => void}} options `breaks` gives the marks of the seek bar
 */
export function mountControls(player, { breaks, openChat }) {
  const stage = byId("stage");
  const video = byId("video");
  const actions = new Map(Object.entries({
    " ": () => player.togglePlay(),
    k: () => player.togglePlay(),
    m: () => toggleMute(video),
    f: () => toggleFullscreen(stage, video),
    p: () => togglePictureInPicture(video),
    l: () => player.goLive(),
    c: () => openChat(),
    "?": () => byId("shortcuts").showModal(),
    ArrowLeft: () => player.seek(video.currentTime - 5),
    ArrowRight: () => player.seek(video.currentTime + 5),
    ArrowUp: () => setVolume(video, video.volume + 0.1),
    ArrowDown: () => setVolume(video, video.volume - 0.1),
  }));

  mountPlay(player, video, stage);
  mountVolume(video);
  mountQuality(player);
  mountWindowButtons(stage, video);
  mountLive(player);
  mountSeekBar(byId("seek"), player, breaks);
  const wake = mountIdle(stage, video);
  document.addEventListener("keydown", (event) => {
    const action = isShortcut(event) && actions.get(event.key.length === 1 ? event.key.toLowerCase() : event.key);
    if (!action) return;
    event.preventDefault();
    wake();
    action();
  });
}

/** True for a key that belongs to the page and not to the field, button or dialog that has the focus. */
function isShortcut(event) {
  if (event.ctrlKey || event.metaKey || event.altKey || event.defaultPrevented) return false;
  const target = event.target;
  if (target.closest?.("textarea, select, dialog, [contenteditable], [role=menu]")) return false;
  const input = target.closest?.("input");
  if (input) return input.type === "range" && !event.key.startsWith("Arrow");
  if (event.key === " " && target.closest?.("button, a, summary")) return false;
  if (event.key.startsWith("Arrow") && target.closest?.("[data-scrolls]")) return false;
  return true;
}

function label(button, iconName, words) {
  setIcon(button, iconName);
  button.setAttribute("aria-label", words);
  button.title = words;
}

function mountPlay(player, video, stage) {
  const button = byId("play");
  const show = () => label(button, video.paused ? "play" : "pause", video.paused ? "Play (k)" : "Pause (k)");
  button.addEventListener("click", () => player.togglePlay());
  let touch = false;
  video.addEventListener("pointerdown", (event) => {
    touch = event.pointerType === "touch";
  });
  video.addEventListener("click", () => touch || player.togglePlay()); // a touch only brings the controls back
  video.addEventListener("dblclick", () => toggleFullscreen(stage, video));
  for (const event of ["play", "pause", "emptied"]) video.addEventListener(event, show);
  show();
}

function mountVolume(video) {
  const button = byId("mute");
  const slider = byId("volume");
  const unmute = byId("unmute");
  video.muted = true; // browsers only start a silent picture by themselves
  video.volume = storedVolume();
  const show = () => {
    const silent = video.muted || video.volume === 0;
    label(button, silent ? "muted" : "volume", silent ? "Unmute (m)" : "Mute (m)");
    const percent = silent ? 0 : Math.round(video.volume * 100);
    slider.value = String(percent);
    slider.style.setProperty("--filled", `${percent}%`);
    slider.setAttribute("aria-valuetext", silent ? "muted" : `${percent} percent`);
    unmute.hidden = !video.muted || video.readyState < 2;
  };
  button.addEventListener("click", () => toggleMute(video));
  unmute.addEventListener("click", () => {
    toggleMute(video);
    button.focus({ preventScroll: true }); // the pill goes away under the focus
  });
  slider.addEventListener("input", () => setVolume(video, Number(slider.value) / 100));
  video.addEventListener("volumechange", () => {
    show();
    if (!video.muted) storeVolume(video.volume);
  });
  for (const event of ["loadeddata", "emptied"]) video.addEventListener(event, show);
  show();
}

function setVolume(video, volume) {
  video.volume = Math.max(0, Math.min(1, volume));
  video.muted = video.volume === 0;
}

function toggleMute(video) {
  video.muted = !video.muted;
  if (!video.muted && video.volume === 0) video.volume = 0.5;
}

function storedVolume() {
  try {
    const stored = Number(localStorage.getItem(VOLUME_STORED_AS) ?? 1);
    return stored >= 0 && stored <= 1 ? stored : 1;
  } catch {
    return 1;
  }
}

function storeVolume(volume) {
  try {
    localStorage.setItem(VOLUME_STORED_AS, String(volume));
  } catch {
    // Storage is blocked: the volume lasts as long as the page.
  }
}

function mountQuality(player) {
  const button = byId("quality");
  const menu = byId("quality-menu");
  const open = (shown) => {
    menu.hidden = !shown;
    button.setAttribute("aria-expanded", String(shown));
    if (shown) (menu.querySelector("[aria-checked=true]") ?? menu.firstElementChild)?.focus();
  };
  const choose = (index) => {
    player.setLevel(index);
    open(false);
    button.focus();
  };
  const draw = () => {
    const levels = player.levels;
    const current = levels.find((level) => level.index === player.level);
    const words = player.automatic ? `Auto${current ? ` · ${current.label}` : ""}` : (current?.label ?? "…");
    setText(button, words);
    button.setAttribute("aria-label", `Quality: ${words}`);
    button.hidden = levels.length === 0;
    const focused = menu.contains(document.activeElement) ? document.activeElement.dataset.level : null;
    const item = (index, text, detail, checked) =>
      element("button", { type: "button", role: "menuitemradio", class: "menu__item", tabindex: "-1", "aria-checked": checked, "data-level": index, "data-testid": "quality-item", onclick: () => choose(index) },
        element("span", {}, text), element("span", { class: "menu__detail" }, detail));
    menu.replaceChildren(
      item(-1, "Auto", current && player.automatic ? `now ${current.label}` : "by bandwidth", player.automatic),
      ...levels.map((level) => item(level.index, level.label, levelDetail(level), !player.automatic && level.index === player.level)),
    );
    if (focused !== null) menu.querySelector(`[data-level="${CSS.escape(focused)}"]`)?.focus();
  };
  button.addEventListener("click", () => open(menu.hidden));
  menu.addEventListener("keydown", (event) => moveInMenu(event, menu, () => (open(false), button.focus())));
  document.addEventListener("pointerdown", ({ target }) => !menu.hidden && !menu.parentElement.contains(target) && open(false));
  player.addEventListener("levels", draw);
  player.addEventListener("state", draw);
  draw();
}

function levelDetail({ name, label: shown, bitrate }) {
  const rate = `${(bitrate / 1e6).toFixed(1)} Mbit/s`;
  return name && name !== shown ? `${name} · ${rate}` : rate;
}

function moveInMenu(event, menu, close) {
  const items = [...menu.children];
  const at = items.indexOf(document.activeElement);
  const to = { ArrowDown: at + 1, ArrowUp: at - 1, Home: 0, End: items.length - 1 }[event.key];
  if (to !== undefined) items[(to + items.length) % items.length].focus();
  else if (event.key === "Escape" || event.key === "Tab") close();
  else return;
  event.preventDefault();
  event.stopPropagation();
}

function mountWindowButtons(stage, video) {
  const fullscreen = byId("fullscreen");
  const pip = byId("pip");
  const help = byId("help");
  const show = () => {
    const full = document.fullscreenElement === stage;
    label(fullscreen, full ? "windowed" : "fullscreen", full ? "Leave full screen (f)" : "Full screen (f)");
  };
  label(pip, "pip", "Picture in picture (p)");
  label(help, "help", "Keyboard shortcuts (?)");
  pip.hidden = !document.pictureInPictureEnabled && !video.webkitSetPresentationMode;
  fullscreen.addEventListener("click", () => toggleFullscreen(stage, video));
  pip.addEventListener("click", () => togglePictureInPicture(video));
  help.addEventListener("click", () => byId("shortcuts").showModal());
  document.addEventListener("fullscreenchange", show);
  show();
}

async function toggleFullscreen(stage, video) {
  if (document.fullscreenElement) return document.exitFullscreen();
  if (stage.requestFullscreen) return stage.requestFullscreen().catch(() => undefined);
  return video.webkitEnterFullscreen?.(); // iPhone: only the video itself
}

async function togglePictureInPicture(video) {
  try {
    if (document.pictureInPictureElement) await document.exitPictureInPicture();
    else if (video.requestPictureInPicture) await video.requestPictureInPicture();
    else video.webkitSetPresentationMode?.("picture-in-picture");
  } catch {
    // Not allowed before the first frame, or by the browser's policy: the button then does nothing.
  }
}

function mountLive(player) {
  const button = byId("golive");
  const number = byId("latency-number");
  const words = byId("latency-words");
  button.addEventListener("click", () => player.goLive());
  const draw = () => {
    const behind = player.latency;
    const target = player.targetLatency ?? 3;
    const atLive = behind !== null && behind < target + LIVE_TOLERANCE_S;
    button.hidden = !player.live;
    button.dataset.live = String(atLive);
    button.disabled = atLive && !byId("video").paused;
    setText(byId("golive-text"), atLive ? "Live" : "Go live");
    setText(number, player.live ? (behind === null ? "" : distance(behind)) : place(player));
    words.hidden = !player.live || behind === null;
  };
  player.addEventListener("tick", draw);
  player.addEventListener("state", draw);
  draw();
}

function place(player) {
  const { start, end } = player.window;
  return end > start ? `${clock(player.currentTime - start)} / ${clock(end - start)}` : "";
}

/** Hide controls and pointer while nothing moves over a playing picture; returns what shows them again. */
function mountIdle(stage, video) {
  let timer = 0;
  const wake = () => {
    delete stage.dataset.idle;
    clearTimeout(timer);
    timer = setTimeout(() => {
      const busy = video.paused || stage.querySelector(".controls :focus-visible, .menu:not([hidden])");
      if (!busy) stage.dataset.idle = "";
    }, IDLE_MS);
  };
  for (const event of ["pointermove", "pointerdown", "focusin", "keydown"]) stage.addEventListener(event, wake);
  stage.addEventListener("pointerleave", ({ pointerType }) => pointerType === "mouse" && !video.paused && (stage.dataset.idle = ""));
  for (const event of ["play", "pause"]) video.addEventListener(event, wake);
  wake();
  return wake;
}
