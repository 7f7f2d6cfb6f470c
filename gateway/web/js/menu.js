/**
 * A menu of the player: a button that opens a list of choices above itself.
 * @module menu
 */
import { element, setText } from "./dom.js";

/**
 * @param {HTMLButtonElement} button has `aria-controls`
 * @param {HTMLElement} menu `role=menu`
 * @param {() => {words: string, label: string, items: Item[]}} describe `words` on the button; no items: nothing to choose
 * @returns {() => void} draws it anew
 * @typedef {{key: string, text: string, detail?: string, checked: boolean, choose: () => void}} Item
 */
export function mountMenu(button, menu, describe) {
  const open = (shown) => {
    menu.hidden = !shown;
    button.setAttribute("aria-expanded", String(shown));
    if (shown) (menu.querySelector("[aria-checked=true]") ?? menu.firstElementChild)?.focus();
  };
  const chosen = (choose) => {
    choose();
    open(false);
    button.focus();
  };
  const draw = () => {
    const { words, label, items } = describe();
    if (words !== null) setText(button, words);
    button.setAttribute("aria-label", label);
    button.title = label;
    button.hidden = items.length === 0;
    if (button.hidden) menu.hidden = true;
    const focused = menu.contains(document.activeElement) ? document.activeElement.dataset.key : null;
    menu.replaceChildren(...items.map(({ key, text, detail = "", checked, choose }) =>
      element("button", { type: "button", role: "menuitemradio", class: "menu__item", tabindex: "-1", "aria-checked": String(checked), "data-key": key, "data-testid": `${button.id}-item`, onclick: () => chosen(choose) },
        element("span", {}, text), element("span", { class: "menu__detail" }, detail))));
    if (focused !== null) menu.querySelector(`[data-key="${CSS.escape(focused)}"]`)?.focus();
  };
  button.addEventListener("click", () => open(menu.hidden));
  menu.addEventListener("keydown", (event) => moveInMenu(event, menu, () => (open(false), button.focus())));
  document.addEventListener("pointerdown", ({ target }) => !menu.hidden && !menu.parentElement.contains(target) && open(false));
  draw();
  return draw;
}

function moveInMenu(event, menu, close) {
  const items = [...menu.children];
  const at = items.indexOf(document.activeElement);
  const to = { ArrowDown: at + 1, ArrowUp: at - 1, Home: 0, End: items.length - 1 }[event.key];
  if (to !== undefined) items[(to + items.length) % items.length].focus();
  else if (event.key === "Escape" || event.key === "Tab") close();
  else return;
  event.preventDefault();
  event.stopPropagation();
}
