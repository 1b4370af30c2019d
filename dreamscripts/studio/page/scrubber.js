// A slider through the snapshots of a run, which can also be played.

import { button, el, icon, newId, setText } from "./dom.js";

const PLAYED = 12; // seconds for all snapshots, at most
const SLOWEST = 0.35; // seconds for each
const NEWEST = null; // the iteration of the final picture, which is not a snapshot

// `shown({iteration, url})` is called when the person moves it, and as it plays. renew() and grow() keep its place.
export function scrubber(snapshots, picture, shown) {
  const made = new Scrubber(shown);
  made.renew(snapshots, picture);
  return made;
}

class Scrubber {
  #timer = 0;
  #frames = [];

  constructor(shown) {
    this.shown = shown;
    this.input = el("input", { type: "range", id: newId("scrubber"), min: 0, step: 1 });
    this.input.addEventListener("input", () => (this.#pause(), this.#show()));
    this.words = el("output", { htmlFor: this.input.id, "aria-live": "off" });
    this.play = button("Play", () => this.#toggle(), { icon: "go", only: true, class: "quiet" });
    this.element = el("div", { class: "scrubber" }, this.play,
      el("label", { class: "visually-hidden", htmlFor: this.input.id }, "Snapshot"), this.input, this.words);
  }

  renew(snapshots, picture) {
    this.#set([...snapshots, { iteration: NEWEST, url: picture }]);
  }

  // Add the picture of a new iteration, before the final one, which it replaces while the run grows.
  grow(snapshot) {
    const before = this.#frames.filter(({ iteration }) => iteration !== NEWEST && iteration < snapshot.iteration);
    this.#set([...before, snapshot, { iteration: NEWEST, url: snapshot.url }]);
  }

  destroy() {
    this.#pause();
    this.element.remove();
  }

  // A person at the end stays at the end; another stays at the iteration that they look at.
  #set(frames) {
    const shown = this.#frames[this.input.value];
    const atEnd = !shown || shown.iteration === NEWEST;
    this.#frames = frames;
    this.input.max = frames.length - 1;
    const place = atEnd ? -1 : frames.findIndex(({ iteration }) => iteration === shown.iteration);
    this.input.value = place < 0 ? frames.length - 1 : place;
    this.element.hidden = frames.length < 3;
    this.#describe();
    const now = this.#frames[this.input.value];
    if (now.url !== shown?.url) this.shown(now);
  }

  #show() {
    this.#describe();
    this.shown(this.#frames[this.input.value]);
  }

  #describe() {
    const { iteration } = this.#frames[this.input.value];
    const words = iteration === NEWEST ? "newest" : iteration === 0 ? "before" : `iteration ${iteration}`;
    setText(this.words, words);
    this.input.setAttribute("aria-valuetext", words);
  }

  #toggle() {
    if (this.#timer) return this.#pause();
    if (this.input.value === this.input.max) this.input.value = 0;
    const pause = Math.min(PLAYED / this.#frames.length, SLOWEST);
    const step = Math.max(Math.round(1 / 12 / pause), 1); // at most 12 pictures in a second
    this.#timer = setInterval(() => this.#next(step), pause * step * 1000);
    this.#showButton("Pause", "stop");
    this.#show();
    return undefined;
  }

  #next(step) {
    this.input.value = Math.min(Number(this.input.value) + step, this.#frames.length - 1);
    this.#show();
    if (this.input.value === this.input.max) this.#pause();
  }

  #pause() {
    if (!this.#timer) return;
    clearInterval(this.#timer);
    this.#timer = 0;
    this.#showButton("Play", "go");
  }

  #showButton(words, name) {
    this.play.setAttribute("aria-label", words);
    this.play.title = words;
    this.play.replaceChildren(icon(name));
  }
}
