/**
 * The text of comments: a small part of Markdown, links, mentions and the channel's emotes, as nodes that can do no harm.
 *
 * `*em*`, `**strong**`, `~~del~~`, `` `code` ``, http and https addresses, `@name`, `:emote:`. `parse` is pure and gives tokens;
 * `nodes` makes elements out of them. What people wrote only ever becomes text nodes, never markup, and an address only ever
 * the `href` of a link to http or https.
 * @module comment_text
 */

/**
 * @typedef {{kind: "text"|"code", text: string} | {kind: "em"|"strong"|"del", children: Token[]} | {kind: "link", text: string, href: string}
 *   | {kind: "mention", name: string} | {kind: "emote", name: string, url: string}} Token
 */

const DEPTH = 4;
const SPANS = [["**", "strong"], ["~~", "del"], ["*", "em"]];
const ADDRESS = /https?:\/\/[^\s<>"'`]+/iy;
const EMOTE = /:([A-Za-z0-9_]{2,32}):/y;
const MENTION = /@([\p{L}\p{N}_](?:[\p{L}\p{N}_.-]{0,30}[\p{L}\p{N}_])?)/uy;
const WORD_START = /^[\p{L}\p{N}_]/u;
const WORD = /[\p{L}\p{N}_]$/u;
const TRAILING = /[.,;:!?'"*~]+$/;

/**
 * What a text says.
 * @param {string} text
 * @param {Record<string, string>} emotes address of the picture by name
 * @returns {Token[]} never two texts side by side
 */
export function parse(text, emotes = {}) {
  return inline(text, emotes, 0);
}

function inline(text, emotes, depth) {
  const tokens = [];
  let plain = "";
  let at = 0;
  while (at < text.length) {
    const found = tokenAt(text, at, emotes, depth);
    if (!found) {
      plain += text[at];
      at += 1;
      continue;
    }
    if (plain) tokens.push({ kind: "text", text: plain });
    plain = "";
    tokens.push(found.token);
    at += found.length;
  }
  if (plain) tokens.push({ kind: "text", text: plain });
  return tokens;
}

function tokenAt(text, at, emotes, depth) {
  switch (text[at]) {
    case "`": return codeAt(text, at);
    case "*":
    case "~": return depth < DEPTH ? spanAt(text, at, emotes, depth) : null;
    case ":": return emoteAt(text, at, emotes);
    case "@": return mentionAt(text, at);
    case "h":
    case "H": return linkAt(text, at);
    default: return null;
  }
}

function codeAt(text, at) {
  const end = text.indexOf("`", at + 1);
  if (end <= at + 1) return null;
  return { token: { kind: "code", text: text.slice(at + 1, end) }, length: end + 1 - at };
}

function spanAt(text, at, emotes, depth) {
  for (const [mark, kind] of SPANS) {
    if (!text.startsWith(mark, at)) continue;
    const start = at + mark.length;
    const end = closing(text, start, mark);
    if (end < 0) continue;
    return { token: { kind, children: inline(text.slice(start, end), emotes, depth + 1) }, length: end + mark.length - at };
  }
  return null;
}

/** Where the mark closes: not after a space, and a single star is no half of two; -1: nowhere. */
function closing(text, start, mark) {
  if (start >= text.length || /\s/.test(text[start])) return -1;
  for (let end = text.indexOf(mark, start + 1); end >= 0; end = text.indexOf(mark, end + 1)) {
    const half = mark === "*" && (text[end + 1] === "*" || text[end - 1] === "*");
    if (!half && !/\s/.test(text[end - 1])) return end;
  }
  return -1;
}

function emoteAt(text, at, emotes) {
  EMOTE.lastIndex = at;
  const name = EMOTE.exec(text)?.[1];
  if (!name || !Object.hasOwn(emotes, name)) return null;
  return { token: { kind: "emote", name, url: emotes[name] }, length: name.length + 2 };
}

function mentionAt(text, at) {
  if (WORD.test(text.slice(Math.max(0, at - 2), at))) return null; // an e-mail address
  MENTION.lastIndex = at;
  const found = MENTION.exec(text);
  return found && { token: { kind: "mention", name: found[1] }, length: found[0].length };
}

function linkAt(text, at) {
  if (WORD.test(text.slice(Math.max(0, at - 2), at))) return null;
  ADDRESS.lastIndex = at;
  let address = ADDRESS.exec(text)?.[0].replace(TRAILING, "");
  if (!address) return null;
  while (/[)\]]$/.test(address) && !balanced(address)) address = address.slice(0, -1).replace(TRAILING, "");
  const href = safe(address);
  return href && { token: { kind: "link", text: address, href }, length: address.length };
}

const balanced = (text) => ["()", "[]"].every(([open, close]) => text.split(open).length >= text.split(close).length);

/** The address, if it leads where it says: http or https, a host, no name and password before it. */
function safe(address) {
  let url;
  try {
    url = new URL(address);
  } catch {
    return null;
  }
  const good = ["http:", "https:"].includes(url.protocol) && url.hostname && !url.username && !url.password;
  return good ? url.href : null;
}

/**
 * Tokens as nodes.
 * @param {Token[]} tokens
 * @param {(tag: string, attributes?: object, ...children: any[]) => Node} element `dom.element`
 */
export function nodes(tokens, element) {
  return tokens.map((token) => node(token, element));
}

function node(token, element) {
  switch (token.kind) {
    case "text": return token.text;
    case "code": return element("code", {}, token.text);
    case "link": return element("a", { href: token.href, rel: "noopener nofollow ugc", target: "_blank" }, token.text);
    case "mention": return element("span", { class: "comment__mention" }, `@${token.name}`);
    case "emote": return element("img", { class: "comment__emote", src: token.url, alt: `:${token.name}:`, title: `:${token.name}:`, loading: "lazy" });
    default: return element(token.kind, {}, ...nodes(token.children, element));
  }
}

/** Tokens as a line without marks, for where a text is quoted. */
export function plain(tokens) {
  return tokens.map((token) => token.text ?? (token.kind === "mention" ? `@${token.name}` : token.kind === "emote" ? `:${token.name}:` : plain(token.children))).join("");
}

/** Whether somebody of this name is mentioned; names may be of several words. */
export function mentions(tokens, name) {
  const wanted = name.toLowerCase();
  return tokens.some((token, index) => (token.kind === "mention" ? named(token, tokens[index + 1], wanted) : mentions(token.children ?? [], name)));
}

function named(mention, next, wanted) {
  if (mention.name.toLowerCase() === wanted) return true;
  const following = next?.kind === "text" ? next.text : "";
  const said = (mention.name + following).toLowerCase();
  return wanted.length > mention.name.length && said.startsWith(wanted) && !WORD_START.test(said.slice(wanted.length));
}
