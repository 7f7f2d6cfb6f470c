/**
 * Forms that say at each field what is wrong with it: a label, its input, a hint, and a place for the error.
 * @module fields
 */
import { element, setText } from "./dom.js";

let made = 0;

/** One labelled field. */
export class Field {
  #wrong;

  /** @param {string} label @param {HTMLElement} input @param {{hint?: string, testid?: string}} more */
  constructor(label, input, { hint = "", testid = "" } = {}) {
    made += 1;
    const id = `field-${made}`;
    this.input = input;
    input.id ||= id;
    this.#wrong = element("span", { class: "field__wrong", id: `${id}-wrong`, "data-testid": testid && `${testid}-wrong` });
    const help = hint && element("span", { class: "field__hint", id: `${id}-hint` }, hint);
    input.setAttribute("aria-describedby", [help && `${id}-hint`, `${id}-wrong`].filter(Boolean).join(" "));
    if (testid) input.dataset.testid = testid;
    this.element = element("div", { class: "field" }, element("label", { for: input.id }, label), input, help || null, this.#wrong);
  }

  /** Say what is wrong with it; "": nothing. */
  say(words) {
    setText(this.#wrong, words);
    if (words) this.input.setAttribute("aria-invalid", "true");
    else this.input.removeAttribute("aria-invalid");
  }
}

/**
 * Put a problem's errors at their fields; what belongs to none is given back for the note of the form. The first one that is wrong
 * gets the focus.
 * @param {Record<string, Field>} fields by the names of the API
 * @param {import("./api.js").Problem|null} problem null: all is well
 */
export function sayErrors(fields, problem) {
  const errors = problem?.errors ?? [];
  let said = false;
  for (const [name, field] of Object.entries(fields)) {
    const error = errors.find((one) => one.field === name);
    field.say(error ? sentence(error.message) : "");
    if (error && !said) field.input.focus();
    said ||= Boolean(error);
  }
  return problem && !said ? problem.message : "";
}

function sentence(words) {
  return words ? `${words[0].toUpperCase()}${words.slice(1)}${/[.!?]$/.test(words) ? "" : "."}` : "";
}
