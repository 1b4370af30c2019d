// Pictures in rows, by day. Each keeps its shape; a click opens it, and a mark at its corner chooses it.

import { el, newId, setText } from "./dom.js";
import { actionButton, altOf, stateOf, thumbnail, titleOf } from "./runs.js";
import { date, day } from "./words.js";

const NARROWEST = 0.7; // shapes beyond these are cut, so that a panorama does not fill the wall
const WIDEST = 2.2;

export class Tiles {
  #tiles = new Map(); // by id: {run, element, box}
  #days = new Map(); // by name: {element, list}
  #chosen = []; // ids, the oldest choice first

  // `does` has chosen(), trash(run) and goOn(run).
  constructor(does) {
    this.does = does;
    this.element = el("div", { class: "days" });
    this.element.addEventListener("keydown", (event) => this.#key(event));
  }

  get size() {
    return this.#tiles.size;
  }

  get chosen() {
    return this.#chosen.map((id) => this.#tiles.get(id).run);
  }

  has(id) {
    return this.#tiles.has(id);
  }

  isNewest(run) {
    return [...this.#tiles.values()].every((tile) => date(tile.run.created) <= date(run.created));
  }

  clear() {
    this.#tiles.clear();
    this.#days.clear();
    this.element.replaceChildren();
    this.chooseNone();
  }

  chooseNone() {
    for (const id of [...this.#chosen]) this.#tiles.get(id)?.box.click();
    this.#chosen = [];
    this.element.classList.remove("has-chosen");
    this.does.chosen();
  }

  // Add runs, each at its place in time, or renew those that are there.
  add(runs) {
    for (const run of runs) {
      const old = this.#tiles.get(run.id);
      if (old) this.#renew(old, run);
      else this.#insert(run);
    }
  }

  focus(id) {
    this.#tiles.get(id)?.link.focus({ preventScroll: true });
  }

  // Take a run away. The focus, if it was there, goes to the next one.
  remove(id, focuses = false) {
    const tile = this.#tiles.get(id);
    if (!tile) return;
    const next = tile.element.nextElementSibling ?? tile.element.previousElementSibling;
    const had = tile.element.contains(document.activeElement) || focuses;
    this.#tiles.delete(id);
    tile.element.remove();
    for (const [name, { element, list }] of this.#days) {
      if (list.children.length > 0) continue;
      element.remove();
      this.#days.delete(name);
    }
    this.#chosen = this.#chosen.filter((other) => other !== id);
    this.does.chosen();
    if (had) (next ?? this.element).querySelector("a")?.focus();
  }

  #insert(run) {
    const { list } = this.#dayOf(run);
    const tile = this.#make(run);
    this.#tiles.set(run.id, tile);
    const older = [...list.children].find((other) => date(this.#tiles.get(other.dataset.id).run.created) < date(run.created));
    list.insertBefore(tile.element, older ?? null);
  }

  #dayOf(run) {
    const name = day(run.created);
    if (!this.#days.has(name)) {
      const heading = el("h2", { id: newId("day") }, name);
      const list = el("ul", { class: "tiles", role: "list", "aria-labelledby": heading.id });
      const element = el("section", { class: "day" }, heading, list);
      element.dataset.time = String(+date(run.created));
      const older = [...this.element.children].find((other) => Number(other.dataset.time) < +date(run.created));
      this.element.insertBefore(element, older ?? null);
      this.#days.set(name, { element, list });
    }
    return this.#days.get(name);
  }

  #make(run) {
    const box = el("input", { type: "checkbox" });
    const link = el("a", { href: `#/run/${run.id}` });
    const state = el("span", { class: "tile-state" });
    const name = el("span", { class: "tile-name" });
    const frame = el("div", { class: "tile-frame" }, link, el("label", { class: "tile-box" }, box));
    const element = el("li", { class: "tile", dataset: { id: run.id } }, frame, el("p", { class: "tile-caption" }, name, state));
    const tile = { run, element, frame, box, link, name, state };
    box.addEventListener("change", () => this.#choose(tile));
    this.#renew(tile, run, true);
    return tile;
  }

  #renew(tile, run, anew = false) {
    const other = anew || ["thumb", "state", "resumable"].some((key) => tile.run[key] !== run[key]);
    tile.run = run;
    const shape = run.width && run.height ? run.width / run.height : 1.4;
    tile.element.style.setProperty("--shape", Math.min(Math.max(shape, NARROWEST), WIDEST));
    if (!other) return;
    tile.element.classList.toggle("is-film", run.kind === "film");
    const image = tile.link.querySelector("img");
    if (image && run.thumb) Object.assign(image, { src: run.thumb, alt: altOf(run) }); // the old one stays until the new one is there
    else tile.link.replaceChildren(thumbnail(run));
    tile.box.setAttribute("aria-label", `Choose ${altOf(run)}`);
    setText(tile.name, titleOf(run));
    setText(tile.state, run.state === "diverged" ? "stopped early" : stateOf(run));
    tile.state.classList.toggle("is-growing", run.state === "running");
    tile.goOn?.remove();
    tile.goOn = run.resumable ? actionButton("Go on", () => this.does.goOn(run), { class: "small" }) : null;
    if (tile.goOn) tile.frame.append(tile.goOn);
  }

  #choose({ run, box, element }) {
    this.#chosen = this.#chosen.filter((id) => id !== run.id);
    if (box.checked) this.#chosen.push(run.id);
    element.classList.toggle("is-chosen", box.checked);
    this.element.classList.toggle("has-chosen", this.#chosen.length > 0);
    this.does.chosen();
  }

  // Arrow keys go from picture to picture, Delete moves one to the trash.
  #key(event) {
    const links = [...this.element.querySelectorAll(".tile-frame > a")];
    const at = links.indexOf(event.target);
    if (at < 0 || event.ctrlKey || event.metaKey || event.altKey) return;
    const steps = { ArrowLeft: -1, ArrowRight: 1 };
    const id = event.target.closest(".tile").dataset.id;
    if (event.key in steps) links[at + steps[event.key]]?.focus();
    else if (event.key === "Delete") this.does.trash(this.#tiles.get(id).run);
    else if (event.key === "x" || event.key === " ") this.#tiles.get(id).box.click();
    else return;
    event.preventDefault();
  }
}
