/**
 * The dialog in which a moderator asks the viewers something.
 * @module poll_form
 */
import { openPoll } from "./api.js";
import { element, setText } from "./dom.js";

const OPTIONS = { least: 2, most: 8, length: 80 };
const QUESTION_LENGTH = 200;
const TIMES_S = [["1 minute", 60], ["5 minutes", 300], ["until it is ended", 0]];

/** The body of `POST …/polls`, or what is wrong with what was written. */
export function pollOf(question, lines, seconds) {
  const options = lines.split("\n").map((line) => line.trim()).filter(Boolean);
  if (!question.trim()) return { wrong: "Ask something." };
  if (options.length < OPTIONS.least || options.length > OPTIONS.most) return { wrong: `${OPTIONS.least} to ${OPTIONS.most} answers, each on a line of its own.` };
  if (new Set(options).size < options.length) return { wrong: "Two answers are the same." };
  if (options.some((option) => [...option].length > OPTIONS.length)) return { wrong: `An answer has at most ${OPTIONS.length} characters.` };
  return { body: { question: question.trim(), options, ...(seconds && { seconds }) } };
}

export class PollForm {
  #feed;
  #token;
  #question = element("input", { class: "input", maxlength: QUESTION_LENGTH, "data-testid": "poll-question" });
  #lines = element("textarea", { class: "input", rows: 4, "data-testid": "poll-lines" });
  #seconds = element("select", { class: "input", "data-testid": "poll-seconds" }, ...TIMES_S.map(([words, seconds]) => element("option", { value: seconds }, words)));
  #note = element("p", { class: "note", role: "alert", "data-testid": "poll-note" });
  #send = element("button", { class: "button button--main button--wide", "data-testid": "poll-send" }, "Ask");
  #dialog;

  /** @param {{feed: import("./feed.js").Feed, token: () => string, close: Node}} page `close`: the icon of the button that closes it */
  constructor({ feed, token, close }) {
    this.#feed = feed;
    this.#token = token;
    const field = (words, input) => element("label", { class: "field" }, element("span", {}, words), input);
    this.#dialog = element("dialog", { class: "sheet", "aria-labelledby": "poll-form-title", "data-testid": "poll-form" },
      element("form", { method: "dialog", class: "sheet__head" }, element("h2", { id: "poll-form-title" }, "Ask the viewers"), element("button", { class: "control control--plain", "aria-label": "Close" }, close)),
      element("form", { class: "account", onsubmit: (event) => this.#submit(event) },
        field("Question", this.#question), field("Answers, one a line", this.#lines), field("Open for", this.#seconds), this.#note, this.#send));
    document.body.append(this.#dialog);
  }

  /** Show it. */
  open() {
    setText(this.#note, "");
    this.#dialog.showModal();
    this.#question.focus();
  }

  async #submit(event) {
    event.preventDefault();
    const { wrong, body } = pollOf(this.#question.value, this.#lines.value, Number(this.#seconds.value));
    setText(this.#note, wrong ?? "");
    if (wrong) return;
    this.#send.disabled = true;
    try {
      await openPoll(this.#feed.video, body, this.#token());
      this.#question.value = "";
      this.#lines.value = "";
      this.#dialog.close();
    } catch ({ message }) {
      setText(this.#note, message);
    } finally {
      this.#send.disabled = false;
    }
  }
}
