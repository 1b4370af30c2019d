// An X/Y sheet: nine pictures by two settings with three values each. Without an identifier, the form that makes one.

import { confirmed, openDialog } from "./dialog.js";
import { button, el, icon, setText } from "./dom.js";
import { notice } from "./notice.js";
import { actionButton, emptyState } from "./runs.js";
import { sheetForm } from "./sheet_form.js";
import { viewer } from "./viewer.js";
import { dayAndTime, lookTitle } from "./words.js";

const WORDS = { waiting: "waiting", running: "growing", stopped: "stopped", failed: "failed" };

export function view(root, store, api, id = null) {
  if (id === null || id === "new") return sheetForm(root, store, api);
  const made = new SheetView(root, store, api, id);
  return { destroy: () => made.destroy() };
}

class SheetView {
  constructor(root, store, api, id) {
    Object.assign(this, { root, store, api, id });
    this.cells = [];
    this.pictures = []; // of the cells, as they are shown
    this.end = store.subscribe(() => this.#draw());
    this.titles = {};
    this.#draw();
    api.get("/api/form").then(({ sliders }) => {
      for (const { key, title } of sliders) this.titles[key] = title;
      this.#nameAxes();
      this.pictures = []; // they are named by their axes
      this.#draw();
    }, () => {}); // without it, the axes have the names of the settings
  }

  destroy() {
    this.end();
    this.dialog?.close();
  }

  get #sheet() {
    return this.store.state.sheets.find((sheet) => sheet.id === this.id);
  }

  #draw() {
    const sheet = this.#sheet;
    if (!sheet) {
      this.table = null;
      this.root.replaceChildren(el("h1", {}, "Sheet"), emptyState("sheet", "This sheet is not here any more", "Its pictures may be in the history.", el("a", { class: "button", href: "#/history" }, "To the history")));
      return;
    }
    if (!this.table) this.#build(sheet);
    sheet.cells.flat().forEach((cell, number) => this.#fill(number, cell));
    const done = sheet.cells.flat().filter((cell) => cell.picture).length;
    setText(this.status, done === 9 ? dayAndTime(sheet.created) : `${done} of 9 pictures`);
    const failed = sheet.cells.flat().filter((cell) => cell.state === "failed");
    setText(this.problem, failed.map((cell) => this.store.job(cell.job)?.message ?? "").find(Boolean) ?? "");
    this.problem.hidden = !this.problem.textContent;
    this.download.hidden = !sheet.picture;
    if (sheet.picture) this.download.href = sheet.picture;
  }

  #build(sheet) {
    const photo = this.store.photo(sheet.photo);
    this.status = el("p", { class: "quiet-text", role: "status" });
    this.problem = el("p", { class: "run-message", role: "status", hidden: true });
    this.download = el("a", { class: "button", download: "" }, icon("down"), "Download");
    this.axes = { x: el("span", {}), y: el("span", {}) };
    const heads = sheet.x.values.map((value) => el("th", { scope: "col" }, String(value)));
    this.cells = sheet.cells.flat().map((_, number) => this.#makeCell(number));
    const rows = sheet.y.values.map((value, row) => el("tr", {}, el("th", { scope: "row" }, String(value)), this.cells.slice(3 * row, 3 * row + 3).map((cell) => el("td", {}, cell))));
    this.table = el("table", { class: "sheet" }, el("caption", {}, this.axes.y, this.axes.x),
      el("thead", {}, el("tr", {}, el("td"), heads)), el("tbody", {}, rows));
    this.root.replaceChildren(
      el("div", { class: "wall-head" }, el("h1", {}, `Sheet: ${lookTitle(sheet.look)}`, sheet.photo_name ? el("span", {}, ` on ${sheet.photo_name}`) : null), this.status,
        el("div", { class: "buttons" }, this.download, actionButton("Move to trash", () => this.#trash(), { icon: "bin", class: "quiet" }))),
      this.problem, this.table);
    if (photo) this.table.style.setProperty("--shape", photo.width / photo.height);
    this.#nameAxes();
  }

  #nameAxes() {
    const sheet = this.#sheet;
    if (!sheet || !this.table) return;
    setText(this.axes.x, `${this.#title(sheet.x)} →`);
    setText(this.axes.y, `${this.#title(sheet.y)} ↓`);
  }

  #makeCell(number) {
    const cell = el("button", { type: "button", class: "cell" });
    cell.addEventListener("click", () => this.#enlarge(number));
    return cell;
  }

  #title(axis) {
    return this.titles[axis.key] ?? axis.key;
  }

  #words(number) {
    const { x, y } = this.#sheet;
    return `${this.#title(x)} ${x.values[number % 3]}, ${this.#title(y)} ${y.values[Math.floor(number / 3)]}`;
  }

  #fill(number, { picture, state }) {
    const cell = this.cells[number];
    const shown = picture ?? state;
    if (this.pictures[number] === shown) return;
    this.pictures[number] = shown;
    cell.disabled = !picture;
    const words = WORDS[state] ?? state;
    cell.replaceChildren(picture
      ? el("img", { src: picture, alt: this.#words(number), decoding: "async", draggable: false })
      : el("span", {}, words, el("span", { class: "visually-hidden" }, `: ${this.#words(number)}`)));
    cell.classList.toggle("is-growing", state === "running");
  }

  #enlarge(number) {
    const cell = this.#sheet.cells.flat()[number];
    const photo = this.store.photo(this.#sheet.photo);
    const shown = viewer({ before: photo?.url, after: cell.picture, beforeAlt: "Before", afterAlt: this.#words(number), divide: 0 });
    const open = cell.run ? [button("Open", () => (location.hash = `#/run/${cell.run}`), { class: "primary" })] : [];
    this.dialog = openDialog(this.#words(number), shown.element, open);
    this.dialog.element.classList.add("large");
    this.dialog.element.addEventListener("close", () => shown.destroy());
  }

  async #trash() {
    if (!(await confirmed("Move this sheet to the trash?", "Its nine pictures go with it.", "Move to trash"))) return;
    await this.api.post(`/api/sheets/${this.id}/trash`);
    notice("The sheet is in the trash.");
    location.hash = "#/history";
  }
}
