/**
 * Who this visitor is in the chat: a name and the server's guest token, kept in the browser.
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

  constructor(storage, random = Math.random) {
    this.#storage = storage;
    const stored = this.#read();
    /** The name wanted. */
    this.name = cleanName(String(stored.name ?? "")) || `Guest ${1000 + Math.floor(random() * 9000)}`;
    /** True once the visitor chose the name. */
    this.chosen = stored.chosen === true;
    /** The guest token; empty: none yet. */
    this.token = typeof stored.token === "string" ? stored.token : "";
  }

  /** Take a new name and keep it. */
  rename(name) {
    this.name = name;
    this.chosen = true;
    this.#write();
  }

  /** Keep the token (empty: forget it). */
  keepToken(token) {
    this.token = token;
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
      this.#storage.setItem(STORED_AS, JSON.stringify({ name: this.name, chosen: this.chosen, token: this.token }));
    } catch {
      // Private windows and full storage: the identity lasts as long as the page.
    }
  }
}
