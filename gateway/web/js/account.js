/**
 * The dialog of the account: log in, make an account, log out; and the button in the bar that opens it.
 * @module account
 */
import { FieldForm } from "./account_forms.js";
import { readWays } from "./api.js";
import { element, setText } from "./dom.js";

const MODES = {
  login: { title: "Log in", send: "Log in", other: "register", words: "No account yet? Make one", fields: ["login", "password"] },
  register: { title: "Make an account", send: "Make the account", other: "login", words: "I have an account", fields: ["login", "name", "email", "password"] },
};
const FIELDS = {
  login: { label: "Login", required: true, autocomplete: "username", maxlength: 32, autocapitalize: "none", spellcheck: "false" },
  name: { label: "Name that others see (may be left out)", autocomplete: "nickname", maxlength: 32 },
  email: { label: "E-mail, for a forgotten password (may be left out)", type: "email", autocomplete: "email", maxlength: 254 },
  password: { label: "Password", required: true, type: "password", maxlength: 256 },
};
const REFUSALS = { wrong_login: "The login or the password is wrong.", registration_closed: "Accounts are made by the operator here." };

export class AccountDialog {
  #session;
  #button;
  #dialog;
  #title;
  #body;
  #mode = "login";
  #form = null;
  #ways = null;

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

  /** How one logs in here: `{registration, oidc: {name, start}|null, mail}`; asked for once. */
  ways() {
    this.#ways ??= readWays().catch(() => {
      this.#ways = null;
      return { registration: "open", oidc: null, mail: false };
    });
    return this.#ways;
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
    if (this.#session.user) this.#drawUser();
    else this.#drawForm();
  }

  #drawUser() {
    const { name, login } = this.#session.user;
    const note = element("p", { class: "note", role: "alert", "data-testid": "account-note" });
    const leave = () => this.#session.logOut().then(() => this.#dialog.close(), ({ message }) => setText(note, message));
    setText(this.#title, "Your account");
    this.#body.replaceChildren(
      element("p", { class: "account__who" }, "You are ", element("b", { "data-testid": "account-name" }, name), ` (${login}) here.`),
      element("div", { class: "account" },
        element("a", { class: "button button--wide", href: "/account", "data-testid": "account-page" }, "Profile, password, devices"),
        element("button", { type: "button", class: "button button--wide", "data-testid": "log-out", onclick: leave }, "Log out")),
      note);
  }

  #drawForm() {
    const mode = MODES[this.#mode];
    setText(this.#title, mode.title);
    const autocomplete = this.#mode === "login" ? "current-password" : "new-password";
    const fields = Object.fromEntries(mode.fields.map((name) => [name, name === "password" ? { ...FIELDS[name], autocomplete } : FIELDS[name]]));
    this.#form = new FieldForm({ id: "account", fields, send: mode.send, submit: (values) => this.#submit(values) });
    const other = element("button", { type: "button", class: "link link--small", "data-testid": "account-other", onclick: () => this.#turn(mode.other) }, mode.words);
    const elsewhere = element("div", { class: "account__else", hidden: true });
    this.#body.replaceChildren(elsewhere, this.#form.root, other);
    this.ways().then(({ oidc, registration }) => {
      if (registration === "closed" && this.#mode === "login") other.hidden = true;
      if (!oidc) return;
      elsewhere.hidden = false;
      elsewhere.replaceChildren(
        element("button", { type: "button", class: "button button--wide", "data-testid": "log-in-elsewhere", onclick: () => this.#session.leaveTo(oidc.start) }, `Log in with ${oidc.name}`),
        element("p", { class: "muted", "aria-hidden": "true" }, "or"));
    });
  }

  #turn(mode) {
    const login = this.#form.input("login").value;
    this.#mode = mode;
    this.#draw();
    this.#form.fill({ login });
    this.#form.input("login").focus();
  }

  async #submit(values) {
    const form = { ...values, login: values.login.trim().toLowerCase() };
    for (const name of ["name", "email"]) if (!form[name]?.trim()) delete form[name];
    try {
      await (this.#mode === "login" ? this.#session.logIn(form.login, form.password) : this.#session.register(form));
    } catch (problem) {
      problem.message = REFUSALS[problem.reason] ?? problem.message;
      throw problem;
    }
    this.#dialog.close();
    return " ";
  }
}
