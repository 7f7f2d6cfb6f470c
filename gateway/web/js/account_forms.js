/**
 * A form of labelled fields that says what is wrong where it is wrong.
 * @module account_forms
 */
import { element, setText } from "./dom.js";

/** What people read for the server's rules; where none fits, the server's own sentence. */
export const RULES = {
  required: "Fill this in.",
  "password.length": "8 to 256 characters.",
  "password.common": "This is easily guessed. Choose another.",
  "password.wrong": "This is not your password.",
  "new_password.length": "8 to 256 characters.",
  "new_password.common": "This is easily guessed. Choose another.",
  "email.length": "At most 254 characters.",
  "login.length": "2 to 32 of a–z, 0–9, - and _.",
  "login.characters": "2 to 32 of a–z, 0–9, - and _.",
  "login.taken": "Somebody has this login already.",
  "login.reserved": "This name is kept for the operator.",
  "name.length": "1 to 32 characters.",
  "name.taken": "Somebody has this name, or one that looks the same.",
  "name.reserved": "This name is kept for the operator.",
  "email.form": "An address such as ann@example.org.",
  "avatar.form": "An https address.",
};

export class FieldForm {
  #fields = {};
  #note = element("p", { class: "note", role: "status" });
  #send;
  #submit;
  /** The form. @type {HTMLFormElement} */
  root;

  /**
   * @param {{id: string, fields: Record<string, object>, send: string, submit: (values: Record<string, string>) => Promise<string|void>}} parts
   *   `fields` are attributes of inputs by name, with `label` (and `hint`); `submit` gives what is said then
   */
  constructor({ id, fields, send, submit }) {
    this.#submit = submit;
    this.#note.dataset.testid = `${id}-note`;
    for (const [name, field] of Object.entries(fields)) this.#fields[name] = this.#field(id, name, field);
    this.#send = element("button", { class: "button button--main", "data-testid": `${id}-send` }, send);
    this.root = element("form", { class: "account", novalidate: true, "data-testid": `${id}-form`, onsubmit: (event) => this.#submitted(event) },
      ...Object.values(this.#fields).map(({ row }) => row), element("div", { class: "account__end" }, this.#send, this.#note));
  }

  /** The input of a field. */
  input(name) {
    return this.#fields[name].input;
  }

  /** Show a field, or not; one that is not shown is not sent. */
  show(name, shown) {
    this.#fields[name].row.hidden = !shown;
  }

  /** Fill fields in. */
  fill(values) {
    for (const [name, value] of Object.entries(values)) this.#fields[name].input.value = value;
  }

  /** Say something about the form as a whole. */
  say(text, wrong = false) {
    setText(this.#note, text);
    this.#note.dataset.wrong = String(wrong);
  }

  #field(id, name, { label, hint = "", ...attributes }) {
    const wrong = element("span", { class: "field__wrong", id: `${id}-${name}-wrong`, "data-testid": `${id}-${name}-wrong` });
    const input = element("input", { ...attributes, name, "aria-describedby": wrong.id, "data-testid": `${id}-${name}` });
    const row = element("div", { class: "account__row" },
      element("label", { class: "field" }, element("span", {}, label), input), hint && element("span", { class: "field__hint" }, hint), wrong);
    return { input, wrong, row };
  }

  async #submitted(event) {
    event.preventDefault();
    const shown = Object.entries(this.#fields).filter(([, { row }]) => !row.hidden);
    const empty = shown.filter(([, { input }]) => input.required && !input.value).map(([field]) => ({ field, rule: "required" }));
    this.say("");
    this.#wrong(empty);
    if (empty.length) return;
    this.#send.disabled = true;
    try {
      this.say((await this.#submit(Object.fromEntries(shown.map(([name, { input }]) => [name, input.value])))) || "Saved.");
    } catch (problem) {
      const here = (problem.errors ?? []).filter(({ field }) => this.#fields[field]);
      this.#wrong(here);
      if (!here.length) this.say(problem.message, true);
    } finally {
      this.#send.disabled = false;
    }
  }

  /** Say what is wrong at the fields; the cursor goes to the first. */
  #wrong(errors) {
    for (const [name, { input, wrong }] of Object.entries(this.#fields)) {
      const error = errors.find(({ field }) => field === name);
      setText(wrong, error ? RULES[`${name}.${error.rule}`] ?? RULES[error.rule] ?? error.message : "");
      if (error) input.setAttribute("aria-invalid", "true");
      else input.removeAttribute("aria-invalid");
    }
    this.root.querySelector("[aria-invalid]")?.focus();
  }
}
