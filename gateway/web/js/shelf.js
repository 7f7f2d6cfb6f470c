/**
 * Shelves of finished videos: cards with posters, kept fresh in place.
 * @module shelf
 */
import { element, hue, setText } from "./dom.js";
import { ago, clock } from "./format.js";

/** The picture of a video over its drawn poster; where there is none the drawn one stays. */
export function posterImage(source) {
  const image = element("img", { class: "poster__image", alt: "", loading: "lazy", decoding: "async" });
  image.addEventListener("load", () => (image.dataset.there = ""));
  image.addEventListener("error", () => delete image.dataset.there);
  image.src = source;
  return image;
}

/** A poster that is drawn from a name, with the picture over it. */
export function poster(name, source) {
  const made = element("div", { class: "poster", "aria-hidden": "true" }, element("span", { class: "poster__letter" }, [...name][0]?.toUpperCase() ?? ""), source && posterImage(source));
  made.style.setProperty("--hue", String(hue(name)));
  made.style.setProperty("--at", `${10 + (hue(`${name}·`) % 81)}%`);
  return made;
}

/**
 * Show videos in a list: `[{id, channel, title, started_ms, duration_ms}]`.
 * @param {HTMLElement} list
 * @param {object[]} videos
 * @param {{current?: string, showChannel?: boolean}} options `current` is marked as the one that plays
 */
export function drawShelf(list, videos, { current = "", showChannel = true } = {}) {
  const old = new Map([...list.children].map((item) => [item.dataset.video, item]));
  videos.forEach((video, index) => {
    const item = old.get(video.id) ?? shelfCard(video);
    old.delete(video.id);
    const part = (name) => item.querySelector(`[data-part=${name}]`);
    setText(part("title"), video.title || video.channel);
    setText(part("channel"), showChannel ? video.channel : "");
    setText(part("since"), `${ago(video.started_ms, Date.now())}${Date.now() - video.started_ms < 60000 ? "" : " ago"}`);
    if (video.id === current) item.firstElementChild.setAttribute("aria-current", "true");
    else item.firstElementChild.removeAttribute("aria-current");
    if (list.children[index] !== item) list.insertBefore(item, list.children[index] ?? null);
  });
  for (const gone of old.values()) gone.remove();
}

function shelfCard({ id, channel, duration_ms: durationMs }) {
  return element("li", { "data-video": id },
    element("a", { class: "card", href: `/watch/${id}`, "data-testid": "video-card" },
      element("div", { class: "card__picture" },
        poster(channel, `/v1/videos/${id}/poster.jpg?width=480`),
        element("span", { class: "badge badge--length", "data-testid": "video-length" }, clock(durationMs / 1000))),
      element("div", { class: "card__text" },
        element("h3", { class: "card__title", "data-part": "title" }),
        element("p", { class: "card__numbers" }, element("span", { "data-part": "channel" }), element("span", { class: "card__since", "data-part": "since" })))));
}
