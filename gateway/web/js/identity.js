/**
 * Who this visitor is in the chat: a name and the server's guest token, kept in the browser; or an account, whose access
 * token is never kept.
 * @module identity
 */
const STORED_AS = "logcast.identity";
export const NAME_LENGTH = 32;

/** A name as the server takes it: 1 to 32 characters, no control characters; empty when nothing is left. */
export function cleanName(text) {
  const visible = text.replace(/\p{Cc}/gu, "").trim();
  return [...visible].slice(0, NAME_LENGTH).join("");
}

/** The stored identity; where storage is blocked it lasts as long as the page. */
export class Identity {
  #storage;
  #guest;
  #account = "";

  constructor(storage, random = Math.random) {
    this.#storage = storage;
    const stored = this.#read();
    /** The name wanted. */
    this.name = cleanName(String(stored.name ?? "")) || `Guest ${1000 + Math.floor(random() * 9000)}`;
    /** True once the visitor chose the name. */
    this.chosen = stored.chosen === true;
    this.#guest = typeof stored.token === "string" ? stored.token : "";
  }

  /** Take a new name and keep it. */
  rename(name) {
    this.name = name;
    this.chosen = true;
    this.#write();
  }

  /** The token to join with: the account's, else the guest's; empty: none yet. */
  get token() {
    return this.#account || this.#guest;
  }

  /** Be an account from now on (empty: a guest again). */
  set account(token) {
    this.#account = token;
  }

  /** Keep the token (empty: forget it). */
  keepToken(token) {
    if (this.#account) {
      this.#account = token;
      return;
    }
    this.#guest = token;
    this.#write();
  }

  #read() {
    try {
      return JSON.parse(this.#storage.getItem(STORED_AS) ?? "{}") ?? {};
    } catch {
      return {};
    }
  }

  #write() {
    try {
      this.#storage.setItem(STORED_AS, JSON.stringify({ name: this.name, chosen: this.chosen, token: this.#guest }));
    } catch {
      // Private windows and full storage: the identity lasts as long as the page.
    }
  }
}
