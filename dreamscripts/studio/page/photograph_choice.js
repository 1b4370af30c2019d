// Choose one of the photographs, as small pictures.

import { el, newId } from "./dom.js";

export function photographChoice(photos, chosen) {
  const name = newId("photograph");
  const first = photos.some(({ id }) => id === chosen) ? chosen : photos.at(-1).id;
  const choices = photos.toReversed().map((photo) =>
    el("label", { class: "photograph" },
      el("input", { type: "radio", name, value: photo.id, checked: photo.id === first, class: "visually-hidden" }),
      el("img", { src: photo.thumb, alt: photo.name, loading: "lazy", decoding: "async" })));
  const element = el("fieldset", { class: "photographs" }, el("legend", {}, "Photograph"), el("div", { class: "photographs-row" }, choices));
  return {
    element,
    get value() {
      return element.querySelector("input:checked").value;
    },
  };
}
