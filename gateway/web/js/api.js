/**
 * The HTTP API as the page needs it (`/v1/openapi.json` has all of it).
 * @module api
 */

import { at } from "./site.js";

/** More comments than so many pages of a minute and a half nobody reads. */
const CONVERSATION_PAGES = 5;

/** An answer that is no success: `status` (0: no answer at all), `reason` of the problem document, a sentence for people, the wrong fields. */
export class Problem extends Error {
  constructor(status, reason, message, errors = []) {
    super(message);
    this.name = "Problem";
    this.status = status;
    this.reason = reason;
    /** `[{field, rule, message}]` */
    this.errors = errors;
  }
}

/**
 * Send one request and read its JSON.
 * @param {string} path from the root of the site
 * @param {{method?: string, token?: string, body?: object, timeoutMs?: number, bare?: boolean}} options `token` goes as a
 *   bearer token; `bare`: without the right of a signed link
 * @returns {Promise<object|null>} null for an answer without a body
 * @throws {Problem}
 */
export async function call(path, { method = "GET", token = "", body, timeoutMs = 10000, bare = false } = {}) {
  const headers = { accept: "application/json" };
  if (token) headers.authorization = `Bearer ${token}`;
  if (body) headers["content-type"] = "application/json";
  let response;
  try {
    response = await fetch(bare ? path : at(path), { method, headers, body: body && JSON.stringify(body), cache: "no-store", signal: AbortSignal.timeout(timeoutMs) });
  } catch {
    throw new Problem(0, "unreachable", "The server does not answer. Check the connection and try again.");
  }
  const json = await response.json().catch(() => null);
  if (response.ok) return json;
  throw new Problem(response.status, json?.reason ?? "", json?.detail || json?.title || `The server answered ${response.status}.`, json?.errors ?? []);
}

/** Every channel that is or was live: `[{name, title, state, video_id, viewers, likes, started_ms}]`. */
export async function listChannels() {
  const answer = await call("/v1/channels");
  return Array.isArray(answer?.channels) ? answer.channels : [];
}

/** One channel. @throws {Problem} 404: there is none of this name. */
export const readChannel = (name, token = "") => call(`/v1/channels/${encodeURIComponent(name)}`, { token });

/** One video. @throws {Problem} 404: there is none of this id. */
export const readVideo = (id, token = "") => call(`/v1/videos/${encodeURIComponent(id)}`, { token });

/** Finished videos that can be watched, newest first; of one channel or of all. */
export async function listVideos(channel = "") {
  const answer = await call(channel ? `/v1/channels/${encodeURIComponent(channel)}/videos` : "/v1/videos");
  return Array.isArray(answer?.videos) ? answer.videos : [];
}

/** Whether something is there to be fetched. */
export async function exists(path) {
  const answer = await fetch(at(path), { method: "HEAD", signal: AbortSignal.timeout(10000) }).catch(() => null);
  return answer?.ok ?? false;
}

/** Comments older than `before`, oldest first. */
export async function readEarlierComments(video, before, limit) {
  const query = new URLSearchParams({ limit: String(limit), before: String(before) });
  const answer = await call(`/v1/videos/${encodeURIComponent(video)}/comments?${query}`);
  return (answer?.comments ?? []).slice().sort((left, right) => left.seq - right.seq);
}

/** The pinned comments of a video, oldest first. */
export async function readPinned(video) {
  return (await call(`/v1/videos/${encodeURIComponent(video)}/pinned`))?.comments ?? [];
}

/** Open a poll. @param {{question: string, options: string[], seconds?: number}} body @throws {Problem} */
export const openPoll = (video, body, token) => call(`/v1/videos/${encodeURIComponent(video)}/polls`, { method: "POST", token, body });

/** End a poll. @throws {Problem} */
export const closePoll = (video, poll, token) => call(`/v1/videos/${encodeURIComponent(video)}/polls/${encodeURIComponent(poll)}/close`, { method: "POST", token });

/** What was said about a part of the video, and the bursts of reactions there; times are wall clock of the picture. */
export async function readConversation(video, fromMs, toMs) {
  const path = `/v1/videos/${encodeURIComponent(video)}`;
  const range = { from_ms: String(fromMs), to_ms: String(toMs) };
  const [comments, answer] = await Promise.all([readRange(`${path}/comments`, range), call(`${path}/bursts?${new URLSearchParams(range)}`)]);
  return { comments, bursts: answer?.bursts ?? [] };
}

async function readRange(path, range) {
  const comments = [];
  let cursor = null;
  for (let page = 0; page < CONVERSATION_PAGES && (page === 0 || cursor); page += 1) {
    const answer = await call(`${path}?${new URLSearchParams({ ...range, limit: "200", ...(cursor && { cursor }) })}`);
    comments.push(...(answer?.comments ?? []));
    cursor = answer?.next ?? null;
  }
  return comments;
}

/** Whether the stream key opens this channel. @throws {Problem} when the server cannot say. */
export async function ownsChannel(name, key) {
  try {
    await call(`/v1/channels/${encodeURIComponent(name)}/owner`, { token: key });
    return true;
  } catch (problem) {
    if (problem.status === 401 || problem.status === 403) return false;
    throw problem;
  }
}

/** Another stream key of a channel, for its owner; the old one stops working. @throws {Problem} */
export const rotateKey = async (name, token) => (await call(`/v1/channels/${encodeURIComponent(name)}/key`, { method: "POST", token })).stream_key;

/** Make a channel that one owns: `{name, title, stream_key}`. @throws {Problem} with the wrong fields */
export const makeChannel = (name, token) => call("/v1/channels", { method: "POST", token, body: { name } });

/** Say what a channel and its live stream are about. @throws {Problem} with the wrong fields */
export const changeChannel = (name, body, token) => call(channelPath(name), { method: "PATCH", token, body });

/** How a channel's stream arrives and is delivered. @throws {Problem} 401, 403: one may not know */
export const readHealth = (name, token) => call(`${channelPath(name)}/health`, { token });

/** Viewers of a video: now, peak, different ones. */
export const readViewers = (video, token = "") => call(`/v1/videos/${encodeURIComponent(video)}/viewers`, { token });

/** Rows of `viewers` or `totals` by minute, from a wall clock on. */
export const readMinutes = async (video, what, fromMs, token = "") =>
  (await call(`/v1/videos/${encodeURIComponent(video)}/${what}/minutes?${new URLSearchParams({ from_ms: fromMs })}`, { token }))?.minutes ?? [];

/** How many comments each minute of the last hour had. */
export const readCommentMinutes = async (video, token = "") => (await call(`/v1/videos/${encodeURIComponent(video)}/comments/minutes`, { token }))?.minutes ?? [];

/** The comments that wait: `{held, waiting}`. @throws {Problem} */
export const readReview = (name, token) => call(`${channelPath(name)}/moderation/review?limit=100`, { token });

/** What moderators did, newest first: `{acts, next}`. @throws {Problem} */
export const readActs = (name, limit, token) => call(`${channelPath(name)}/moderation/acts?limit=${limit}`, { token });

/** Do something as a moderator; gives the act. @throws {Problem} */
export const moderate = (name, body, token) => call(`${channelPath(name)}/moderation/acts`, { method: "POST", token, body });

/** Take acts back. @throws {Problem} */
export const takeBack = (name, acts, token) => call(`${channelPath(name)}/moderation/rollback`, { method: "POST", token, body: { acts } });

/** The rules of a channel's conversation. @throws {Problem} */
export const readRules = (name, token) => call(`${channelPath(name)}/moderation/rules`, { token });

/** Change the rules that the body names; gives all. @throws {Problem} with the wrong fields */
export const changeRules = (name, body, token) => call(`${channelPath(name)}/moderation/rules`, { method: "PUT", token, body });

const channelPath = (name) => `/v1/channels/${encodeURIComponent(name)}`;

/** Ask for an ad break. @throws {Problem} with the reason when it is refused. */
export const requestBreak = (name, key, seconds) =>
  call(`/v1/channels/${encodeURIComponent(name)}/cues`, { method: "POST", token: key, body: { seconds } });

/** How one logs in here: `{registration, oidc: {name, start}|null, mail, unverified_may_comment}`. */
export const readWays = () => call("/v1/auth", { bare: true });

/** Who the token stands for, with email, roles and follows. @throws {Problem} */
export const readMe = (token) => call("/v1/me", { token, bare: true });

/** Change name, colour, picture or address (that with `password`). @throws {Problem} with the wrong fields in `errors` */
export const changeMe = (values, token) => call("/v1/me", { method: "PATCH", body: values, token, bare: true });

/** Choose another password. @param {{password: string, new_password: string}} values Errors as `changeMe`. */
export const changePassword = (values, token) => call("/v1/auth/password", { method: "POST", body: values, token, bare: true });

/** Use the token of a mail. @throws {Problem} `link_over` */
export const verifyEmail = (token) => call("/v1/auth/email/verify", { method: "POST", body: { token }, bare: true });

/** Have that mail sent again. @throws {Problem} */
export const sendLink = (token) => call("/v1/auth/email/send", { method: "POST", token, bare: true });

/** Where one is logged in: `{sessions: [{id, device, created_ms, used_ms, current}]}`. @throws {Problem} */
export const readSessions = (token) => call("/v1/auth/sessions", { token, bare: true });

/** Log out there. @throws {Problem} */
export const endSession = (id, token) => call(`/v1/auth/sessions/${encodeURIComponent(id)}`, { method: "DELETE", token, bare: true });

/** Log out everywhere but here. @throws {Problem} */
export const endOtherSessions = (token) => call("/v1/auth/sessions", { method: "DELETE", token, bare: true });

/** Follow a channel, or no more. @throws {Problem} */
export const follow = (channel, wanted, token) => call(`/v1/channels/${encodeURIComponent(channel)}/follow`, { method: wanted ? "PUT" : "DELETE", token, bare: true });
