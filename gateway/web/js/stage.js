/**
 * The card over the picture: what is going on when there is none.
 * @module stage
 */
import { byId, element, setText } from "./dom.js";
import { at } from "./site.js";

/**
 * @param {import("./player.js").Player} player
 * @param {{kind: "channel"|"video", name: string, channel: string}} subject of the page
 */
export function mountStageCard(player, subject) {
  const stage = byId("stage");
  let video = null;
  let missing = false;

  const draw = () => {
    const state = missing ? "missing" : player.state;
    const [title, detail, ...actions] = words(state, subject, video, player);
    stage.dataset.state = state;
    stage.dataset.live = String(player.live);
    setText(byId("card-title"), title);
    setText(byId("card-detail"), detail);
    byId("card-actions").replaceChildren(...actions);
  };
  player.addEventListener("state", draw);
  draw();
  return {
    /** The channel's current video changed. */
    videoIs(next) {
      video = next;
      missing = false;
      draw();
    },
    /** There is no channel of this name. */
    missing() {
      missing = true;
      draw();
    },
  };
}

function words(state, subject, video, player) {
  const channel = subject.channel || subject.name;
  const home = () => element("a", { class: "button", href: "/" }, "See what is live");
  const again = () => subject.kind === "channel" && video?.id && element("a", { class: "button", href: at(`/watch/${video.id}`), "data-testid": "watch-again" }, "Watch the last stream");
  const replay = () => element("button", { type: "button", class: "button", onclick: () => player.seek(player.window.start) || player.togglePlay() }, "Watch again");
  switch (state) {
    case "missing":
      return ["No such channel", `There is no channel “${channel}”. Check the address.`, home()];
    case "idle":
    case "starting":
      return ["Starting", video?.state === "interrupted" ? "The streamer's connection broke. Waiting for the picture…" : "Getting the picture…"];
    case "reconnecting":
      return ["Reconnecting", video?.state === "interrupted" ? "The streamer's connection broke. It goes on here as soon as they are back." : "The picture stopped. Trying again…"];
    case "offline":
      return ["Offline", `Waiting for ${channel} to go live. This page starts by itself.`, ...[again()].filter(Boolean)];
    case "ended":
      return subject.kind === "video"
        ? ["The end", "That was the whole stream.", replay()]
        : ["The stream has ended", `When ${channel} is live again, it starts here by itself.`, ...[again()].filter(Boolean)];
    case "unsupported":
      return ["This browser cannot play it", "It knows neither Media Source Extensions nor HLS. Try a current Chrome, Firefox, Edge or Safari."];
    default:
      return ["", ""];
  }
}
