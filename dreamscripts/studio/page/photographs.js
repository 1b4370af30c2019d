// The photographs that are here: a strip of small pictures, the newest first.

import { button, el, icon, keyed } from "./dom.js";
import { date } from "./words.js";

// `onChoose(id)` when a person chooses one. show(photos, chosen id or null, number on their way)
export function createPhotographs(intake, onChoose) {
  const strip = el("div", { class: "strip", role: "group", "aria-label": "Photographs" });
  const add = button("Add a photograph", intake.choose, { icon: "add", only: true, class: "strip-add" });
  const element = el("section", { class: "photographs" }, el("h2", {}, "Photograph"), el("div", { class: "strip-row" }, add, strip));

  function make(item) {
    if (item.coming) return el("div", { class: "thumb coming", role: "img", "aria-label": "A photograph is on its way" }, icon("picture"));
    const image = el("img", { src: item.thumb, alt: item.name, loading: "lazy", decoding: "async", draggable: false, width: 72, height: 72 });
    return el("button", { type: "button", class: "thumb", title: item.name, on: { click: () => onChoose(item.id) } }, image);
  }

  return {
    element,
    show(photos, chosen, coming) {
      const waiting = Array.from({ length: coming }, (_, place) => ({ coming: true, id: `coming-${place}` }));
      keyed(strip, [...waiting, ...newestFirst(photos)], (item) => item.id, make, (child, item) => item.coming || child.setAttribute("aria-pressed", item.id === chosen));
    },
  };
}

export const newestFirst = (photos) => [...photos].sort((a, b) => date(b.created) - date(a.created));
