/**
 * The page of a forgotten password. The token comes behind the `#` of the address, which no server and no log sees, and
 * leaves the address at once, so that the history does not keep it.
 * @module reset
 */

import { call } from "./api.js";
import { byId, setText } from "./dom.js";

const token = byId("reset-token");
const password = byId("reset-password");
const note = byId("reset-note");

if (location.hash.length > 1) {
  token.value = decodeURIComponent(location.hash.slice(1));
  history.replaceState(null, "", location.pathname);
  password.focus();
}

byId("reset-form").addEventListener("submit", async (event) => {
  event.preventDefault();
  setText(note, "");
  try {
    await call("/v1/auth/password/reset", { method: "POST", body: { token: token.value.trim(), password: password.value } });
  } catch (problem) {
    setText(note, problem.message);
    return;
  }
  event.target.hidden = true;
  setText(note, "Done. Log in with your new password; every device has been logged out.");
});
