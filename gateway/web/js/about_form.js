/**
 * What the stream is about: title, tags as chips, description; saved for the channel and the stream on the air.
 * @module about_form
 */
import { changeChannel } from "./api.js";
import { element, setText } from "./dom.js";
import { Field, sayErrors } from "./fields.js";
import { icon } from "./icons.js";

const MAX_TAGS = 10;

export class AboutForm {
  #token;
  #channel = "";
  #saved = { title: "", tags: [], description: "" };
  #tags = [];
  #title = element("input", { class: "input", maxlength: 200, autocomplete: "off" });
  #typed = element("input", { class: "tags__input", maxlength: 31, autocomplete: "off", placeholder: "Add a tag, Enter" });
  #chips = element("ul", { class: "tags", "aria-label": "Tags" });
  #description = element("textarea", { class: "input", rows: 5, maxlength: 2000 });
  #note = element("p", { class: "note", role: "status", "data-testid": "about-note" });
  #save = element("button", { class: "button button--main", "data-testid": "about-save" }, "Save");
  #fields;

  /** @param {HTMLElement} root @param {{token: () => string}} options */
  constructor(root, { token }) {
    this.#token = token;
    this.#fields = {
      title: new Field("Title", this.#title, { testid: "about-title" }),
      tags: new Field("Tags", this.#typed, { testid: "about-tags", hint: `Up to ${MAX_TAGS}; Backspace takes the last one away` }),
      description: new Field("Description", this.#description, { testid: "about-description" }),
    };
    this.#typed.before(this.#chips);
    this.#typed.addEventListener("keydown", (event) => this.#key(event));
    this.#typed.addEventListener("blur", () => this.#add());
    for (const input of [this.#title, this.#description]) input.addEventListener("input", () => this.#compare());
    root.append(element("form", { class: "form", novalidate: true, onsubmit: (event) => this.#submit(event) },
      ...Object.values(this.#fields).map((field) => field.element), element("div", { class: "form__foot" }, this.#save, this.#note)));
  }

  /** Take what the API says; what is being written stays. */
  show(channel, { title = "", tags = [], description = "" }) {
    const untouched = channel !== this.#channel || !this.#changed();
    this.#channel = channel;
    this.#saved = { title, tags, description };
    if (!untouched) return this.#compare();
    this.#title.value = title;
    this.#description.value = description;
    this.#tags = [...tags];
    this.#drawTags();
  }

  #changed() {
    const { title, tags, description } = this.#saved;
    return this.#title.value !== title || this.#description.value !== description || this.#tags.join(",") !== tags.join(",");
  }

  #compare() {
    this.#save.disabled = !this.#changed();
  }

  #key(event) {
    if (event.key === "Enter" || event.key === ",") {
      event.preventDefault();
      this.#add();
    } else if (event.key === "Backspace" && !this.#typed.value && this.#tags.length) {
      this.#tags.pop();
      this.#drawTags();
    }
  }

  #add() {
    const tag = this.#typed.value.trim().replace(/^#/, "");
    this.#typed.value = "";
    if (!tag) return;
    if (this.#tags.length >= MAX_TAGS) return this.#fields.tags.say(`${MAX_TAGS} tags at most: take one away first.`);
    this.#fields.tags.say("");
    if (!this.#tags.some((one) => one.toLowerCase() === tag.toLowerCase())) this.#tags.push(tag);
    this.#drawTags();
  }

  #drawTags() {
    const chip = (tag) => element("li", { class: "tag" }, tag, element("button", { type: "button", class: "tag__remove", "aria-label": `Remove the tag ${tag}`, onclick: () => this.#remove(tag) }, icon("close")));
    this.#chips.replaceChildren(...this.#tags.map(chip));
    this.#chips.hidden = this.#tags.length === 0;
    this.#compare();
  }

  #remove(tag) {
    this.#tags = this.#tags.filter((one) => one !== tag);
    this.#drawTags();
    this.#typed.focus();
  }

  async #submit(event) {
    event.preventDefault();
    this.#add();
    const wanted = { title: this.#title.value.trim(), tags: this.#tags, description: this.#description.value };
    this.#save.disabled = true;
    this.#note.dataset.wrong = "false";
    try {
      const kept = await changeChannel(this.#channel, wanted, this.#token());
      this.#saved = { title: kept.title, tags: kept.tags, description: kept.description };
      this.#title.value = kept.title;
      this.#description.value = kept.description;
      this.#tags = [...kept.tags];
      sayErrors(this.#fields, null);
      this.#drawTags();
      setText(this.#note, "Saved. Viewers see it now.");
    } catch (problem) {
      this.#note.dataset.wrong = "true";
      setText(this.#note, sayErrors(this.#fields, problem));
      this.#compare();
    }
  }
}
