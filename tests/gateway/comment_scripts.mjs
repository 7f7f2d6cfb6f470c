// Runs the page's modules for comments without a page; prints what they gave. `node comment_scripts.mjs JS_DIRECTORY`
import { pathToFileURL } from "node:url";

const from = (name) => import(pathToFileURL(`${process.argv[2]}/${name}.js`).href);
const { parse, mentions, nodes, plain } = await from("comment_text");
const { ReplayChat } = await from("replay_chat");

const cases = JSON.parse(await new Promise((resolve) => {
  let text = "";
  process.stdin.on("data", (chunk) => (text += chunk)).on("end", () => resolve(text));
}));

const element = (tag, attributes = {}, ...children) => ({ tag, attributes, children });
const parsed = Object.fromEntries(cases.texts.map((text) => [text, nodes(parse(text, cases.emotes), element)]));

// A video of which the comment number n is about second 10·n; reads are answered when the script says so.
const log = [];
const waiting = [];
let now = 0;
const replay = new ReplayChat({
  read: (fromMs, toMs) => new Promise((resolve, reject) => waiting.push({ fromMs, toMs, resolve, reject })),
  reset: () => log.push("reset"),
  show: ({ id }) => log.push(id),
  burst: (reactions) => log.push(reactions),
  now: () => now,
});
const settle = () => new Promise((resolve) => setTimeout(resolve));

async function answer(ok = true) {
  const reads = waiting.splice(0);
  for (const { fromMs, toMs, resolve, reject } of reads) {
    if (!ok) reject(new Error("away"));
    const comments = [];
    for (let n = Math.ceil(fromMs / 10_000); n * 10_000 < toMs; n += 1) comments.push({ id: `c${n}`, seq: n, at_ms: 10 ** 9 + n, media_ms: n * 10_000 });
    resolve({ comments, bursts: [{ at_ms: Math.floor(fromMs) + 20_000, reactions: { heart: fromMs } }] });
  }
  await settle();
  return reads.map(({ fromMs, toMs }) => [fromMs, toMs]);
}

const steps = {};
async function step(name, doing) {
  const reads = await doing();
  steps[name] = { log: log.splice(0), reads: reads ?? [] };
}

await step("opened", async () => { replay.follow(100_000); return answer(); });
await step("played on", async () => { for (let at = 100_250; at <= 121_000; at += 250) { replay.follow(at); await settle(); } });
await step("read on", async () => { for (let at = 121_250; at <= 130_000; at += 250) replay.follow(at); return answer(); });
await step("seeked back", async () => { replay.follow(30_000); return answer(); });
await step("seeked while reading", async () => { replay.follow(500_000); replay.follow(1_000_000); return answer(); });
await step("away", async () => { replay.follow(2_000_000); await answer(false); replay.follow(2_000_100); return answer(); });
await step("back again", async () => { now += 3_000; replay.follow(2_000_200); return answer(); });
await step("written now", async () => {
  const mine = { id: "mine", seq: 9_999, at_ms: 5, media_ms: 2_000_000 };
  log.push(replay.take(mine), replay.take(mine), replay.take({ id: "far", seq: 1, at_ms: 5, media_ms: 1 }));
});
await step("stopped", async () => { replay.stop(); replay.follow(null); return answer(); });

const quoted = plain(parse(cases.quoted, cases.emotes));

process.stdout.write(JSON.stringify({ parsed, quoted, steps, mentioned: cases.texts.filter((text) => mentions(parse(text, cases.emotes), "ann")), named: cases.named.map((text) => mentions(parse(text), "Guest 12")) }));
