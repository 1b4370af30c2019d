// The X/Y sheets that there are, as links above the wall.

import { el, keyed, setText } from "./dom.js";
import { day, lookTitle } from "./words.js";

export function sheetList(store) {
  const list = el("ul", { class: "sheets", role: "list", "aria-label": "Sheets" });
  const made = ({ id }) => el("li", {}, el("a", { class: "sheet-link", href: `#/sheet/${id}` }, el("span", { class: "sheet-small", "aria-hidden": "true" }), el("span", { class: "sheet-words" })));
  const draw = ({ sheets }) => {
    const newest = [...sheets].sort((one, other) => (one.created < other.created ? 1 : -1));
    keyed(list, newest, (sheet) => sheet.id, made, show);
    list.hidden = newest.length === 0;
  };
  draw(store.state);
  const end = store.subscribe(draw);
  return { element: list, destroy: end };
}

function show(item, sheet) {
  const cells = sheet.cells.flat();
  const done = cells.filter((cell) => cell.picture).length;
  const small = item.querySelector(".sheet-small");
  if (Number(small.dataset.done) !== done) {
    small.dataset.done = done;
    small.replaceChildren(...cells.map((cell) => (cell.picture ? el("img", { src: cell.picture, alt: "", loading: "lazy", decoding: "async" }) : el("span"))));
  }
  const still = done < cells.length ? `, ${done} of ${cells.length}` : "";
  setText(item.querySelector(".sheet-words"), `Sheet: ${lookTitle(sheet.look)}, ${day(sheet.created)}${still}`);
}
