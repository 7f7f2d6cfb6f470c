/**
 * The player without its looks: one `<video>`, hls.js or the browser's own HLS, and recovery from everything.
 *
 *     idle ─open()─▶ starting ─first frame─▶ playing ◀──────────┐
 *                       │                       │ error, stall   │ frames again
 *                       │ 404                   ▼                │
 *                       ▼                  reconnecting ─────────┘
 *                    offline                    │ ENDLIST reached, or `finishing` and nothing more comes
 *                       (stop())                ▼
 *                                             ended
 *
 * "starting" and "reconnecting" retry by themselves, with a back-off that resets once the picture moves. "offline",
 * "ended" and "unsupported" stay until `open()`.
 *
 * Events: `state` {state}, `levels` (renditions, captions or speed: the list or what is chosen), `tick` (4 a second while a source is open).
 * @module player
 */

const HLS = "/static/vendor/hls.js-1.7.4/hls.min.mjs";
const TICK_MS = 250;
/** The picture stood still so long: say so. */
const STALL_SHOWN_MS = 2500;
/** Nothing was loaded for so long, or nothing moved for so long although something was: start over. */
const IDLE_REBUILD_MS = 12000;
const STALL_REBUILD_MS = 45000;
/** Further than this, or than another target latency, behind its place: a viewer who did not ask for it is taken there. */
const DRIFT_S = 3;
/** With less than this in the buffer nothing is caught up: the next part may be a little late. */
const CATCH_UP_BUFFER_S = 0.35;
const CATCH_UP_FROM_S = 0.1;
const CATCH_UP_RATE = 1.1;
const MEDIA_RECOVERIES = 2;
/** So far back a viewer may go in a broadcast; the server gives less where it has or allows less. */
const DVR_S = 14400;
/** A live window that begins so late in the video hides some of it. */
const PAST_S = 5;

/** hls.js as this page runs it. The target latency is the playlist's PART-HOLD-BACK: no setting of ours overrides it. */
const HLS_CONFIG = Object.freeze({
  lowLatencyMode: true,
  enableWorker: false, // fMP4 passes through unchanged: a worker would add a hop and need a blob: script
  maxLiveSyncPlaybackRate: 1, // catching up is ours (catchUpRate): hls.js does it only with a second in the buffer
  liveSyncOnStallIncrease: 0.5,
  backBufferLength: 30,
  maxBufferLength: 20,
  capLevelToPlayerSize: true,
  abrEwmaDefaultEstimate: 2_000_000,
  enableInterstitialPlayback: false,
  enableEmsgMetadataCues: false, // cues make text tracks out of data: URLs, which the page's policy refuses;
  enableDateRangeMetadataCues: false, // ad breaks come by the feed, not by EXT-X-DATERANGE
  manifestLoadPolicy: policy(10000, 1),
  playlistLoadPolicy: policy(12000, 4), // a blocking reload may take three target durations
  fragLoadPolicy: policy(12000, 4),
});

function policy(timeoutMs, retries) {
  const retry = { maxNumRetry: retries, retryDelayMs: 300, maxRetryDelayMs: 2000, backoff: "exponential" };
  return { default: { maxTimeToFirstByteMs: timeoutMs, maxLoadTimeMs: 2 * timeoutMs, timeoutRetry: retry, errorRetry: retry } };
}

/**
 * How fast to play near the live edge: a little faster while behind the target latency and something is in the buffer.
 * @param {number} behindS seconds further behind than the target latency
 * @param {number} aheadS seconds in the buffer
 * @returns {number} a playback rate from 1 to 1.1, in steps that do not change all the time
 */
export function catchUpRate(behindS, aheadS) {
  if (!(behindS > CATCH_UP_FROM_S && aheadS > CATCH_UP_BUFFER_S)) return 1;
  return Math.min(CATCH_UP_RATE, Math.ceil(1 + 10 * behindS) / 100 + 1);
}

/**
 * What to do about a fatal error of hls.js: "recover" the decoder, "wait" for a stream that is not there, or "rebuild".
 * @param {{type: string, details: string, response?: {code?: number}}} error
 * @param {number} recoveries decoder recoveries since the picture last moved well
 */
export function remedy(error, recoveries) {
  if (error.type === "mediaError" && recoveries < MEDIA_RECOVERIES) return "recover";
  if (error.details === "manifestLoadError" && error.response?.code === 404) return "wait";
  return "rebuild";
}

/** Milliseconds before attempt `attempt` (0 for the first) to open a source again. */
export function retryMs(attempt, random) {
  const cap = Math.min(8000, 400 * 2 ** Math.min(attempt, 5));
  return Math.round(cap * (0.5 + random() / 2));
}

/**
 * Seconds from the camera to this screen, by the picture's own clock (EXT-X-PROGRAM-DATE-TIME), as long as the clocks
 * agree with the playlist; else the distance to the playlist's edge. A viewer's clock that is wrong by more than
 * 5 seconds shows as a disagreement.
 * @param {number|null} programMs wall clock of the picture
 * @param {number} nowMs wall clock here
 * @param {number|null} edgeS seconds to the live edge by the playlist
 */
export function latencyOf(programMs, nowMs, edgeS) {
  const byClock = programMs === null ? null : (nowMs - programMs) / 1000;
  if (byClock === null) return edgeS;
  if (edgeS === null) return byClock >= 0 ? byClock : null;
  return byClock > 0 && Math.abs(byClock - edgeS) < 5 ? byClock : edgeS;
}

/** An address with one more parameter in its query. */
export function withParameter(url, name, value) {
  return `${url}${url.includes("?") ? "&" : "?"}${name}=${encodeURIComponent(value)}`;
}

function bufferedEnd({ buffered }) {
  return buffered.length ? buffered.end(buffered.length - 1) : 0;
}

export class Player extends EventTarget {
  #video;
  #random;
  #loadHls;
  #hls = null;
  #url = "";
  #generation = 0; // of the open source: what an earlier one still says is not heard
  #attempt = 0;
  #retryTimer = 0;
  #ticker = 0;
  #recoveries = 0;
  #movedMs = 0; // when the picture last moved
  #loadedMs = 0; // when it last moved, or anything was loaded for it
  #loaded = "";
  #lastTime = 0;
  #smoothMs = 0; // since when it has moved without a stall
  #level = -1;
  #held = false; // the viewer paused: a new source does not start to play by itself
  #shift = null; // media time of the video minus the browser's time
  #resumeS = -1; // where a source that was over begins when it is opened again another way
  #resumeMs = 0; // the same by the picture's clock, for one that goes on
  #further = false; // the playlist that reaches further back than the live window is open
  #speed = 1;

  /** @param {HTMLVideoElement} video */
  constructor(video, { random = Math.random, loadHls = async () => (await import(HLS)).default } = {}) {
    super();
    this.#video = video;
    this.#random = random;
    this.#loadHls = loadHls;
    /** "idle", "starting", "playing", "reconnecting", "offline", "ended" or "unsupported". */
    this.state = "idle";
    /** How often the picture stood still for want of data after its first frame. */
    this.stalls = 0;
    /** True while the viewer is to be kept at the live edge (not after seeking back or pausing). */
    this.following = true;
    /** Set when the stream is known to be over: what is left is played, then it is "ended". */
    this.finishing = false;
    /** True while only the sound is played. */
    this.audioOnly = false;
    /** Set while the streamer's connection is known to be broken: a standing picture is waited for, not started over. */
    this.patient = false;
    video.addEventListener("waiting", () => this.#waiting());
    video.addEventListener("ended", () => this.#settle("ended"));
    video.addEventListener("error", () => this.#hls === null && this.#url && this.#rebuild());
  }

  // -- what is shown -------------------------------------------------------------------------------------------------

  /** Seconds of media. */
  get currentTime() {
    return this.#video.currentTime;
  }

  /** The renditions, best first: `{index, label, name, height, bitrate}`; `index` is hls.js's. Empty with native HLS. */
  get levels() {
    const levels = (this.#hls?.levels ?? []).map((level, index) => {
      const name = level.name || level.url?.[0]?.split("/").at(-2) || "";
      const label = level.height ? `${level.height}p` : name || `${Math.round(level.bitrate / 1000)} kbit/s`;
      return { index, label, name, height: level.height ?? 0, bitrate: level.bitrate };
    });
    return levels.sort((left, right) => right.height - left.height || right.bitrate - left.bitrate);
  }

  /** Seconds since the start of the video (what offsets and thumbnails count) of a time of `currentTime`; null: not known. */
  mediaTimeOf(seconds) {
    if (this.#hls) return this.#shift === null ? null : seconds + this.#shift;
    return this.live ? null : seconds;
  }

  /** The captions that there are: `{index, label, language}`. */
  get captions() {
    return (this.#hls?.subtitleTracks ?? []).map(({ name, lang }, index) => ({ index, label: name || lang || `Captions ${index + 1}`, language: lang ?? "" }));
  }

  /** Index of the captions that are shown; -1: none. */
  get caption() {
    return this.#hls?.subtitleDisplay ? this.#hls.subtitleTrack : -1;
  }

  /** How fast it plays; always 1 at what is live. */
  get speed() {
    return this.#speed;
  }

  /** True where there is sound that can be played without the picture. */
  get hasSound() {
    return this.audioOnly || (this.#hls?.levels ?? []).some(({ audioCodec, height }) => audioCodec && height);
  }

  /** Index of the rendition on the screen, as in `levels`; -1: none yet. */
  get level() {
    return this.#hls?.currentLevel ?? -1;
  }

  /** True while the rendition follows the bandwidth. */
  get automatic() {
    return this.#hls?.autoLevelEnabled ?? true;
  }

  /** Wall clock of the picture in milliseconds (EXT-X-PROGRAM-DATE-TIME); null: not known. */
  get programMs() {
    if (this.#hls) return this.#hls.playingDate?.getTime() ?? null;
    const start = this.#video.getStartDate?.().getTime();
    return Number.isFinite(start) ? start + this.#video.currentTime * 1000 : null;
  }

  /** What is loaded, as the browser has it. */
  get buffered() {
    return this.#video.buffered;
  }

  /** Seconds behind live; null when the source is not live or it is not known yet. */
  get latency() {
    if (!this.live || this.#video.readyState < 2) return null;
    const edge = this.#hls ? this.#hls.latency || null : this.window.end - this.#video.currentTime;
    return latencyOf(this.programMs, Date.now(), edge);
  }

  /** Seconds behind live that the playlist asks for (PART-HOLD-BACK); null: not known. */
  get targetLatency() {
    return this.#hls?.targetLatency ?? null;
  }

  /** True while the playlist may still grow. */
  get live() {
    if (this.#hls) return this.#hls.latestLevelDetails?.live ?? false;
    return this.#video.duration === Infinity;
  }

  /** What can be seeked to, in seconds of media: `{start, end}`; `end` is the live position. */
  get window() {
    const details = this.#hls?.latestLevelDetails;
    if (details) {
      const end = details.live ? (this.#hls.liveSyncPosition ?? details.edge) : details.edge;
      return { start: details.fragmentStart ?? 0, end };
    }
    const seekable = this.#video.seekable;
    return seekable.length ? { start: seekable.start(0), end: seekable.end(seekable.length - 1) } : { start: 0, end: 0 };
  }

  // -- what is asked for -----------------------------------------------------------------------------------------------

  /** Play this multivariant playlist; the same one that is open already is left alone. */
  open(url) {
    if (url === this.#url && !["idle", "offline", "ended"].includes(this.state)) return;
    this.#url = url;
    this.#attempt = 0;
    this.following = true;
    this.finishing = this.patient = false;
    this.#held = false;
    this.audioOnly = this.#further = false;
    this.#resumeS = -1;
    this.#resumeMs = 0;
    this.setSpeed(1);
    this.#setState("starting");
    this.#start();
  }

  /** Let go of the source and show `state` ("offline" or "ended"). */
  stop(state) {
    this.#url = "";
    this.#close();
    this.#setState(state);
  }

  /** Play, or hold the picture; after a pause it goes on from there. */
  async togglePlay() {
    if (!this.#video.paused) {
      this.following = this.following && !this.live;
      this.#held = true;
      return this.#video.pause();
    }
    this.#held = false;
    return this.#play();
  }

  /** Go to the live edge and stay there. */
  goLive() {
    this.following = true;
    this.#held = false;
    const { end } = this.window;
    if (end > 0 && this.live) this.#video.currentTime = end;
    return this.#play();
  }

  /** Seek within the window; to its end means to go live. */
  seek(seconds) {
    const { start, end } = this.window;
    if (this.live && seconds >= end - 1) return this.goLive();
    this.following = !this.live;
    if (this.live && !this.#further && this.mediaTimeOf(start) > PAST_S && this.programMs !== null) return this.#goFurther(Math.max(start, seconds));
    this.#video.currentTime = Math.max(start, Math.min(end, seconds));
    return undefined;
  }

  /** Hold one rendition (its index), or -1 for automatic. */
  setLevel(index) {
    if (this.#hls) this.#hls.nextLevel = index;
    this.dispatchEvent(new Event("levels"));
  }

  /** Show captions (their index), or -1 for none. */
  setCaption(index) {
    if (!this.#hls) return;
    this.#hls.subtitleDisplay = index >= 0;
    this.#hls.subtitleTrack = index;
    this.dispatchEvent(new Event("levels"));
  }

  /** Play faster or slower; only what is over. */
  setSpeed(speed) {
    this.#speed = this.live ? 1 : speed;
    this.#video.defaultPlaybackRate = this.#video.playbackRate = this.#speed;
    this.dispatchEvent(new Event("levels"));
  }

  /** Play only the sound, or the picture again, from the same place. */
  setAudioOnly(wanted) {
    if (wanted === this.audioOnly || !this.#url) return;
    this.audioOnly = wanted;
    this.#resumeS = this.live ? -1 : this.#video.currentTime;
    this.#resumeMs = this.live && !this.following ? (this.programMs ?? 0) : 0;
    this.#setState("starting");
    this.#start();
  }

  /** Who goes back once may want to go far back: open the playlist that has the past, at the same place. */
  #goFurther(seconds) {
    this.#further = true;
    this.#resumeMs = this.programMs + (seconds - this.#video.currentTime) * 1000;
    this.#setState("starting");
    return this.#start();
  }

  // -- the source --------------------------------------------------------------------------------------------------------

  async #start() {
    this.#close();
    const generation = this.#generation;
    this.#movedMs = this.#loadedMs = performance.now();
    this.#lastTime = this.#video.currentTime;
    this.#ticker = setInterval(() => this.#tick(), TICK_MS);
    const Hls = globalThis.MediaSource || globalThis.ManagedMediaSource ? await this.#loadHls().catch(() => null) : null;
    if (generation !== this.#generation) return;
    if (Hls?.isSupported()) this.#attach(Hls, generation);
    else if (this.#video.canPlayType("application/vnd.apple.mpegurl")) this.#video.src = this.#url;
    else if (Hls === null && globalThis.MediaSource) return this.#rebuild(); // the module itself did not load
    else return this.stop("unsupported");
    return this.#held ? undefined : this.#play();
  }

  #attach(Hls, generation) {
    const hls = new Hls({ ...HLS_CONFIG, startPosition: this.#resumeS });
    this.#hls = hls;
    this.#shift = null;
    const mine = (handler) => (_, data) => generation === this.#generation && handler(data);
    const changed = mine(() => this.dispatchEvent(new Event("levels")));
    hls.on(Hls.Events.MANIFEST_PARSED, changed);
    hls.on(Hls.Events.LEVEL_SWITCHED, changed);
    hls.on(Hls.Events.LEVELS_UPDATED, changed);
    hls.on(Hls.Events.SUBTITLE_TRACKS_UPDATED, changed);
    hls.on(Hls.Events.SUBTITLE_TRACK_SWITCH, changed);
    hls.on(Hls.Events.FRAG_BUFFERED, mine(() => this.#resume()));
    hls.on(Hls.Events.INIT_PTS_FOUND, mine(({ initPTS, timescale }) => (this.#shift ??= initPTS / timescale)));
    hls.on(Hls.Events.ERROR, mine((error) => error.fatal && this.#failed(error)));
    const past = this.#further ? withParameter(this.#url, "dvr", DVR_S) : this.#url;
    hls.loadSource(this.audioOnly ? withParameter(past, "deviceType", "audio-only") : past);
    hls.attachMedia(this.#video);
  }

  /** Go to where the picture was in another form of the same live source. */
  #resume() {
    if (!this.#resumeMs) return;
    const fragments = this.#hls.latestLevelDetails?.fragments ?? [];
    const at = fragments.findLast(({ programDateTime }) => programDateTime !== null && programDateTime <= this.#resumeMs);
    const seconds = at ? at.start + Math.min(at.duration, (this.#resumeMs - at.programDateTime) / 1000) : (fragments[0]?.start ?? -1);
    this.#resumeMs = 0;
    if (seconds >= 0) this.#video.currentTime = seconds;
  }

  #close() {
    this.#generation += 1;
    clearTimeout(this.#retryTimer);
    clearInterval(this.#ticker);
    this.#hls?.destroy();
    this.#hls = null;
    if (this.#video.hasAttribute("src")) {
      this.#video.removeAttribute("src");
      this.#video.load();
    }
  }

  async #play() {
    try {
      await this.#video.play();
    } catch (error) {
      if (error.name !== "NotAllowedError" || this.#video.muted) return; // the source changed, or a tap is needed
      this.#video.muted = true;
      await this.#video.play().catch(() => undefined);
    }
  }

  // -- recovery ----------------------------------------------------------------------------------------------------------

  #failed(error) {
    switch (remedy(error, this.#recoveries)) {
      case "recover":
        this.#recoveries += 1;
        this.#hls.recoverMediaError();
        return;
      case "wait":
        this.#rebuild("starting");
        return;
      default:
        this.#rebuild();
    }
  }

  #rebuild(state = this.state === "starting" ? "starting" : "reconnecting") {
    if (this.finishing && this.state !== "starting") return this.#settle("ended");
    this.#close();
    this.#setState(state);
    this.#retryTimer = setTimeout(() => this.#start(), retryMs(this.#attempt, this.#random));
    this.#attempt += 1;
    return undefined;
  }

  #waiting() {
    if (this.state === "playing" && !this.#video.seeking && this.#video.currentTime > 0) this.stalls += 1;
  }

  #tick() {
    const now = performance.now();
    const time = this.#video.currentTime;
    const loaded = `${this.#video.readyState} ${bufferedEnd(this.#video)}`;
    if (loaded !== this.#loaded) this.#loadedMs = now;
    this.#loaded = loaded;
    if (time !== this.#lastTime || this.#video.paused) this.#moved(now, time);
    else if (this.state !== "ended") this.#stuck(now - this.#movedMs, now - this.#loadedMs);
    this.#followLive();
    this.#catchUp();
    if (this.#level !== this.level) {
      this.#level = this.level;
      this.dispatchEvent(new Event("levels"));
    }
    this.dispatchEvent(new Event("tick"));
  }

  #moved(now, time) {
    if (now - this.#movedMs > 2 * TICK_MS + 100) this.#smoothMs = now;
    this.#movedMs = this.#loadedMs = now;
    this.#lastTime = time;
    if (!this.#video.paused && this.#video.readyState >= 2 && !this.#resumeMs) this.#setState("playing");
    if (this.state === "playing" && now - this.#smoothMs > 5000) this.#attempt = this.#recoveries = 0;
  }

  #stuck(forMs, idleMs) {
    if (forMs > STALL_SHOWN_MS && this.finishing) return this.#settle("ended");
    if (forMs > STALL_SHOWN_MS && this.state === "playing") this.#setState("reconnecting");
    if (this.patient || !this.#url) return undefined;
    if (idleMs > IDLE_REBUILD_MS || forMs > STALL_REBUILD_MS) this.#rebuild();
    return undefined;
  }

  #followLive() {
    if (!this.following || !this.live || this.#video.paused || this.#video.seeking || this.state !== "playing") return;
    const behind = this.window.end - this.#video.currentTime;
    if (behind > Math.max(DRIFT_S, this.targetLatency ?? 0)) this.#video.currentTime = this.window.end;
  }

  /** Near the live edge: play a little faster until the target latency is reached. */
  #catchUp() {
    if (!this.#hls || !this.live) return;
    const steady = this.following && !this.#video.paused && !this.#video.seeking && this.state === "playing";
    const { buffered, currentTime } = this.#video;
    const aheadS = buffered.length ? buffered.end(buffered.length - 1) - currentTime : 0;
    const rate = steady ? catchUpRate(this.#hls.latency - (this.targetLatency ?? Infinity), aheadS) : 1;
    if (this.#video.playbackRate !== rate) this.#video.playbackRate = rate;
  }

  #settle(state) {
    if (!this.#url) return;
    clearTimeout(this.#retryTimer);
    this.#setState(state);
  }

  #setState(state) {
    if (state === this.state) return;
    this.state = state;
    this.dispatchEvent(new CustomEvent("state", { detail: { state } }));
  }
}
