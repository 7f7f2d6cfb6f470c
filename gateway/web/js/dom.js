/**
 * Building the page. Text only ever goes in as text nodes: nothing here takes markup.
 * @module dom
 */

/** The element with this id; the documents and the modules are of one release, so a missing one is our own error. */
export function byId(id) {
  const found = document.getElementById(id);
  if (!found) throw new Error(`expected an element with the id ${id}, found none`);
  return found;
}

/**
 * An element with attributes and children. `true` sets an empty attribute, `false`, `null` and `undefined` leave it out;
 * a function is a listener (`onclick`); a child that is no node becomes text.
 */
export function element(tag, attributes = {}, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (typeof value === "function") made.addEventListener(name.slice(2), value);
    else if (value === true) made.setAttribute(name, "");
    else if (value !== false && value !== null && value !== undefined) made.setAttribute(name, String(value));
  }
  made.append(...children.filter((child) => child !== null && child !== undefined && child !== false));
  return made;
}

/** Set text only where it changed, so that screen readers and the layout are left alone. */
export function setText(node, text) {
  if (node.textContent !== text) node.textContent = text;
}

/** True where the visitor asked for less motion. */
export function calm() {
  return matchMedia("(prefers-reduced-motion: reduce)").matches;
}

/** A number of 0 to 359 from a text: the same channel and the same person always have the same colour. */
export function hue(text) {
  let hash = 2166136261;
  for (let index = 0; index < text.length; index += 1) hash = Math.imul(hash ^ text.charCodeAt(index), 16777619);
  return (hash >>> 0) % 360;
}

/** Bring every `[data-copy]` button to life: it copies the `<code>` before it, and says that it did. */
export function mountCopyButtons(root = document) {
  for (const button of root.querySelectorAll("[data-copy]")) {
    button.addEventListener("click", async () => {
      const code = button.parentElement.querySelector("code");
      const copied = await copyText(secrets.get(code) ?? code.textContent);
      button.dataset.done = copied ? "yes" : "no";
      setTimeout(() => delete button.dataset.done, 1600);
    });
  }
}

const secrets = new WeakMap();

/** Show `mask` in a `<code>`, while its copy button copies `value`. */
export function setSecret(code, value, mask) {
  secrets.set(code, value);
  setText(code, mask);
}

async function copyText(text) {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    return copyBySelection(text); // the clipboard API is missing on plain http
  }
}

function copyBySelection(text) {
  const area = element("textarea", { class: "sr", "aria-hidden": "true", tabindex: "-1" });
  area.value = text;
  document.body.append(area);
  area.select();
  const copied = document.execCommand("copy");
  area.remove();
  return copied;
}
