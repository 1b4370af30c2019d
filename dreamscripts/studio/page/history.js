// The history: a wall of all pictures and films, by date, with filters; two can be compared, and any moved to the trash.

import { button, el, icon, newId } from "./dom.js";
import { announce } from "./notice.js";
import { actionButton, attempt, emptyState, toTrash } from "./runs.js";
import { sheetList } from "./sheet_list.js";
import { Tiles } from "./tiles.js";
import { count, lookTitle } from "./words.js";

const PAGE = 60;
const LARGEST_PAGE = 200;
const remembered = { look: "", photo: "", size: 0, scroll: 0, opened: null }; // back from a picture, the wall is as it was

export function view(root, store, api) {
  const made = new History(root, store, api);
  return { destroy: () => made.destroy() };
}

class History {
  #next = null;
  #turn = 0;
  #meanwhile = null; // while the wall is asked for: what happens, which the answer may not know yet

  constructor(root, store, api) {
    Object.assign(this, { store, api });
    this.tiles = new Tiles({ chosen: () => this.#showChosen(), trash: (run) => this.#trash([run]), goOn: (run) => this.#goOn(run) });
    this.sheets = sheetList(store);
    this.nothing = el("div", { hidden: true });
    this.filters = { look: this.#filter("look", "Look", "all looks"), photo: this.#filter("photo", "Photograph", "all photographs") };
    this.more = actionButton("Show more", () => this.#load(), { hidden: true, class: "wide" });
    this.chosen = el("div", { class: "chosen", role: "group", "aria-label": "Chosen pictures", hidden: true });
    root.append(this.#head(), this.sheets.element, this.nothing, this.tiles.element, this.more, this.chosen);
    this.ends = [
      store.on("run", (run) => this.#hear(() => this.#changed(run))),
      store.on("run-gone", ({ id }) => this.#hear(() => this.#gone(id))),
    ];
    this.seeing = new IntersectionObserver(([entry]) => entry.isIntersecting && this.more.click(), { rootMargin: "600px" });
    this.seeing.observe(this.more);
    this.tiles.element.addEventListener("click", ({ target }) => (remembered.opened = target.closest(".tile")?.dataset.id ?? null));
    this.#reload(true);
  }

  destroy() {
    this.#turn += 1;
    Object.assign(remembered, { size: this.tiles.size, scroll: scrollY });
    for (const end of this.ends) end();
    this.seeing.disconnect();
    this.sheets.destroy();
  }

  #head() {
    return el("div", { class: "wall-head" },
      el("h1", {}, "History"),
      el("div", { class: "filters" }, this.filters.look.element, this.filters.photo.element),
      el("div", { class: "buttons" },
        el("a", { class: "button", href: "#/sheet" }, icon("sheet"), "Nine variations"),
        el("a", { class: "button", href: "#/trash" }, icon("bin"), "Trash")));
  }

  #filter(key, words, all) {
    const select = el("select", { id: newId("filter") });
    select.addEventListener("change", () => {
      remembered[key] = select.value;
      this.#reload();
    });
    const fill = (names) => {
      if (remembered[key] && !names.includes(remembered[key])) names = [...names, remembered[key]];
      select.replaceChildren(el("option", { value: "" }, all), ...names.map((name) => el("option", { value: name }, key === "look" ? lookTitle(name) : name)));
      select.value = remembered[key];
    };
    fill([]);
    return { element: el("div", { class: "filter" }, el("label", { htmlFor: select.id }, words), select), fill };
  }

  // Begin the wall anew. The old one stays until the new one is there.
  async #reload(returns = false) {
    this.#next = null;
    await attempt(() => this.#load(true, returns ? Math.min(Math.max(remembered.size, PAGE), LARGEST_PAGE) : PAGE));
    if (!returns || remembered.opened === null || this.tiles.size === 0) return;
    scrollTo(0, remembered.scroll);
    this.tiles.focus(remembered.opened);
    remembered.opened = null;
  }

  async #load(anew = false, limit = PAGE) {
    const turn = anew ? ++this.#turn : this.#turn;
    this.#meanwhile = [];
    const query = new URLSearchParams({ limit, look: remembered.look, photo: remembered.photo });
    if (!anew && this.#next) query.set("before", this.#next);
    const { runs, next, looks, photos } = await this.api.get(`/api/runs?${query}`);
    if (turn !== this.#turn) return;
    if (anew) this.tiles.clear();
    this.tiles.add(runs.filter((run) => !this.#isCell(run)));
    this.#next = next;
    this.filters.look.fill(looks);
    this.filters.photo.fill(photos);
    for (const happen of this.#meanwhile ?? []) happen();
    this.#meanwhile = null;
    this.#showNumber();
    this.seeing.unobserve(this.more); // it may still be in sight: look again
    this.seeing.observe(this.more);
    if (anew && (remembered.look || remembered.photo)) announce(next ? "The newest pictures are shown." : `${count(this.tiles.size, "picture")} found.`);
  }

  #showNumber() {
    const filtered = Boolean(remembered.look || remembered.photo);
    this.more.hidden = this.#next === null;
    this.nothing.hidden = this.tiles.size > 0 || this.#next !== null;
    if (this.nothing.hidden) return;
    const all = button("Show everything", () => {
      remembered.look = remembered.photo = "";
      this.#reload();
    });
    this.nothing.replaceChildren(filtered
      ? emptyState("picture", "Nothing here", "No picture has this look and this photograph.", all)
      : emptyState("picture", "Nothing dreamt yet", "What you make appears here, and what the command makes in this folder, too.",
        el("a", { class: "button primary", href: "#/" }, "Begin a dream")));
  }

  // The nine pictures of a sheet are seen on it, not one by one among the others.
  #isCell(run) {
    return this.store.state.sheets.some(({ id }) => id === run.sheet);
  }

  #hear(happen) {
    this.#meanwhile?.push(happen);
    happen();
  }

  #changed(run) {
    if (this.#isCell(run)) return;
    const shown = this.tiles.has(run.id);
    const fits = (!remembered.look || remembered.look === run.look) && (!remembered.photo || remembered.photo === run.photo_name);
    if (shown || (fits && (this.#next === null || this.tiles.isNewest(run)))) this.tiles.add([run]);
    this.#showNumber();
  }

  #gone(id) {
    this.tiles.remove(id);
    this.#showNumber();
  }

  // What can be done with the chosen pictures, at the lower edge of the window.
  #showChosen() {
    const runs = this.tiles.chosen;
    this.chosen.hidden = runs.length === 0;
    if (runs.length === 0) return;
    const pictures = runs.filter((run) => run.picture && run.kind !== "film");
    const two = runs.length === 2 && pictures.length === 2;
    const compare = button("Compare", () => two && (location.hash = `#/compare/${runs[0].id}/${runs[1].id}`), { icon: "compare", class: "primary" });
    if (!two) compare.setAttribute("aria-disabled", "true");
    const words = el("p", {}, runs.length === 1 ? "1 chosen. Choose another one to compare." : `${runs.length} chosen`);
    const focused = [...this.chosen.querySelectorAll("button")].indexOf(document.activeElement);
    this.chosen.replaceChildren(words, compare,
      actionButton("Move to trash", () => this.#trash(runs), { icon: "bin" }),
      button("Choose none", () => this.tiles.chooseNone(), { icon: "close", only: true, class: "quiet" }));
    if (focused >= 0) this.chosen.querySelectorAll("button")[focused]?.focus();
    announce(words.textContent);
  }

  async #trash(runs) {
    for (const run of await toTrash(this.api, ...runs)) this.tiles.remove(run.id, true);
    this.#showNumber();
  }

  async #goOn(run) {
    await this.api.post(`/api/runs/${run.id}/go-on`);
    location.hash = "#/";
  }
}
