/**
 * Streamer tools: the stream key (for this tab only), checked by the server, and the ad break button.
 * @module owner
 */
import { ownsChannel, requestBreak, rotateKey } from "./api.js";
import { element, setText } from "./dom.js";
import { clock } from "./format.js";

const LENGTHS_S = [15, 30, 60, 90, 120];

/** Where the key of a channel is kept: sessionStorage, so it goes with the tab. */
const keyName = (channel) => `logcast.key.${channel}`;

/** The key kept for a channel, or "". */
export function keptKey(channel) {
  try {
    return sessionStorage.getItem(keyName(channel)) ?? "";
  } catch {
    return "";
  }
}

/** Keep the key of a channel for this tab; "" forgets it. */
export function keepKey(channel, key) {
  try {
    if (key) sessionStorage.setItem(keyName(channel), key);
    else sessionStorage.removeItem(keyName(channel));
  } catch {
    // Storage is blocked: the key is asked for again by the next page.
  }
}

/** The tools of one channel; `opened(key)` is told the checked key, and "" when it is put away. */
export class OwnerTools {
  #root;
  #channel = "";
  #key = "";
  #opened;
  #seconds = 30;
  #session;
  #owns;
  #rotations = new Map(); // by channel and user: a question that was asked stays while the rest is drawn again

  /** @param {HTMLElement} root @param {{opened?: (key: string) => void, session?: import("./session.js").Session, owns?: () => boolean}} options `owns`: whether who is logged in owns the channel */
  constructor(root, { opened = () => undefined, session = null, owns = () => false } = {}) {
    this.#root = root;
    this.#opened = opened;
    this.#session = session;
    this.#owns = owns;
    session?.addEventListener("change", () => this.#draw());
    this.#draw();
  }

  /** Somebody may do more, or less, than before. */
  redraw() {
    this.#draw();
  }

  /** What stands for the owner: the key, or who is logged in. */
  get #power() {
    return this.#key || (this.#session?.user && this.#owns() ? this.#session.token : "");
  }

  /** Turn to a channel ("" for none); a key kept for it is checked again. */
  async open(channel) {
    this.#channel = channel;
    this.#key = "";
    this.#opened("");
    this.#draw();
    const kept = channel && keptKey(channel);
    if (kept) await this.#check(kept, () => undefined);
  }

  async #check(key, refused) {
    const channel = this.#channel;
    try {
      const owns = await ownsChannel(channel, key);
      if (channel !== this.#channel) return;
      keepKey(channel, owns ? key : "");
      if (!owns) return refused("That is not the stream key of this channel.");
      this.#key = key;
      this.#opened(key);
      this.#draw();
    } catch (problem) {
      refused(problem.status === 404 ? `There is no channel “${channel}”.` : problem.message);
    }
  }

  #draw() {
    if (!this.#channel) this.#root.replaceChildren(element("p", { class: "muted" }, "Open a channel first."));
    else if (this.#power) this.#root.replaceChildren(...this.#tools(), ...this.#rotation());
    else this.#root.replaceChildren(...this.#keyForm(), ...this.#rotation());
  }

  #keyForm() {
    const input = element("input", { type: "password", class: "input", required: true, autocomplete: "off", spellcheck: "false", placeholder: "lc_…", "data-testid": "owner-key" });
    const note = element("p", { class: "note", role: "alert", "data-testid": "owner-note" });
    const button = element("button", { class: "button button--main", "data-testid": "owner-check" }, "Unlock");
    const submit = async (event) => {
      event.preventDefault();
      button.disabled = true;
      setText(note, "");
      await this.#check(input.value.trim(), (text) => setText(note, text));
      button.disabled = false;
    };
    return [
      element("p", { class: "muted" }, "For the streamer of ", element("b", {}, this.#channel), ". The stream key stays in this tab and is gone when it closes."),
      element("form", { class: "row", onsubmit: submit }, element("label", { class: "field" }, element("span", {}, "Stream key"), input), button),
      note,
    ];
  }

  #tools() {
    const note = element("p", { class: "note", role: "status", "data-testid": "cue-note" });
    const start = element("button", { type: "button", class: "button button--main button--wide", "data-testid": "cue-start" });
    const name = () => setText(start, `Start ad break · ${clock(this.#seconds)}`);
    const lengths = LENGTHS_S.map((seconds) =>
      element("label", { class: "choice" },
        element("input", { type: "radio", name: "seconds", value: seconds, checked: seconds === this.#seconds, "data-testid": `cue-${seconds}`, onchange: () => ((this.#seconds = seconds), name()) }),
        element("span", {}, `${seconds} s`)));
    start.addEventListener("click", () => this.#request(start, note));
    name();
    return [
      element("fieldset", { class: "choices" }, element("legend", {}, "Length"), ...lengths),
      start,
      note,
      ...(this.#key ? [element("button", { type: "button", class: "link link--small", "data-testid": "owner-forget", onclick: () => this.#forget() }, "Put the key away")] : []),
    ];
  }

  /** Another key, for who is logged in as an owner: asked for twice, for the old one stops working. */
  #rotation() {
    if (!this.#session?.user) return [];
    const asked = `${this.#channel}/${this.#session.user.id}`;
    if (!this.#rotations.has(asked)) this.#rotations.set(asked, this.#newRotation());
    return [this.#rotations.get(asked)];
  }

  #newRotation() {
    const note = element("p", { class: "note", role: "status", "data-testid": "rotate-note" });
    const button = element("button", { type: "button", class: "button button--wide", "data-testid": "rotate" }, "Make another key");
    let sure = false;
    button.addEventListener("click", async () => {
      if (!sure) {
        sure = true;
        setText(button, "Yes, make another key");
        setText(note, "The old key stops working at the next connection of the encoder.");
        return;
      }
      button.disabled = true;
      await this.#rotate(note);
      button.disabled = false;
    });
    return element("div", { class: "rotation" }, button, note);
  }

  async #rotate(note) {
    const channel = this.#channel;
    try {
      const key = await rotateKey(channel, this.#session.token);
      if (channel !== this.#channel) return;
      keepKey(channel, key);
      this.#key = key;
      this.#opened(key);
      this.#rotations.clear();
      this.#draw();
      setText(this.#root.querySelector("[data-testid=rotate-note]"), "There is another key. Copy it below, where it says Stream key: it is shown in this tab only.");
    } catch (problem) {
      note.dataset.wrong = "true";
      setText(note, problem.status === 403 ? "Only an owner of this channel makes another key." : problem.message);
    }
  }

  async #request(button, note) {
    button.disabled = true;
    note.dataset.wrong = "false";
    setText(note, "Asking…");
    try {
      await requestBreak(this.#channel, this.#power, this.#seconds);
      setText(note, `Taken: ${clock(this.#seconds)}, from the next segment on. Viewers see it when their picture gets there.`);
    } catch (problem) {
      note.dataset.wrong = "true";
      note.dataset.reason = problem.reason;
      setText(note, problem.status === 401 ? "The key is not valid any more. Put it away and enter the new one." : `Not taken: ${problem.message}`);
    } finally {
      button.disabled = false;
    }
  }

  #forget() {
    keepKey(this.#channel, "");
    this.#key = "";
    this.#opened("");
    this.#draw();
  }
}
