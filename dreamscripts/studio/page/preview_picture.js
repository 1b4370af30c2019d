// A small picture of a look on a photograph: the photograph in the dark, until its preview develops.

import { el } from "./dom.js";

// show(the photograph's small picture or null, the preview's address or null, whether another is on its way)
export function createPreviewPicture() {
  const under = el("img", { class: "look-photo", alt: "", draggable: false, hidden: true });
  const element = el("span", { class: "look-picture" }, under);
  let preview = null;

  return {
    element,
    show(thumb, url, waiting) {
      under.hidden = !thumb;
      if (thumb && under.getAttribute("src") !== thumb) under.src = thumb;
      element.classList.toggle("waiting", waiting);
      if (url === (preview?.getAttribute("src") ?? null)) return;
      preview?.remove();
      preview = url ? el("img", { class: "look-preview", src: url, alt: "", draggable: false, on: { load: ({ target }) => target.classList.add("developed") } }) : null;
      if (preview) element.append(preview);
    },
  };
}
