/**
 * Moderating from the studio: comments that wait, what was done lately with undo, and the rules.
 *
 * Keys in the queue: arrow keys (or J, K) go through it, A approves, D declines.
 * @module moderation_panel
 */
import { moderate, readActs, readReview, takeBack } from "./api.js";
import { element, setText } from "./dom.js";
import { ago } from "./format.js";
import { keep } from "./health_panel.js";
import { RulesForm } from "./rules_form.js";

const TABS = { queue: "Waiting", acts: "Recent", rules: "Rules" };
const WHY = { first_message: "first comment", links: "has a link", blocked_word: "has a word to look at", classifier: "held by the classifier" };
const ACTS = {
  hide: "hid a comment", show: "showed a comment again", pin: "pinned a comment", unpin: "unpinned a comment", approve: "approved a comment", decline: "declined a comment",
  timeout: "timed somebody out", untimeout: "ended a timeout", ban: "banned somebody", unban: "lifted a ban", hide_user: "removed everything by somebody",
  show_user: "showed somebody's comments again", ban_address: "banned an address", unban_address: "lifted a ban of an address", rules: "changed the rules",
};
const READ_ACTS = 30;

export class ModerationPanel {
  #token;
  #channel = "";
  #tab = "queue";
  #tabs = {};
  #panels = {};
  #held = element("ul", { class: "queue", "data-testid": "queue", "aria-label": "Comments that wait" });
  #empty = element("p", { class: "muted empty-line", "data-testid": "queue-empty" }, "Nothing waits. Comments that the rules hold come here.");
  #acts = element("ul", { class: "acts", "data-testid": "acts", "aria-label": "What was done" });
  #note = element("p", { class: "note", role: "status", "data-testid": "moderation-note" });
  #rules;
  #gone = new Set(); // decided here, and perhaps not yet by the queue of the server
  #undone = new Set();

  /** @param {HTMLElement} root @param {{token: () => string}} options */
  constructor(root, { token }) {
    this.#token = token;
    const list = element("div", { class: "tabs", role: "tablist", "aria-label": "Moderation" });
    for (const [name, words] of Object.entries(TABS)) {
      this.#tabs[name] = element("button", { type: "button", role: "tab", id: `tab-${name}`, class: "tab", "aria-controls": `panel-${name}`, "data-testid": `tab-${name}`, onclick: () => this.#turn(name) }, words);
      this.#panels[name] = element("div", { role: "tabpanel", id: `panel-${name}`, class: "tabpanel", "aria-labelledby": `tab-${name}` });
    }
    list.append(...Object.values(this.#tabs));
    list.addEventListener("keydown", (event) => this.#keyOnTabs(event));
    this.#panels.queue.append(this.#empty, this.#held, element("p", { class: "field__hint queue__keys" }, element("kbd", {}, "↑"), element("kbd", {}, "↓"), " go through, ", element("kbd", {}, "A"), " approves, ", element("kbd", {}, "D"), " declines"));
    this.#panels.acts.append(this.#acts);
    this.#rules = new RulesForm(this.#panels.rules, { token });
    this.#held.addEventListener("keydown", (event) => this.#keyInQueue(event));
    root.append(list, ...Object.values(this.#panels), this.#note);
    this.#draw();
  }

  /** Turn to a channel. */
  open(channel) {
    this.#channel = channel;
    this.#gone.clear();
    this.#undone.clear();
    this.#held.replaceChildren();
    this.#acts.replaceChildren();
    this.#say("");
    this.#rules.open(channel);
  }

  /** Read what is shown; called every few seconds. */
  async refresh() {
    const channel = this.#channel;
    const [review, acts] = await Promise.allSettled([readReview(channel, this.#token()), this.#tab === "acts" ? readActs(channel, READ_ACTS, this.#token()) : null]);
    if (channel !== this.#channel) return;
    if (review.status === "fulfilled") this.#showHeld(review.value);
    if (acts.status === "fulfilled" && acts.value) this.#showActs(acts.value);
    else if (acts.status === "rejected") this.#say(acts.reason.message, true);
  }

  #turn(name) {
    this.#tab = name;
    this.#draw();
    if (name === "acts") this.refresh();
  }

  #draw() {
    for (const [name, tab] of Object.entries(this.#tabs)) {
      tab.setAttribute("aria-selected", String(name === this.#tab));
      tab.tabIndex = name === this.#tab ? 0 : -1;
      this.#panels[name].hidden = name !== this.#tab;
    }
  }

  #keyOnTabs(event) {
    const names = Object.keys(TABS);
    const step = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
    if (!step) return;
    event.preventDefault();
    this.#turn(names[(names.indexOf(this.#tab) + step + names.length) % names.length]);
    this.#tabs[this.#tab].focus();
  }

  #showHeld({ held, waiting }) {
    const shown = held.filter(({ id }) => !this.#gone.has(id));
    const left = Math.max(0, waiting - (held.length - shown.length));
    setText(this.#tabs.queue, left ? `${TABS.queue} (${left})` : TABS.queue);
    this.#empty.hidden = shown.length > 0;
    this.#panels.queue.querySelector(".queue__keys").hidden = shown.length === 0;
    keep(this.#held, shown, ({ id }) => id, (row, one) => setText(row.querySelector("time"), ago(one.at_ms, Date.now())), (one) => this.#heldRow(one));
  }

  #heldRow(held) {
    const button = (kind, words, main) => element("button", { type: "button", class: `button ${main ? "button--main" : ""} button--small`, "data-testid": kind, "aria-label": `${words} the comment of ${held.user.name}`, onclick: (event) => this.#decide(kind, held, event.currentTarget.closest("li")) }, words);
    const row = element("li", { class: "queue__one", tabindex: "0", "data-testid": "held" },
      element("div", { class: "queue__text" },
        element("p", { class: "queue__who" }, element("b", {}, held.user.name), element("span", { class: "muted" }, ` ${WHY[held.reason] ?? held.reason} · `), element("time", { class: "muted" })),
        element("p", { dir: "auto", "data-testid": "held-text" }, held.text)),
      element("div", { class: "queue__do" }, button("approve", "Approve", true), button("decline", "Decline", false)));
    row.decide = (kind) => this.#decide(kind, held, row);
    return row;
  }

  #keyInQueue(event) {
    const row = event.target.closest("li");
    if (!row || event.ctrlKey || event.metaKey || event.altKey) return;
    const key = event.key.length === 1 ? event.key.toLowerCase() : event.key;
    const next = { ArrowDown: row.nextElementSibling, j: row.nextElementSibling, ArrowUp: row.previousElementSibling, k: row.previousElementSibling };
    const decide = { a: "approve", d: "decline" }[key];
    if (!(key in next) && !decide) return;
    event.preventDefault();
    if (decide) row.decide(decide);
    else next[key]?.focus();
  }

  async #decide(kind, held, row) {
    if (row.dataset.busy) return;
    row.dataset.busy = "yes";
    const next = row.nextElementSibling ?? row.previousElementSibling;
    try {
      const act = await moderate(this.#channel, { kind, video_id: held.video_id, comment_id: held.id }, this.#token());
      this.#gone.add(held.id);
      const focused = row.contains(document.activeElement);
      row.remove();
      if (focused) (next ?? this.#tabs.queue).focus();
      this.#empty.hidden = this.#held.childElementCount > 0;
      this.#say(kind === "approve" ? `The comment of ${held.user.name} is shown.` : `The comment of ${held.user.name} is declined.`, false, () => this.#undo(act.act_id, held.id));
    } catch (problem) {
      delete row.dataset.busy;
      this.#say(problem.message, true);
    }
  }

  #showActs({ acts }) {
    const undoes = new Set(acts.map((act) => act.undoes).filter(Boolean));
    keep(this.#acts, acts, ({ act_id: id }) => id, (row, act) => {
      const back = undoes.has(act.act_id) || this.#undone.has(act.act_id);
      setText(row.querySelector("time"), ago(act.at_ms, Date.now()));
      setText(row.querySelector("[data-part=state]"), back ? "taken back" : "");
      row.querySelector("button").hidden = back;
    }, (act) => this.#actRow(act));
    if (!acts.length) this.#acts.replaceChildren(element("li", { class: "muted", "data-key": "none" }, "Nothing was done yet."));
  }

  #actRow(act) {
    const words = act.undoes ? `took back: ${ACTS[act.kind] ?? act.kind}` : ACTS[act.kind] ?? act.kind;
    return element("li", { class: "acts__one", "data-testid": "act" },
      element("p", {}, element("b", {}, act.by_name || act.by), ` ${words}`, act.reason ? element("span", { class: "muted" }, ` · ${act.reason}`) : null),
      element("p", { class: "acts__foot" }, element("time", { class: "muted" }), element("span", { class: "muted", "data-part": "state" }),
        element("button", { type: "button", class: "link link--small", "data-testid": "act-undo", "aria-label": `Undo: ${act.by_name || act.by} ${words}`, onclick: () => this.#undo(act.act_id, act.comment_id) }, "Undo")));
  }

  async #undo(act, comment = "") {
    try {
      await takeBack(this.#channel, [act], this.#token());
      this.#undone.add(act);
      this.#gone.delete(comment);
      this.#say("Taken back.");
      await this.refresh();
    } catch (problem) {
      this.#say(problem.reason === "not_owner" ? "That was done by somebody else: an owner of the channel can take it back." : problem.message, true);
    }
  }

  #say(words, wrong = false, undo = null) {
    this.#note.dataset.wrong = String(wrong);
    this.#note.replaceChildren(words, ...(undo ? [" ", element("button", { type: "button", class: "link", "data-testid": "moderation-undo", onclick: undo }, "Undo")] : []));
  }
}
