/**
 * The icons, drawn here: 24×24, strokes of the text's colour; a path that starts with `!` is filled.
 * @module icons
 */
const PATHS = {
  mark: ["M12 3.5a8.5 8.5 0 1 0 8.5 8.5", "M12 7.8a4.2 4.2 0 1 0 4.2 4.2", "!M12 10.4a1.6 1.6 0 1 1 0 3.2 1.6 1.6 0 0 1 0-3.2z", "!M18.4 3a2.6 2.6 0 1 1 0 5.2 2.6 2.6 0 0 1 0-5.2z"],
  play: ["!M8 5.2v13.6c0 .8.9 1.3 1.6.9l10.6-6.8a1.1 1.1 0 0 0 0-1.8L9.6 4.3C8.9 3.9 8 4.4 8 5.2z"],
  pause: ["!M6.5 5h3.8v14H6.5z", "!M13.7 5h3.8v14h-3.8z"],
  volume: ["!M3.5 9.5v5H7l5 4v-13l-5 4z", "M15.5 9.2a4 4 0 0 1 0 5.6", "M18.2 6.6a7.7 7.7 0 0 1 0 10.8"],
  muted: ["!M3.5 9.5v5H7l5 4v-13l-5 4z", "M16 9.7l4.6 4.6", "M20.6 9.7L16 14.3"],
  quality: ["M4 7.5h8", "M17 7.5h3", "M4 16.5h3", "M12 16.5h8", "M14.5 5.2a2.3 2.3 0 1 1 0 4.6 2.3 2.3 0 0 1 0-4.6z", "M9.5 14.2a2.3 2.3 0 1 1 0 4.6 2.3 2.3 0 0 1 0-4.6z"],
  fullscreen: ["M4 9V4.5h5", "M15 4.5h5V9", "M20 15v4.5h-5", "M9 19.5H4V15"],
  windowed: ["M9 4.5V9H4", "M20 9h-5V4.5", "M15 19.5V15h5", "M4 15h5v4.5"],
  pip: ["M3.5 5.5h17v13h-17z", "!M12 12h6v4.5h-6z"],
  help: ["M9 9.3a3 3 0 1 1 4.4 2.7c-.9.5-1.4 1.1-1.4 2.2", "M12 17.8v.01"],
  heart: ["M12 20s-7.8-4.6-7.8-10.3A4.3 4.3 0 0 1 12 7.2a4.3 4.3 0 0 1 7.8 2.5C19.8 15.4 12 20 12 20z"],
  hearts: ["!M12 20s-7.8-4.6-7.8-10.3A4.3 4.3 0 0 1 12 7.2a4.3 4.3 0 0 1 7.8 2.5C19.8 15.4 12 20 12 20z"],
  thumb: ["M7.5 10.5V20H4v-9.5z", "M7.5 10.5L11 4c1.5 0 2.5 1.1 2.2 2.6l-.7 3.4h5.7a2 2 0 0 1 2 2.4l-1.2 6a2 2 0 0 1-2 1.6H7.5"],
  clap: ["M8 13.2V7a1.5 1.5 0 0 1 3 0v4", "M11 11V5.2a1.5 1.5 0 0 1 3 0V11", "M14 11V6.7a1.5 1.5 0 0 1 3 0V14a6 6 0 0 1-6 6c-2.6 0-4-1.1-5.4-3.4l-1.9-3.3c-.7-1.3.9-2.5 2-1.4L8 13.8"],
  laugh: ["M12 3.7a8.3 8.3 0 1 1 0 16.6 8.3 8.3 0 0 1 0-16.6z", "!M7.3 13h9.4a4.7 4.7 0 0 1-9.4 0z", "M9 9.3v.4", "M15 9.3v.4"],
  wow: ["M12 3.7a8.3 8.3 0 1 1 0 16.6 8.3 8.3 0 0 1 0-16.6z", "!M12 13a2.2 2.6 0 1 1 0 5.2 2.2 2.6 0 0 1 0-5.2z", "M9 9v.6", "M15 9v.6"],
  fire: ["M12.3 3.2c.4 3.4 5 5.3 5 10.3a5.3 5.3 0 0 1-10.6 0c0-2 .9-3.4 2-4.5.2 1.7.9 2.6 1.9 2.8-.6-3.4.2-6.4 1.7-8.6z"],
  reply: ["M9 7.5L4.5 12 9 16.5", "M5 12h8.5a6 6 0 0 1 6 6"],
  captions: ["M3.5 5.5h17v13h-17z", "M10.2 10.2a2.4 2.4 0 1 0 0 3.6", "M17 10.2a2.4 2.4 0 1 0 0 3.6"],
  download: ["M12 4v10.5", "M7 10l5 5 5-5", "M5 19.5h14"],
  send: ["M5 12h13.5", "M12.5 6l6 6-6 6"],
  eye: ["M2.5 12S6 5.8 12 5.8 21.5 12 21.5 12 18 18.2 12 18.2 2.5 12 2.5 12z", "M12 9.4a2.6 2.6 0 1 1 0 5.2 2.6 2.6 0 0 1 0-5.2z"],
  key: ["M8 10.5a4.5 4.5 0 1 1 0 9 4.5 4.5 0 0 1 0-9z", "M11.3 11.8L19 4.1", "M16 7.1l3 3"],
  copy: ["M9 9h10.5v10.5H9z", "M5.5 15H4.5V4.5H15v1"],
  plus: ["M12 5v14", "M5 12h14"],
  check: ["M5 12.5l4.7 4.7L19.5 7.3"],
  close: ["M6.5 6.5l11 11", "M17.5 6.5l-11 11"],
  down: ["M12 5v13.5", "M6 12.5l6 6 6-6"],
  pencil: ["M5 19l.8-3.8L16 5l3 3L8.8 18.2z"],
  pin: ["M9 4h6", "M10 4v6l-3 3.5h10L14 10V4", "M12 13.5V20"],
  more: ["!M5.5 10.4a1.6 1.6 0 1 1 0 3.2 1.6 1.6 0 0 1 0-3.2z", "!M12 10.4a1.6 1.6 0 1 1 0 3.2 1.6 1.6 0 0 1 0-3.2z", "!M18.5 10.4a1.6 1.6 0 1 1 0 3.2 1.6 1.6 0 0 1 0-3.2z"],
  poll: ["M4.5 19.5V12h3.5v7.5z", "M10.2 19.5v-15h3.6v15z", "M16 19.5V9h3.5v10.5z"],
  warn: ["M12 4.4l8.6 15H3.4z", "M12 10.2v4", "M12 16.7v.01"],
  clock: ["M12 3.7a8.3 8.3 0 1 1 0 16.6 8.3 8.3 0 0 1 0-16.6z", "M12 7.5V12l3 2"],
};

const SVG = "http://www.w3.org/2000/svg";

/** A new SVG of the icon; hidden from screen readers: the button that holds it has the words. */
export function icon(name) {
  const paths = PATHS[name];
  if (!paths) throw new Error(`expected an icon of ${Object.keys(PATHS).join(", ")}; found ${name}`);
  const svg = document.createElementNS(SVG, "svg");
  for (const [attribute, value] of Object.entries({ viewBox: "0 0 24 24", class: "icon", "aria-hidden": "true", focusable: "false" })) {
    svg.setAttribute(attribute, value);
  }
  for (const path of paths) {
    const filled = path.startsWith("!");
    const line = document.createElementNS(SVG, "path");
    line.setAttribute("d", filled ? path.slice(1) : path);
    if (filled) line.setAttribute("class", "icon__fill");
    svg.append(line);
  }
  return svg;
}

/** Put the icon in place of what the node holds, once; asking again for the same one does nothing. */
export function setIcon(node, name) {
  if (node.dataset.shown === name) return;
  node.dataset.shown = name;
  node.replaceChildren(icon(name));
}

/** Fill every `data-icon` of the document. */
export function mountIcons(root = document) {
  for (const node of root.querySelectorAll("[data-icon]")) setIcon(node, node.dataset.icon);
}
