/**
 * The player's own controls: buttons, seek bar, quality menu, keyboard, and what lies over the picture.
 * @module controls
 */
import { byId, setText } from "./dom.js";
import { clock, distance } from "./format.js";
import { setIcon } from "./icons.js";
import { mountMenu } from "./menu.js";
import { mountSeekBar } from "./seekbar.js";

const IDLE_MS = 2600;
const VOLUME_STORED_AS = "logcast.volume";
const CAPTIONS_STORED_AS = "logcast.captions";
const SPEEDS = [0.5, 0.75, 1, 1.25, 1.5, 1.75, 2];
/** Closer than this to where a live viewer is meant to be counts as live. */
const LIVE_TOLERANCE_S = 3;

/**
 * Wire the controls of the watch page to a player.
 * @param {import("./player.js").Player} player
 * @param {{breaks: () => object[], thumbnails: import("./thumbnails.js").Thumbnails, openChat: () => void}} options
 *   `breaks` gives the marks of the seek bar
 */
export function mountControls(player, { breaks, thumbnails, openChat }) {
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
  mountCaptions(player);
  mountSpeed(player);
  mountWindowButtons(stage, video);
  mountLive(player);
  mountSeekBar(byId("seek"), player, { breaks, thumbnails });
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
  if (target.closest?.("textarea, select, dialog[open], [contenteditable], [role=menu]")) return false;
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
    if (!video.muted) keep(VOLUME_STORED_AS, String(video.volume));
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
  const stored = Number(kept(VOLUME_STORED_AS) ?? 1);
  return stored >= 0 && stored <= 1 ? stored : 1;
}

function kept(name) {
  try {
    return localStorage.getItem(name);
  } catch {
    return null;
  }
}

function keep(name, value) {
  try {
    localStorage.setItem(name, value);
  } catch {
    // Storage is blocked: the choice lasts as long as the page.
  }
}

function mountQuality(player) {
  const button = byId("quality");
  const draw = mountMenu(button, byId("quality-menu"), () => {
    const levels = player.levels.filter(({ height }) => height > 0);
    const current = levels.find((level) => level.index === player.level);
    const automatic = player.automatic && !player.audioOnly;
    const words = player.audioOnly ? "Sound" : automatic ? `Auto${current ? ` · ${current.label}` : ""}` : (current?.label ?? "…");
    const choose = (index) => () => (player.setAudioOnly(false), player.setLevel(index));
    const items = [
      { key: "-1", text: "Auto", detail: current && automatic ? `now ${current.label}` : "by bandwidth", checked: automatic, choose: choose(-1) },
      ...levels.map((level) => ({ key: String(level.index), text: level.label, detail: levelDetail(level), checked: !player.automatic && !player.audioOnly && level.index === player.level, choose: choose(level.index) })),
    ];
    if (player.hasSound) items.push({ key: "sound", text: "Sound only", detail: "no picture", checked: player.audioOnly, choose: () => player.setAudioOnly(true) });
    return { words, label: `Quality: ${words}`, items: levels.length || player.audioOnly ? items : [] };
  });
  player.addEventListener("levels", draw);
  player.addEventListener("state", draw);
}

function levelDetail({ name, label: shown, bitrate }) {
  const rate = `${(bitrate / 1e6).toFixed(1)} Mbit/s`;
  return name && name !== shown ? `${name} · ${rate}` : rate;
}

function mountCaptions(player) {
  const button = byId("captions");
  setIcon(button, "captions");
  const choose = (index) => () => {
    player.setCaption(index);
    keep(CAPTIONS_STORED_AS, player.captions[index]?.language ?? "");
  };
  const draw = mountMenu(button, byId("captions-menu"), () => {
    const tracks = player.captions;
    const shown = tracks.find(({ index }) => index === player.caption);
    button.setAttribute("aria-pressed", String(Boolean(shown)));
    const items = tracks.map(({ index, label: text, language }) => ({ key: String(index), text, detail: language, checked: index === player.caption, choose: choose(index) }));
    if (items.length) items.unshift({ key: "-1", text: "Off", checked: !shown, choose: choose(-1) });
    return { words: null, label: `Captions: ${shown?.label ?? "off"}`, items };
  });
  let wished = false;
  player.addEventListener("levels", () => {
    const language = kept(CAPTIONS_STORED_AS);
    const track = language && !wished && player.captions.find((one) => one.language === language);
    if (track) {
      wished = true;
      player.setCaption(track.index);
    }
    draw();
  });
  player.addEventListener("state", () => {
    if (player.state === "starting") wished = false;
    draw();
  });
}

function mountSpeed(player) {
  const draw = mountMenu(byId("speed"), byId("speed-menu"), () => ({
    words: `${player.speed}×`,
    label: `Speed: ${player.speed}×`,
    items: player.live || player.window.end <= 0 ? [] : SPEEDS.map((speed) => ({ key: String(speed), text: speed === 1 ? "Normal" : `${speed}×`, checked: player.speed === speed, choose: () => player.setSpeed(speed) })),
  }));
  player.addEventListener("levels", draw);
  player.addEventListener("state", draw);
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
    const far = behind !== null && !atLive;
    setText(byId("golive-text"), far ? `Live −${clock(behind)}` : "Live");
    button.setAttribute("aria-label", far ? `Go live, now ${clock(behind)} behind` : atLive ? "Live" : "Go live");
    setText(number, player.live ? (behind === null || far ? "" : distance(behind)) : place(player));
    words.hidden = !player.live || behind === null || far;
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
