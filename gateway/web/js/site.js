/**
 * Where the page was opened: below `/s/TOKEN/` the right to watch travels in the path, and every address of the server
 * that the page asks for must carry it.
 * @module site
 */

/** `/s/TOKEN`, or nothing. */
export const root = /^\/s\/[^/]+(?=\/)/.exec(location.pathname)?.[0] ?? "";

/** A path of the server, with the right that the page was opened with. */
export const at = (path) => root + path;
