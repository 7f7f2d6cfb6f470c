/**
 * Which channels who is logged in follows; nobody follows none.
 *
 * Event: `change`, whenever that may have become another.
 * @module follows
 */
import { follow, readMe } from "./api.js";

/** The server was away: it is asked again then. */
const AGAIN_MS = 5000;

export class Follows extends EventTarget {
  #session;
  #followed = new Set();
  #asked = 0;

  /** @param {import("./session.js").Session} session */
  constructor(session) {
    super();
    this.#session = session;
    session.addEventListener("change", () => this.read());
  }

  /** Names of channels. */
  get all() {
    return [...this.#followed];
  }

  /** Whether a channel is followed. */
  has(channel) {
    return this.#followed.has(channel);
  }

  /** Follow a channel, or no more; it is shown at once, and taken back when the server refuses. @throws {import("./api.js").Problem} */
  async set(channel, wanted) {
    this.#mark(channel, wanted);
    try {
      await follow(channel, wanted, this.#session.token);
    } catch (problem) {
      this.#mark(channel, !wanted);
      throw problem;
    }
  }

  /** Ask the server; while it is away, what was known holds, and it is asked again. */
  async read() {
    this.#asked += 1;
    const turn = this.#asked;
    const me = this.#session.user ? await readMe(this.#session.token).catch(() => null) : { follows: [] };
    if (turn !== this.#asked) return;
    if (!me) {
      setTimeout(() => turn === this.#asked && this.read(), AGAIN_MS);
      return;
    }
    this.#followed = new Set(me.follows);
    this.dispatchEvent(new CustomEvent("change"));
  }

  #mark(channel, wanted) {
    this.#asked += 1; // an answer that is on its way is older than this
    if (wanted) this.#followed.add(channel);
    else this.#followed.delete(channel);
    this.dispatchEvent(new CustomEvent("change"));
  }
}

/**
 * The button that follows a channel.
 * @param {HTMLButtonElement} button has a child `[data-part=words]`
 * @param {{follows: Follows, session: import("./session.js").Session, channel: string, logIn: () => void}} parts
 */
export function mountFollow(button, { follows, session, channel, logIn }) {
  const words = button.querySelector("[data-part=words]");
  const draw = () => {
    const followed = follows.has(channel);
    button.hidden = !channel;
    button.setAttribute("aria-pressed", String(followed));
    button.title = followed ? `You follow ${channel}` : `Follow ${channel}`;
    words.textContent = followed ? "Following" : "Follow";
  };
  button.addEventListener("click", async () => {
    if (!session.user) return logIn();
    return follows.set(channel, !follows.has(channel)).catch((problem) => (button.title = problem.message));
  });
  follows.addEventListener("change", draw);
  draw();
}
