/**
 * Who is logged in. The access token lives in memory only; the refresh token is a cookie that no script reads, and the
 * server gives the next one with each use. A mark in the storage says whether asking for it is worth a request.
 *
 *     nobody ──logIn, register──▶ somebody ──logOut, session over──▶ nobody
 *       └────── start (cookie) ──▶   └ renews itself a minute before the token lapses
 *
 * Events: `change` (somebody else, or nobody), `renewed` (the same user, another token).
 * @module session
 */
import { call } from "./api.js";

const MARK = "logcast.session";
const BEFORE_MS = 60_000;
const AGAIN_MS = 5_000;
const RACED_MS = 500;
const RACES = 5;

/** @typedef {{id: string, login: string, name: string, colour: string, avatar: string}} Account */

export class Session extends EventTarget {
  #storage;
  #timer = 0;
  #renewing = null;
  /** Who is logged in. @type {Account|null} */
  user = null;
  /** The access token; empty: nobody is logged in. */
  token = "";

  /** @param {{getItem: Function, setItem: Function, removeItem?: Function}} storage */
  constructor(storage) {
    super();
    this.#storage = storage;
  }

  /** Come back by the cookie, if this browser was logged in; resolves in any case. */
  async start() {
    if (this.#marked()) await this.renew();
  }

  /** @throws {import("./api.js").Problem} `wrong_login`, or with the wrong fields in `errors` */
  async logIn(login, password) {
    this.#take(await post("/v1/auth/login", { login, password, cookie: true }));
  }

  /** Make an account, and log in. @param {{login: string, password: string, name?: string}} form Errors as `logIn`. */
  async register(form) {
    this.#take(await post("/v1/auth/register", { ...form, cookie: true }));
  }

  /** End the session. @throws {import("./api.js").Problem} it goes on */
  async logOut() {
    await post("/v1/auth/logout", undefined, this.token);
    this.#leave();
  }

  /** Log in at a provider: the browser goes there, and comes back to this page with the cookie. @param {string} start of `readWays` */
  leaveTo(start) {
    this.#mark(true);
    location.assign(`${start}?${new URLSearchParams({ return_to: location.pathname + location.search })}`);
  }

  /** The same user is shown otherwise now. @param {object} me the answer of `changeMe` */
  changed(me) {
    this.#take({ ...me, user: me });
  }

  /** Get another access token now; several calls at once are one. */
  renew() {
    this.#renewing ??= this.#renew().finally(() => (this.#renewing = null));
    return this.#renewing;
  }

  async #renew() {
    for (let race = 0; race < RACES; race += 1) {
      try {
        this.#take(await post("/v1/auth/refresh"));
        return;
      } catch ({ status, reason }) {
        if (reason === "refresh_raced") await new Promise((resolve) => setTimeout(resolve, RACED_MS)); // another tab has the next cookie
        else if (status === 401 || status === 403) return this.#leave();
        else break; // the server is away: the session is not over
      }
    }
    this.#renewIn(AGAIN_MS);
  }

  #take({ access_token: token, expires_in: seconds, user }) {
    const same = this.user?.id === user.id;
    this.user = user;
    this.token = token;
    this.#mark(true);
    this.#renewIn(Math.max(AGAIN_MS, seconds * 1000 - BEFORE_MS));
    this.dispatchEvent(new CustomEvent(same ? "renewed" : "change"));
  }

  #leave() {
    clearTimeout(this.#timer);
    const was = this.user;
    this.user = null;
    this.token = "";
    this.#mark(false);
    if (was) this.dispatchEvent(new CustomEvent("change"));
  }

  #renewIn(ms) {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.renew(), ms);
  }

  #marked() {
    return this.#storage.getItem(MARK) === "yes";
  }

  #mark(here) {
    try {
      this.#storage.setItem(MARK, here ? "yes" : "no");
    } catch {
      // Storage is blocked: the session lasts as long as the page.
    }
  }
}

/** The storage of this browser; one that keeps nothing where it is blocked. */
export function browserStorage() {
  try {
    return localStorage;
  } catch {
    return { getItem: () => null, setItem: () => undefined };
  }
}

/** The cookie is for `/v1/auth` of the site itself, also where the page was opened below a signed link. */
const post = (path, body, token = "") => call(path, { method: "POST", body, token, bare: true });
