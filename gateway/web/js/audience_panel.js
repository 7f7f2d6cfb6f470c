/**
 * Live numbers of a stream: viewers, comments, likes, reactions over its last hour, each with a plot.
 * @module audience_panel
 */
import { readCommentMinutes, readMinutes } from "./api.js";
import { element, setText } from "./dom.js";
import { compact } from "./format.js";
import { Plot, eachMinute, growth } from "./plot.js";

const LEAST_MS = 10 * 60_000;
const MOST_MS = 60 * 60_000;
const MINUTE_MS = 60_000;
const AGAIN_MS = 10_000;
/** A minute comes to the store a little after it is over. */
const UNWRITTEN_MS = 3 * MINUTE_MS;

const sum = (counts) => Object.values(counts ?? {}).reduce((all, one) => all + one, 0);
const number = (y) => compact(Math.round(y));

export class AudiencePanel {
  #note = element("p", { class: "note", role: "status", hidden: true });
  #plots = {
    viewers: new Plot({ title: "Viewers", format: number, testid: "plot-viewers", empty: "Nobody yet" }),
    comments: new Plot({ title: "Comments a minute", format: number, bars: true, testid: "plot-comments", empty: "No comment yet" }),
    likes: new Plot({ title: "Likes", format: number, testid: "plot-likes", empty: "No like yet" }),
    reactions: new Plot({ title: "Reactions a minute", format: number, bars: true, testid: "plot-reactions", empty: "No reaction yet" }),
  };
  #video = "";
  #readAt = 0;
  #rows = { viewers: [], totals: [], comments: [] };

  constructor(root) {
    root.append(element("div", { class: "plots plots--four" }, ...Object.values(this.#plots).map((plot) => plot.element)), this.#note);
  }

  /** Show a video; `now`: its figures of this moment. @param {{id: string, started_ms: number, ended_ms: ?number, token: string}} video @param {{viewers: number, likes: number, reactions: object}} now */
  async show(video, now) {
    if (video.id !== this.#video) {
      this.#video = video.id;
      this.#rows = { viewers: [], totals: [], comments: [] };
      this.#readAt = 0;
    }
    const to = video.ended_ms ?? Date.now();
    const from = Math.floor(Math.max(to - MOST_MS, Math.min(video.started_ms, to - LEAST_MS)) / MINUTE_MS) * MINUTE_MS;
    if (Date.now() - this.#readAt > AGAIN_MS) await this.#read(video, from);
    if (video.id === this.#video) this.#draw(video, from, to, now);
  }

  async #read({ id, token }, from) {
    this.#readAt = Date.now();
    const asked = [readMinutes(id, "viewers", String(from), token), readMinutes(id, "totals", String(from), token), readCommentMinutes(id, token)];
    const [viewers, totals, comments] = await Promise.allSettled(asked);
    if (id !== this.#video) return;
    const away = [viewers, totals, comments].find(({ status }) => status === "rejected");
    this.#note.hidden = !away;
    setText(this.#note, away ? `The history cannot be read now: ${away.reason.message}` : "");
    Object.entries({ viewers, totals, comments }).forEach(([name, one]) => one.status === "fulfilled" && (this.#rows[name] = one.value));
  }

  #draw(video, from, to, now) {
    const { viewers, totals, comments } = this.#rows;
    const range = { from, to };
    const start = Math.max(from, Math.floor(video.started_ms / MINUTE_MS) * MINUTE_MS);
    const kept = (last) => last;
    const likes = eachMinute(totals, start, to, (row) => row.likes, kept);
    const reactions = eachMinute(totals, start - MINUTE_MS, to, (row) => sum(row.reactions), kept);
    const crowd = eachMinute(viewers, start, to, (row) => row.n, (last, at) => (at > to - UNWRITTEN_MS ? last : 0));
    const live = !video.ended_ms;
    if (live) {
      reactions.at(-1).y = Math.max(reactions.at(-1).y, sum(now.reactions));
      crowd[crowd.length - 1] = { x: to, y: now.viewers };
      likes[likes.length - 1] = { x: to, y: now.likes };
    }
    this.#plots.viewers.draw(crowd, range);
    this.#plots.likes.draw(likes, range);
    const whole = { from, to: Math.floor(to / MINUTE_MS + 1) * MINUTE_MS };
    this.#plots.comments.draw(eachMinute(comments, start, to, (row) => row.n), whole);
    this.#plots.reactions.draw(growth(reactions).slice(1), whole);
  }
}
