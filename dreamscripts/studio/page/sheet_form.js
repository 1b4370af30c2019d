// Make an X/Y sheet: a photograph, a look, two settings, and three values of each.

import { el, field, newId, setText } from "./dom.js";
import { actionButton, attempt, emptyState } from "./runs.js";
import { photographChoice } from "./photograph_choice.js";
import { threeValues } from "./three_values.js";

const FIRST = { x: "optimizer.iterations", y: "octaves.count" };

export function sheetForm(root, store, api) {
  const made = new SheetForm(root, store, api);
  return { destroy: () => made.destroy() };
}

class SheetForm {
  #ended = false;
  #turn = 0;

  constructor(root, store, api) {
    Object.assign(this, { root, store, api });
    if (store.state.photos.length === 0) {
      root.append(emptyState("picture", "A sheet needs a photograph", "Drop one on the first page, then come back.", el("a", { class: "button primary", href: "#/" }, "Choose a photograph")));
      return;
    }
    attempt(() => this.#build());
  }

  destroy() {
    this.#ended = true;
  }

  async #build() {
    const { sliders } = await this.api.get("/api/form");
    if (this.#ended) return;
    this.sliders = sliders;
    this.photo = photographChoice(this.store.state.photos, sessionStorage.getItem("dreamscripts-photo"));
    this.look = el("select", {}, this.store.state.looks.map(({ name, title }) => el("option", { value: name }, title || name)));
    this.look.addEventListener("change", () => attempt(() => this.#suggest()));
    this.axes = { x: this.#axis("x", "Across"), y: this.#axis("y", "Down") };
    this.words = el("p", { class: "quiet-text", role: "status" });
    this.make = actionButton("Make nine pictures", () => this.#make(), { icon: "sheet", class: "primary" });
    this.root.append(
      el("div", { class: "wall-head" }, el("h1", {}, "New sheet")),
      el("form", { class: "sheet-form" },
        el("p", { class: "quiet-text" }, "Two settings, three values of each: nine pictures side by side show what they do."),
        this.photo.element, field("Look", this.look), this.axes.x.element, this.axes.y.element, this.words, el("div", { class: "buttons" }, this.make)));
    this.root.querySelector("form").addEventListener("submit", (event) => (event.preventDefault(), this.make.click()));
    await this.#suggest();
  }

  #axis(name, words) {
    const id = newId("axis");
    const first = this.sliders.find(({ key }) => key === FIRST[name]) ?? this.sliders[name === "x" ? 0 : 1];
    const select = el("select", { id }, this.sliders.map(({ key, title }) => el("option", { value: key }, title)));
    select.value = first.key;
    const values = threeValues();
    const help = el("p", { class: "help" });
    const axis = { select, values, help, element: el("fieldset", { class: "axis-choice" }, el("legend", {}, words),
      el("label", { class: "visually-hidden", htmlFor: id }, `Setting, ${words.toLowerCase()}`), select, values.element, help) };
    select.addEventListener("change", () => this.#suggestFor(axis));
    return axis;
  }

  // Suggest values around those of the look.
  async #suggest() {
    const turn = ++this.#turn;
    const { toml } = await this.api.get(`/api/looks/${encodeURIComponent(this.look.value)}`);
    const checked = await this.api.post("/api/settings/check", { toml });
    if (this.#ended || turn !== this.#turn) return;
    this.toml = toml;
    this.settings = checked.values;
    for (const axis of Object.values(this.axes)) this.#suggestFor(axis);
  }

  #suggestFor(axis) {
    const slider = this.sliders.find(({ key }) => key === axis.select.value);
    setText(axis.help, slider.about ?? "");
    axis.values.suggest(slider, this.settings?.[slider.key]);
  }

  async #make() {
    const { x, y } = this.axes;
    const problem = x.select.value === y.select.value ? "Choose two different settings." : x.values.problem() ?? y.values.problem();
    setText(this.words, problem ?? "");
    if (problem) return;
    const sheet = await this.api.post("/api/sheets", { photo: this.photo.value, look: this.look.value, toml: this.toml,
      x: { key: x.select.value, values: x.values.values }, y: { key: y.select.value, values: y.values.values } });
    this.store.receive("sheet", sheet); // its event may come later than this answer
    location.hash = `#/sheet/${sheet.id}`;
  }
}
