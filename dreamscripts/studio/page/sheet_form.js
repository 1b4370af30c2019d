// Make an X/Y sheet: a photograph, a look, two settings, and three values of each.

import { withReadyNetwork } from "./beginning.js";
import { el, field, keyed, newId, setText } from "./dom.js";
import { keptDraft } from "./draft.js";
import { photographChoice } from "./photograph_choice.js";
import { actionButton, attempt, emptyState } from "./runs.js";
import { threeValues } from "./three_values.js";

const FIRST = { x: ["optimizer.max_change", "optimizer.step"], y: ["octaves.count", "optimizer.iterations"] }; // suggested axes
const SIZES = [192, 256, 384, 512];
const QUICK = 256; // pixels: nine pictures take nine times as long as one
const SIZE = "size"; // the key of the setting

export function sheetForm(root, store, api) {
  const made = new SheetForm(root, store, api);
  return { destroy: () => made.destroy() };
}

class SheetForm {
  #ended = false;
  #turn = 0;

  constructor(root, store, api) {
    Object.assign(this, { root, store, api });
    root.append(el("div", { class: "wall-head" }, el("h1", {}, "Nine variations")));
    if (store.state.photos.length > 0) attempt(() => this.#build());
    else
      root.append(emptyState("picture", "A sheet needs a photograph", "Choose one on the first page, then come back.",
        el("a", { class: "button primary", href: "#/" }, "Choose a photograph")));
  }

  destroy() {
    this.#ended = true;
  }

  async #build() {
    const { sliders } = await this.api.get("/api/form");
    if (this.#ended) return;
    this.all = sliders;
    this.photo = photographChoice(this.store.state.photos, sessionStorage.getItem("dreamscripts-photo"));
    this.look = this.#lookChoice();
    this.origin = el("p", { class: "help" });
    this.size = el("select", {}, el("option", { value: "" }, "as in the settings"), SIZES.map((size) => el("option", { value: size }, `${size} pixels`)));
    this.size.value = QUICK;
    this.axes = { x: this.#axis("x", "Across"), y: this.#axis("y", "Down") };
    this.words = el("p", { class: "quiet-text", role: "status" });
    this.make = actionButton("Make nine pictures", () => this.#make(), { icon: "sheet", class: "primary" });
    const form = el("form", { class: "sheet-form", noValidate: true },
      el("p", { class: "quiet-text" }, "Two settings, three values of each: nine pictures side by side show what they do."),
      this.photo.element,
      el("div", { class: "two" }, el("div", {}, field("Look", this.look), this.origin), field("Longest side of each", this.size)),
      this.axes.x.element, this.axes.y.element, this.words, el("div", { class: "buttons" }, this.make));
    form.addEventListener("submit", (event) => (event.preventDefault(), this.make.click()));
    this.root.append(form);
    await this.#readLook();
  }

  // The looks, and the settings that the person is at on the first page.
  #lookChoice() {
    this.draft = keptDraft();
    const looks = this.store.state.looks.map(({ name, title }) => ({ name, title: title || name }));
    if (this.draft.toml && !this.store.look(this.draft.look)) looks.unshift({ name: this.draft.look, title: this.draft.look });
    const select = el("select", {}, looks.map(({ name, title }) => el("option", { value: name }, title)));
    if (looks.some(({ name }) => name === this.draft.look)) select.value = this.draft.look;
    select.addEventListener("change", () => attempt(() => this.#readLook()));
    return select;
  }

  #axis(name, words) {
    const id = newId("axis");
    const select = el("select", { id });
    const values = threeValues(words);
    const help = el("p", { class: "help" });
    const element = el("fieldset", { class: "axis-choice" }, el("legend", {}, words),
      el("label", { class: "visually-hidden", htmlFor: id }, `Setting, ${words.toLowerCase()}`), select, values.element, help);
    const axis = { name, select, values, help, element };
    select.addEventListener("change", () => this.#suggest(axis));
    return axis;
  }

  // Read the settings of the look, and offer those of them that have sliders.
  async #readLook() {
    const turn = ++this.#turn;
    const changed = Boolean(this.draft.toml) && this.draft.look === this.look.value;
    const { toml } = changed ? this.draft : await this.api.get(`/api/looks/${encodeURIComponent(this.look.value)}`);
    const checked = await this.#runnable(await this.api.post("/api/settings/check", { toml }));
    const { values } = checked;
    if (this.#ended || turn !== this.#turn) return;
    Object.assign(this, { toml: checked.toml, settings: values });
    setText(this.origin, changed ? "With the settings that you changed." : "");
    const sliders = this.all.filter(({ key }) => values[key] !== undefined);
    for (const axis of Object.values(this.axes)) {
      const before = axis.select.value;
      keyed(axis.select, sliders, ({ key }) => key, ({ key }) => el("option", { value: key }), (option, { title }) => setText(option, title));
      const wanted = [before, ...FIRST[axis.name], sliders[axis.name === "x" ? 0 : 1]?.key];
      axis.select.value = wanted.find((key) => sliders.some((slider) => slider.key === key));
      this.#suggest(axis);
    }
  }

  // Settings whose network is here: nine pictures should not wait for a download.
  async #runnable(checked) {
    const changes = withReadyNetwork(this.store.state.networks)(checked);
    return changes ? this.api.post("/api/settings/change", { toml: checked.toml, changes }) : checked;
  }

  // Suggest three values, around that of the look.
  #suggest(axis) {
    const slider = this.all.find(({ key }) => key === axis.select.value);
    if (!slider) return;
    setText(axis.help, slider.about ?? "");
    axis.values.suggest(slider, this.settings[slider.key]);
  }

  async #make() {
    const { x, y } = this.axes;
    const problem = x.select.value === y.select.value ? "Choose two different settings." : x.values.problem() ?? y.values.problem();
    setText(this.words, problem ?? "");
    if (problem) return;
    const axis = ({ select, values }) => ({ key: select.value, values: values.values });
    const sheet = await this.api.post("/api/sheets", { photo: this.photo.value, look: this.look.value, toml: await this.#sized(), x: axis(x), y: axis(y) });
    this.store.receive("sheet", sheet); // its event may come later than this answer
    location.hash = `#/sheet/${sheet.id}`;
  }

  // The settings with the size of the pictures, unless the size is one of the axes.
  async #sized() {
    const size = Number(this.size.value);
    if (!size || [this.axes.x, this.axes.y].some(({ select }) => select.value === SIZE)) return this.toml;
    const { toml } = await this.api.post("/api/settings/change", { toml: this.toml, changes: { [SIZE]: size } });
    return toml;
  }
}
