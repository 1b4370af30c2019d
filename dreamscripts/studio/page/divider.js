// The divider between before and after: a line that a mouse, a finger and the keys move.

import { el, icon } from "./dom.js";

const STEPS = { ArrowLeft: -0.02, ArrowDown: -0.02, ArrowRight: 0.02, ArrowUp: 0.02, PageDown: -0.1, PageUp: 0.1 };
const LARGE = 5; // with Shift, a step is this much larger

export class Divider {
  // `share` is the part of the picture's width that shows before. `moved(left)` is called with the place of the line, in CSS pixels.
  constructor(share, moved) {
    this.moved = moved;
    this.range = { left: 0, width: 0 };
    this.names = ["before", "after"];
    this.element = el("div", { class: "viewer-divider", role: "slider", tabindex: 0, "aria-valuemin": 0, "aria-valuemax": 100 },
      el("span", { class: "viewer-knob" }, icon("divider")));
    this.#listen();
    this.move(share);
  }

  // Say what lies left and right of it.
  name(before, after) {
    this.names = [before, after];
    this.element.setAttribute("aria-label", `Divider between ${before} and ${after}`);
    this.#describe();
  }

  move(share) {
    this.share = Math.min(Math.max(share, 0), 1);
    this.#draw();
    this.#describe();
  }

  // Set the part of its place in which it moves: that of the picture which is in sight.
  stayWithin(left, width) {
    this.range = { left, width };
    this.#draw();
  }

  #draw() {
    const left = this.range.left + this.share * this.range.width;
    this.element.style.left = `${left}px`;
    this.moved(left);
  }

  #describe() {
    const left = Math.round(this.share * 100);
    const [before, after] = this.names;
    const text = left === 0 ? `only ${after}` : left === 100 ? `only ${before}` : `${before} ${left} %, ${after} ${100 - left} %`;
    this.element.setAttribute("aria-valuenow", left);
    this.element.setAttribute("aria-valuetext", text);
  }

  #listen() {
    const line = this.element;
    let offset = null; // from the pointer to the line, so that it does not jump under the finger
    const begin = () => line.parentElement.getBoundingClientRect().left + this.range.left;
    line.addEventListener("pointerdown", (event) => {
      if (event.button !== 0) return;
      line.setPointerCapture(event.pointerId);
      offset = begin() + this.share * this.range.width - event.clientX;
      event.stopPropagation();
    });
    line.addEventListener("pointermove", (event) => {
      if (offset === null) return;
      this.move((event.clientX + offset - begin()) / this.range.width);
      event.stopPropagation();
    });
    for (const end of ["pointerup", "pointercancel", "lostpointercapture"]) line.addEventListener(end, () => (offset = null));
    line.addEventListener("keydown", (event) => this.#key(event));
  }

  #key(event) {
    const ends = { Home: 0, End: 1 };
    const to = event.key in STEPS ? this.share + STEPS[event.key] * (event.shiftKey ? LARGE : 1) : ends[event.key];
    if (to === undefined || event.ctrlKey || event.metaKey || event.altKey) return;
    this.move(to);
    event.preventDefault();
    event.stopPropagation();
  }
}
