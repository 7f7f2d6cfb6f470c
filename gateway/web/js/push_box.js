/**
 * How to push to a channel: server, key and commands for OBS and ffmpeg. The key's letters are shown on demand only.
 * @module push_box
 */
import { byId, element, setSecret, setText } from "./dom.js";

export class PushBox {
  #key = "";
  #shown = true;

  constructor() {
    this.#draw();
  }

  /** Turn to a key; "": a place holder. */
  use(key) {
    this.#key = key;
    this.#shown = false;
    this.#draw();
  }

  #draw() {
    const meta = (name) => document.querySelector(`meta[name="logcast-${name}"]`)?.content ?? "";
    const host = /^(|localhost|127\..*|\[?::1\]?|0\.0\.0\.0)$/.test(meta("public-host")) ? location.hostname : meta("public-host");
    const server = `rtmp://${host}${meta("rtmp-port") === "1935" ? "" : `:${meta("rtmp-port")}`}/live`;
    const real = this.#key || "YOUR_STREAM_KEY";
    const mask = this.#key && !this.#shown ? `${this.#key.slice(0, 5)}${"•".repeat(12)}` : real;
    const command = (secret) => [
      "ffmpeg -re -stream_loop -1 -i video.mp4",
      "-c:v libx264 -preset veryfast -tune zerolatency -bf 0 -g 30",
      "-b:v 3M -pix_fmt yuv420p -c:a aac -b:a 128k -ar 48000",
      `-f flv ${server}/${secret}`,
    ].join(" \\\n  ");
    setText(byId("push-server"), server);
    setSecret(byId("push-key"), real, mask);
    setSecret(byId("push-url"), `${server}/${real}`, `${server}/${mask}`);
    setSecret(byId("push-ffmpeg"), command(real), command(mask));
    this.#drawReveal();
  }

  #drawReveal() {
    document.getElementById("push-reveal")?.remove();
    if (!this.#key) return;
    const toggle = () => {
      this.#shown = !this.#shown;
      this.#draw();
      document.getElementById("push-reveal").focus();
    };
    byId("push-key").parentElement.after(
      element("button", { type: "button", id: "push-reveal", class: "link link--small", onclick: toggle, "data-testid": "push-reveal" }, this.#shown ? "Hide the key" : "Show the key"));
  }
}
