/**
 * The rules of a channel's conversation, as a form.
 * @module rules_form
 */
import { changeRules, readRules } from "./api.js";
import { element, setText } from "./dom.js";
import { Field, sayErrors } from "./fields.js";

const WHO = { everyone: "Everyone, guests too", accounts: "Who has an account", followers: "Followers", members: "Members" };
const LINKS = { allow: "Are shown", hold: "Wait for a moderator", reject: "Are refused" };

const lines = (text) => text.split("\n").map((line) => line.trim()).filter(Boolean);
const wholeSeconds = (input) => Math.round(Number(input.value || 0) * 1000);
const whole = (input) => (input.value === "" ? 0 : Number(input.value));

export class RulesForm {
  #token;
  #channel = "";
  #inputs = {
    who: choice(WHO),
    slow_mode_ms: amount(0, 3600),
    links: choice(LINKS),
    first_review: element("input", { type: "checkbox", class: "check" }),
    blocked: words("badword\n*casino*"),
    held: words("giveaway"),
    flood: amount(0, 100),
    duplicate_ms: amount(0, 3600),
    max_length: amount(1, 500),
  };
  #fields;
  #note = element("p", { class: "note", role: "status", "data-testid": "rules-note" });
  #save = element("button", { class: "button button--main", "data-testid": "rules-save" }, "Save the rules");

  /** @param {HTMLElement} root @param {{token: () => string}} options */
  constructor(root, { token }) {
    this.#token = token;
    const field = (name, label, hint = "") => new Field(label, this.#inputs[name], { hint, testid: `rule-${name}` });
    this.#fields = {
      who: field("who", "Who may comment"),
      slow_mode_ms: field("slow_mode_ms", "Slow mode, seconds", "Between two comments of one person; 0: off"),
      links: field("links", "Links"),
      flood: field("flood", "Comments in ten seconds", "Of one person; 0: no limit"),
      duplicate_ms: field("duplicate_ms", "Repeats, seconds", "The same text again is refused for so long"),
      max_length: field("max_length", "Longest comment", "In characters"),
      first_review: field("first_review", "Look at everybody's first comment"),
      blocked: field("blocked", "Words that are refused", "One a line; * stands for any letters"),
      held: field("held", "Words that wait for a moderator", "One a line; * stands for any letters"),
    };
    this.#fields.first_review.element.classList.add("field--check");
    for (const name of ["first_review", "blocked", "held"]) this.#fields[name].element.classList.add("field--wide");
    root.append(element("form", { class: "form rules", novalidate: true, onsubmit: (event) => this.#submit(event) },
      ...Object.values(this.#fields).map((one) => one.element), element("div", { class: "form__foot field--wide" }, this.#save, this.#note)));
  }

  /** Read the rules of a channel into the form. */
  async open(channel) {
    this.#channel = channel;
    setText(this.#note, "");
    sayErrors(this.#fields, null);
    try {
      const rules = await readRules(channel, this.#token());
      if (channel === this.#channel) this.#fill(rules);
    } catch (problem) {
      this.#say(problem.message, true);
    }
  }

  #fill(rules) {
    const { who, slow_mode_ms: slow, links, first_review: first, blocked, held, flood, duplicate_ms: again, max_length: longest } = this.#inputs;
    who.value = rules.who;
    links.value = rules.links;
    slow.value = String(rules.slow_mode_ms / 1000);
    again.value = String(rules.duplicate_ms / 1000);
    flood.value = String(rules.flood);
    longest.value = String(rules.max_length);
    first.checked = rules.first_review;
    blocked.value = (rules.blocked ?? []).join("\n");
    held.value = (rules.held ?? []).join("\n");
  }

  async #submit(event) {
    event.preventDefault();
    const { who, slow_mode_ms: slow, links, first_review: first, blocked, held, flood, duplicate_ms: again, max_length: longest } = this.#inputs;
    const wanted = {
      who: who.value, links: links.value, first_review: first.checked, slow_mode_ms: wholeSeconds(slow), duplicate_ms: wholeSeconds(again),
      flood: whole(flood), max_length: whole(longest), blocked: lines(blocked.value), held: lines(held.value),
    };
    this.#save.disabled = true;
    try {
      this.#fill(await changeRules(this.#channel, wanted, this.#token()));
      sayErrors(this.#fields, null);
      this.#say("Saved. They hold from the next comment on.");
    } catch (problem) {
      this.#say(sayErrors(this.#fields, problem), true);
    } finally {
      this.#save.disabled = false;
    }
  }

  #say(words, wrong = false) {
    this.#note.dataset.wrong = String(wrong);
    setText(this.#note, words);
  }
}

function choice(options) {
  return element("select", { class: "input" }, ...Object.entries(options).map(([value, words]) => element("option", { value }, words)));
}

function amount(least, most) {
  return element("input", { type: "number", class: "input", min: least, max: most, step: "any", inputmode: "decimal" });
}

function words(placeholder) {
  return element("textarea", { class: "input", rows: 3, spellcheck: "false", autocapitalize: "none", placeholder });
}
