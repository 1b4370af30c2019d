// A picture that fills its place, with zoom and pan to the pixel, before and after under one divider.
//
// `viewer({before, after, beforeAlt, afterAlt})` takes addresses of pictures and their alternative texts; all may be left
// out. `show()` replaces what it names and leaves the rest; null removes a picture. Zoom, place and divider stay.

import { Divider } from "./divider.js";
import { button, el, setText } from "./dom.js";
import { listenToGestures, obeyKey } from "./gestures.js";
import { Layer } from "./layer.js";
import { Zoom } from "./zoom.js";

const SAME_SHAPE = 0.03; // the sizes of octaves are rounded, so the shape of a small one differs a little
const PIXELS_FROM = 3; // from this magnification on, pixels are shown as squares

export function viewer(options = {}) {
  const made = new Viewer(options);
  return { element: made.element, show: (more) => made.show(more), destroy: () => made.destroy() };
}

class Viewer {
  #zoom = new Zoom();
  #ending = new AbortController();
  #shape = null;

  constructor({ divide = 0.5, width, height, empty = "No picture yet.", ...pictures }) {
    this.before = new Layer(() => this.#changed());
    this.after = new Layer(() => this.#changed());
    this.before.element.classList.add("viewer-before");
    this.divider = new Divider(divide, (left) => this.before.element.style.setProperty("--divide", `${left}px`));
    this.labels = [this.before, this.after].map((layer) => layer.element.appendChild(el("span", { class: "viewer-label" })));
    this.note = el("p", { class: "viewer-note" }, empty);
    this.empty = empty;
    this.place = this.#makePlace();
    this.bar = this.#makeBar();
    this.element = el("div", { class: "viewer" }, this.place, this.bar);
    this.#listen();
    if (width && height) this.#setShape(width, height);
    this.show({ beforeLabel: "before", afterLabel: "after", beforeAlt: "Before", afterAlt: "After", ...pictures });
  }

  show({ before, after, beforeAlt, afterAlt, beforeLabel, afterLabel }) {
    if (beforeAlt !== undefined) this.before.describe(beforeAlt);
    if (afterAlt !== undefined) this.after.describe(afterAlt);
    if (beforeLabel !== undefined) this.labels[0].textContent = beforeLabel;
    if (afterLabel !== undefined) this.labels[1].textContent = afterLabel;
    this.divider.name(this.labels[0].textContent, this.labels[1].textContent);
    if (before !== undefined) this.before.show(before);
    if (after !== undefined) this.after.show(after);
    this.#changed();
  }

  destroy() {
    this.#ending.abort();
    this.resizing.disconnect();
    this.before.destroy();
    this.after.destroy();
    this.element.remove();
  }

  #makePlace() {
    const label = "Picture. Plus and minus zoom, 0 shows all of it, 1 its pixels, the arrow keys move it.";
    const place = { class: "viewer-place", role: "group", tabindex: 0, "aria-label": label };
    return el("div", place, this.after.element, this.before.element, this.divider.element, this.note);
  }

  #makeBar() {
    const act = (change) => () => {
      change();
      this.#paint();
    };
    this.percent = el("button", { type: "button", class: "button quiet viewer-percent", title: "Show its pixels (1)" });
    this.percent.addEventListener("click", act(() => this.#zoom.magnify(1)));
    const tool = (words, name, change) => button(words, change, { icon: name, only: true, class: "quiet" });
    return el("div", { class: "viewer-bar", role: "group", "aria-label": "Zoom" },
      tool("Zoom out", "minus", act(() => this.#zoom.zoom(1 / 1.25))),
      this.percent,
      tool("Zoom in", "add", act(() => this.#zoom.zoom(1.25))),
      tool("Show the whole picture", "fit", act(() => this.#zoom.fit())),
      document.fullscreenEnabled ? tool("Full screen", "full", () => this.#toggleFull()) : null);
  }

  #listen() {
    const signal = this.#ending.signal;
    listenToGestures(this.place, this.#zoom, () => this.#paint(), signal);
    const key = (event) => {
      if (!obeyKey(event, this.#zoom, event.target === this.place && !this.#zoom.fits)) return;
      event.preventDefault();
      this.#paint();
    };
    this.element.addEventListener("keydown", key, { signal });
    this.resizing = new ResizeObserver(() => this.#resize());
    this.resizing.observe(this.place);
  }

  #toggleFull() {
    if (document.fullscreenElement) document.exitFullscreen();
    else this.element.requestFullscreen().catch(() => {}); // the browser may refuse, and then nothing happens
  }

  #resize() {
    const { width, height } = this.place.getBoundingClientRect();
    if (width === 0) return; // not in the page, or hidden
    this.#zoom.setPlace(width, height, window.devicePixelRatio || 1);
    this.#paint();
  }

  #setShape(width, height) {
    this.#shape = width / height;
    this.place.style.setProperty("--shape", this.#shape);
    this.#zoom.setPicture(width, height);
  }

  // Note what is shown now. A picture of another shape is another picture, and is shown as a whole.
  #changed() {
    const { image } = this.after.image ? this.after : this.before;
    const both = this.before.image !== null && this.after.image !== null;
    this.element.classList.toggle("has-both", both);
    this.element.classList.toggle("has-picture", Boolean(image));
    this.note.hidden = Boolean(image);
    this.note.textContent = this.before.failed || this.after.failed ? "This picture could not be opened." : this.empty;
    if (!image) return;
    const { naturalWidth: width, naturalHeight: height } = image;
    if (this.#shape !== null && Math.abs(width / height / this.#shape - 1) < SAME_SHAPE) this.#zoom.setPicture(width, height);
    else {
      this.#zoom.fit();
      this.#setShape(width, height);
      this.#resize();
    }
    this.#paint();
  }

  #paint() {
    const { left, top, width, height } = this.#zoom.box;
    for (const { image } of [this.before, this.after]) {
      if (!image) continue;
      Object.assign(image.style, { left: `${left}px`, top: `${top}px`, width: `${width}px`, height: `${height}px` });
      const magnification = (width / image.naturalWidth) * this.#zoom.density;
      image.classList.toggle("is-pixelated", magnification > PIXELS_FROM && this.#zoom.scale > 1.001);
    }
    const [begin, end] = [Math.max(left, 0), Math.min(left + width, this.#zoom.place.width)];
    this.place.style.setProperty("--begin", `${begin}px`);
    this.place.style.setProperty("--end", `${this.#zoom.place.width - end}px`);
    this.divider.stayWithin(begin, end - begin);
    this.place.classList.toggle("is-zoomed", !this.#zoom.fits);
    const percent = `${Math.round(this.#zoom.magnification * 100)} %`;
    setText(this.percent, percent);
    this.percent.setAttribute("aria-label", `Zoom ${percent}. Show its pixels.`);
  }
}
