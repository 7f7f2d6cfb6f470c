/**
 * The account page: how one is shown, address and password, where one is logged in, whom one follows.
 *
 * A link of a mail brings a token behind the `#`, which no server and no log sees; it leaves the address at once.
 * @module account_page
 */
import { AccountDialog } from "./account.js";
import { FieldForm } from "./account_forms.js";
import { changeMe, changePassword, endOtherSessions, endSession, readMe, readSessions, sendLink, verifyEmail } from "./api.js";
import { deviceWords } from "./device.js";
import { byId, element, hue, setText } from "./dom.js";
import { Follows } from "./follows.js";
import { ago } from "./format.js";
import { mountIcons } from "./icons.js";
import { Session, browserStorage } from "./session.js";

mountIcons();
const linked = /^#verify=([\w-]{1,100})$/.exec(location.hash)?.[1] ?? "";
if (linked) history.replaceState(null, "", location.pathname);

const session = new Session(browserStorage());
const follows = new Follows(session);
const dialog = new AccountDialog({ session, button: byId("account-open"), dialog: byId("account"), title: byId("account-title"), body: byId("account-body") });
let me = null;
let ways = {};

const profile = new FieldForm({
  id: "profile",
  send: "Save",
  fields: {
    name: { label: "Name that others see", required: true, maxlength: 32, autocomplete: "nickname" },
    colour: { label: "Colour of your name", type: "color" },
    avatar: { label: "Picture", type: "url", maxlength: 500, placeholder: "https://…", hint: "An https address, for programs that show pictures; these pages load nothing from elsewhere." },
  },
  submit: async (values) => changed({ ...values, colour: plain.checked ? "" : values.colour }),
});
const plain = element("input", { type: "checkbox", "data-testid": "profile-plain", onchange: drawFace });
profile.input("colour").closest(".account__row").append(element("label", { class: "account__plain" }, plain, "None of my own"));
profile.input("colour").addEventListener("input", () => ((plain.checked = false), drawFace()));
profile.input("name").addEventListener("input", drawFace);

const address = new FieldForm({
  id: "email",
  send: "Save",
  fields: {
    email: { label: "E-mail", type: "email", maxlength: 254, autocomplete: "email", placeholder: "ann@example.org" },
    password: { label: "Your password, to change it", type: "password", maxlength: 256, autocomplete: "current-password" },
  },
  submit: async ({ email, password }) => {
    const moved = email.trim() !== me.email;
    await changed({ email: email.trim(), ...(password && { password }) });
    address.fill({ password: "" });
    return moved && email.trim() && ways.mail ? "Saved. Open the link in the mail that we have sent there." : "Saved.";
  },
});

const password = new FieldForm({
  id: "password",
  send: "Change the password",
  fields: {
    password: { label: "Password now", type: "password", required: true, maxlength: 256, autocomplete: "current-password" },
    new_password: { label: "New password", type: "password", required: true, maxlength: 256, autocomplete: "new-password" },
  },
  submit: async (values) => {
    await changePassword(values, session.token);
    password.fill({ password: "", new_password: "" });
    await drawSessions();
    return "Changed. Every other device has been logged out.";
  },
});

byId("profile").append(profile.root);
byId("email").append(address.root);
byId("password").append(password.root);
byId("log-in").addEventListener("click", () => dialog.open());
byId("send-link").addEventListener("click", (event) => pressed(event.target, byId("email-state-note"), async () => {
  await sendLink(session.token);
  return "It is on its way.";
}));
byId("end-others").addEventListener("click", (event) => pressed(event.target, byId("sessions-note"), async () => {
  await endOtherSessions(session.token);
  await drawSessions();
  return "This is the only device now.";
}));
for (const type of ["change", "renewed"]) session.addEventListener(type, draw);
follows.addEventListener("change", drawFollows);
ways = await dialog.ways();
await session.start();
draw();
if (linked) useLink(linked);

/** Everything anew, as the server says. */
async function draw() {
  const { user } = session;
  byId("nobody").hidden = Boolean(user);
  byId("somebody").hidden = !user;
  if (!user) return;
  const found = await readMe(session.token).catch(() => null);
  if (!found || session.user?.id !== found.id) return;
  const first = me?.id !== found.id;
  me = found;
  if (first) {
    profile.fill({ name: me.name, colour: me.colour || "#f2a65a", avatar: me.avatar });
    plain.checked = !me.colour;
    address.fill({ email: me.email });
  }
  drawMe();
  if (first) await drawSessions();
}

function drawMe() {
  setText(byId("login"), me.login);
  setText(byId("since"), me.admin ? "Administrator" : "");
  const state = me.email ? (me.email_verified ? "verified" : "unverified") : "none";
  byId("email-state").dataset.state = state;
  setText(byId("email-state"), { verified: "Verified", unverified: ways.mail ? "Not verified yet" : "Not verified: no mail is sent here", none: "No address: a forgotten password could not be reset" }[state]);
  byId("send-link").hidden = state !== "unverified" || !ways.mail;
  address.show("password", me.has_password);
  byId("password-panel").hidden = !me.has_password;
  byId("channels-panel").hidden = me.roles.length === 0;
  byId("channels").replaceChildren(...me.roles.map(({ channel, role }) => element("li", {},
    element("a", { href: role === "owner" ? `/studio?channel=${channel}` : `/watch/${channel}` }, channel), element("span", { class: "muted" }, role))));
  drawFace();
}

/** How the name looks, as it is written now. */
function drawFace() {
  const name = profile.input("name").value.trim() || me?.name || "";
  const face = byId("face");
  setText(face, [...name][0]?.toUpperCase() ?? "");
  face.style.setProperty("--hue", String(hue(me?.id ?? name)));
  const colour = plain.checked ? "" : profile.input("colour").value;
  setText(byId("shown-name"), name);
  for (const node of [face, byId("shown-name")]) node.style.setProperty("--own", colour);
  face.dataset.own = byId("shown-name").dataset.own = String(Boolean(colour));
}

async function changed(values) {
  me = await changeMe(values, session.token);
  session.changed(me);
  drawMe();
}

async function drawSessions() {
  const found = (await readSessions(session.token)).sessions;
  const sessions = [...found.filter(({ current }) => current), ...found.filter(({ current }) => !current)];
  byId("end-others").hidden = sessions.length < 2;
  byId("sessions").replaceChildren(...sessions.map((one) => element("li", { "data-testid": "session" },
    element("div", {},
      element("b", {}, deviceWords(one.device)),
      element("p", { class: "muted" }, one.current ? "This device" : `Last used ${since(one.used_ms)} · logged in ${since(one.created_ms)}`)),
    one.current ? null : element("button", { type: "button", class: "button button--quiet", "data-testid": "session-end", onclick: (event) => pressed(event.target, byId("sessions-note"), async () => {
      await endSession(one.id, session.token);
      await drawSessions();
      return "Logged out there.";
    }) }, "Log out there"))));
}

function drawFollows() {
  byId("no-follows").hidden = follows.all.length > 0;
  byId("follows").replaceChildren(...follows.all.sort().map((channel) => element("li", { "data-testid": "follow" },
    element("a", { href: `/watch/${channel}` }, channel),
    element("button", { type: "button", class: "button button--quiet", "data-testid": "unfollow", onclick: (event) => pressed(event.target, byId("follows-note"), () => follows.set(channel, false)) }, "Unfollow"))));
}

async function useLink(token) {
  const note = byId("link-note");
  note.hidden = false;
  try {
    await verifyEmail(token);
    setText(note, "Your address is verified. Thank you.");
    if (session.user) await session.renew(); // the new token says it
  } catch (problem) {
    note.dataset.wrong = "true";
    setText(note, problem.reason === "link_over" ? "This link is over: used, too old, or of another address. Have another one sent below." : problem.message);
  }
}

/** Do something for a button; what came of it is said. */
async function pressed(button, note, doing) {
  button.disabled = true;
  note.dataset.wrong = "false";
  try {
    setText(note, (await doing()) || "");
  } catch (problem) {
    note.dataset.wrong = "true";
    setText(note, problem.message);
  } finally {
    button.disabled = false;
  }
}

const since = (ms) => (Date.now() - ms < 60000 ? "just now" : `${ago(ms, Date.now())} ago`);
