/**
 * The dialog of the account: log in, make an account, log out; and the button in the bar that opens it.
 * @module account
 */
import { element, setText } from "./dom.js";

/** What people read for the rules of the server; where none fits, its own sentence. */
const RULES = {
  required: "Fill this in.",
  "password.length": "8 to 256 characters.",
  "password.common": "This is easily guessed. Choose another.",
  "login.length": "2 to 32 of a–z, 0–9, - and _.",
  "login.characters": "2 to 32 of a–z, 0–9, - and _.",
  "login.taken": "Somebody has this login already.",
  "login.reserved": "This name is kept for the operator.",
};
const MODES = {
  login: { title: "Log in", send: "Log in", other: "register", words: "No account yet? Make one", fields: ["login", "password"] },
  register: { title: "Make an account", send: "Make the account", other: "login", words: "I have an account", fields: ["login", "name", "password"] },
};
const FIELDS = {
  login: { label: "Login", autocomplete: "username", maxlength: 32, autocapitalize: "none", spellcheck: "false" },
  name: { label: "Name that others see (may be left out)", autocomplete: "nickname", maxlength: 32 },
  password: { label: "Password", type: "password", maxlength: 256 },
};

export class AccountDialog {
  #session;
  #button;
  #dialog;
  #title;
  #body;
  #mode = "login";
  #fields = {};
  #note;

  /**
   * @param {{session: import("./session.js").Session, button: HTMLElement, dialog: HTMLDialogElement, title: HTMLElement, body: HTMLElement}} parts
   */
  constructor({ session, button, dialog, title, body }) {
    this.#session = session;
    this.#button = button;
    this.#dialog = dialog;
    this.#title = title;
    this.#body = body;
    button.addEventListener("click", () => this.open());
    for (const type of ["change", "renewed"]) session.addEventListener(type, () => this.#drawButton());
    this.#drawButton();
  }

  /** Show it. @param {"login"|"register"} mode of who is not logged in */
  open(mode = "login") {
    this.#mode = mode;
    this.#draw();
    this.#dialog.showModal();
    this.#body.querySelector("input, button")?.focus();
  }

  #drawButton() {
    const { user } = this.#session;
    setText(this.#button, user?.name ?? "Log in");
    this.#button.setAttribute("aria-label", user ? `Account of ${user.name}` : "Log in");
  }

  #draw() {
    this.#note = element("p", { class: "note", role: "alert", "data-testid": "account-note" });
    if (this.#session.user) this.#drawUser();
    else this.#drawForm();
  }

  #drawUser() {
    const { name, login } = this.#session.user;
    setText(this.#title, "Your account");
    this.#body.replaceChildren(
      element("p", { class: "account__who" }, "You are ", element("b", { "data-testid": "account-name" }, name), ` (${login}) here.`),
      element("button", { type: "button", class: "button button--wide", "data-testid": "log-out", onclick: () => this.#try(() => this.#session.logOut()) }, "Log out"),
      this.#note);
  }

  #drawForm() {
    const mode = MODES[this.#mode];
    setText(this.#title, mode.title);
    this.#fields = Object.fromEntries(mode.fields.map((name) => [name, this.#field(name)]));
    const other = element("button", { type: "button", class: "link link--small", "data-testid": "account-other", onclick: () => this.#turn(mode.other) }, mode.words);
    this.#body.replaceChildren(
      element("form", { class: "account", novalidate: true, onsubmit: (event) => this.#submit(event) },
        ...Object.values(this.#fields).map(({ row }) => row), this.#note,
        element("button", { class: "button button--main button--wide", "data-testid": "account-send" }, mode.send)),
      other);
  }

  #field(name) {
    const { label, ...attributes } = FIELDS[name];
    const completes = name === "password" && { autocomplete: this.#mode === "login" ? "current-password" : "new-password" };
    const wrong = element("span", { class: "field__wrong", id: `account-${name}-wrong`, "data-testid": `account-${name}-wrong` });
    const input = element("input", { ...attributes, ...completes, name, "aria-describedby": wrong.id, "data-testid": `account-${name}` });
    return { input, wrong, row: element("div", {}, element("label", { class: "field" }, element("span", {}, label), input), wrong) };
  }

  #turn(mode) {
    const login = this.#fields.login.input.value;
    this.#mode = mode;
    this.#draw();
    this.#fields.login.input.value = login;
    this.#fields.login.input.focus();
  }

  #submit(event) {
    event.preventDefault();
    const form = Object.fromEntries(Object.entries(this.#fields).map(([name, { input }]) => [name, input.value]));
    form.login = form.login.trim().toLowerCase();
    if (!form.name?.trim()) delete form.name;
    const empty = ["login", "password"].filter((name) => !form[name]);
    this.#say(empty.map((field) => ({ field, rule: "required" })));
    if (empty.length) return;
    this.#try(() => (this.#mode === "login" ? this.#session.logIn(form.login, form.password) : this.#session.register(form)));
  }

  async #try(doing) {
    const buttons = this.#body.querySelectorAll("button");
    for (const button of buttons) button.disabled = true;
    try {
      await doing();
      this.#dialog.close();
    } catch (problem) {
      this.#refused(problem);
    } finally {
      for (const button of buttons) button.disabled = false;
    }
  }

  #refused({ reason, message, errors = [] }) {
    const here = errors.filter(({ field }) => this.#fields[field]);
    const words = { wrong_login: "The login or the password is wrong.", registration_closed: "Accounts are made by the operator here." };
    this.#say(here, here.length ? "" : words[reason] ?? message);
  }

  /** Say what is wrong at the fields, and of the form as a whole; the cursor goes to the first. */
  #say(errors, all = "") {
    for (const [name, { input, wrong }] of Object.entries(this.#fields)) {
      const error = errors.find(({ field }) => field === name);
      setText(wrong, error ? RULES[`${name}.${error.rule}`] ?? RULES[error.rule] ?? error.message : "");
      if (error) input.setAttribute("aria-invalid", "true");
      else input.removeAttribute("aria-invalid");
    }
    setText(this.#note, all);
    this.#body.querySelector("[aria-invalid]")?.focus();
  }
}
