/**
 * Polls above the conversation: vote, and bars that move while others do. What a visitor voted the server says after a join;
 * this browser remembers it, too.
 * @module polls
 */
import { element, setText } from "./dom.js";
import { compact } from "./format.js";
import { icon } from "./icons.js";

const MOST = 2;
/** A click is newer than what the server says so soon after it. */
const CLICKED_MS = 10_000;

/** @typedef {{id: string, question: string, options: {text: string, votes: number}[], state: "open"|"closed"}} Poll */

/** Shares of the votes in whole per cent. @param {{votes: number}[]} options */
export function shares(options) {
  const all = options.reduce((sum, { votes }) => sum + votes, 0);
  return options.map(({ votes }) => (all ? Math.round((100 * votes) / all) : 0));
}

export class Polls {
  #cards = new Map(); // id -> {row, update, chosen}
  #votes = null; // poll -> option, as the server said; null: it has not
  #vote;
  #close;
  element = element("div", { class: "polls", "data-testid": "polls", hidden: true });

  /** @param {{vote: (poll: string, option: number|null) => boolean, close: (poll: string) => void}} actions `vote`: false when it could not be sent */
  constructor({ vote, close }) {
    this.#vote = vote;
    this.#close = close;
  }

  /** Whether polls can be closed here. */
  set moderated(moderates) {
    this.element.dataset.moderated = String(moderates);
  }

  /** Take what the server knows of this visitor's votes. @param {Record<string, number>} votes */
  takeVotes(votes) {
    this.#votes = votes;
    for (const [id, card] of this.#cards) card.chosen(votes[id] ?? null);
  }

  /** Forget all: another video. */
  clear() {
    this.#votes = null;
    this.#cards.clear();
    this.#draw();
  }

  /** Take a poll as it is now. @param {Poll} poll */
  take(poll) {
    const card = this.#cards.get(poll.id) ?? this.#card(poll);
    this.#cards.set(poll.id, card);
    while (this.#cards.size > MOST) this.#cards.delete(this.#cards.keys().next().value);
    card.update(poll);
    this.#draw();
  }

  #draw() {
    const rows = [...this.#cards.values()].map(({ row }) => row);
    this.element.hidden = rows.length === 0;
    for (const row of [...this.element.children]) if (!rows.includes(row)) row.remove();
    for (const row of rows) if (!row.isConnected) this.element.append(row);
  }

  #card({ id, question, options }) {
    let mine = this.#votes === null ? remembered(id) : (this.#votes[id] ?? null);
    let shown = null;
    let clickedMs = -Infinity;
    const chosen = (option) => {
      if (performance.now() - clickedMs < CLICKED_MS) return;
      mine = option;
      remember(id, mine);
      if (shown) update(shown);
    };
    const choose = (option) => {
      const wanted = mine === option ? null : option;
      if (!this.#vote(id, wanted)) return;
      mine = wanted;
      clickedMs = performance.now();
      remember(id, mine);
      update(shown);
    };
    const rows = options.map((_, index) => this.#option(() => choose(index)));
    const state = element("span", { class: "muted", role: "status", "data-testid": "poll-state" });
    const end = element("button", { type: "button", class: "link link--small poll__end", "data-testid": "poll-close", onclick: () => this.#close(id) }, "End the poll");
    const away = element("button", { type: "button", class: "control control--plain", "aria-label": "Put the poll away", "data-testid": "poll-away", onclick: () => (this.#cards.delete(id), this.#draw()) }, icon("close"));
    const update = (poll) => {
      shown = poll;
      const open = poll.state === "open";
      const percent = shares(poll.options);
      const votes = poll.options.reduce((sum, option) => sum + option.votes, 0);
      poll.options.forEach((option, index) => rows[index].update(option, percent[index], mine === index, open));
      setText(state, open ? `${compact(votes)} vote${votes === 1 ? "" : "s"}` : `Over · ${compact(votes)} vote${votes === 1 ? "" : "s"}`);
      end.hidden = !open;
      away.hidden = open;
    };
    const row = element("section", { class: "poll", "aria-label": `Poll: ${question}`, "data-id": id, "data-testid": "poll" },
      element("div", { class: "poll__head" }, element("h3", { class: "poll__question", dir: "auto" }, question), away),
      ...rows.map((option) => option.button), element("div", { class: "poll__foot" }, state, end));
    return { row, update, chosen };
  }

  #option(choose) {
    const bar = element("span", { class: "poll__bar" });
    const text = element("span", { class: "poll__text", dir: "auto" });
    const share = element("span", { class: "poll__share", "data-testid": "poll-share" });
    const button = element("button", { type: "button", class: "poll__option", "data-testid": "poll-option", onclick: choose }, bar, text, share);
    const update = (option, percent, mine, open) => {
      bar.style.setProperty("width", `${percent}%`);
      setText(text, option.text);
      setText(share, `${percent} %`);
      button.setAttribute("aria-pressed", String(mine));
      button.disabled = !open;
    };
    return { button, update };
  }
}

const key = (poll) => `logcast.vote.${poll}`;

function remembered(poll) {
  try {
    const found = sessionStorage.getItem(key(poll));
    return found === null ? null : Number(found);
  } catch {
    return null;
  }
}

function remember(poll, option) {
  try {
    if (option === null) sessionStorage.removeItem(key(poll));
    else sessionStorage.setItem(key(poll), String(option));
  } catch {
    // Storage is blocked: the mark lasts as long as the page.
  }
}
