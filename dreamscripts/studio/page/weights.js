// The layers of the network that the dream makes stronger, with their weights.

import { button, el, keyed, newId } from "./dom.js";
import { complain } from "./notice.js";

export function createWeights(draft, key) {
  const list = el("div", { class: "weights-list" });
  const known = el("datalist", { id: newId("layers") }, (key.choices ?? []).map((layer) => el("option", { value: layer })));
  const name = el("input", { type: "text", autocomplete: "off", spellcheck: false, placeholder: "another layer", "aria-label": "Another layer" });
  name.setAttribute("list", known.id);
  name.addEventListener("keydown", (event) => event.key === "Enter" && add());
  const element = el("div", { class: "weights" }, el("p", { class: "help" }, key.about ?? ""), list,
    el("div", { class: "weight" }, name, known, button("Add", add, { icon: "add" })));

  const set = (layer, value) => {
    const feature = draft.features[layer];
    const more = feature && Object.entries(feature).some(([one, its]) => one !== "weight" && its !== null && its !== undefined);
    return draft.change({ [`features.${layer}${more && value !== null ? ".weight" : ""}`]: value }).catch(complain);
  };

  function add() {
    const layer = name.value.trim();
    if (!layer) return name.focus();
    name.value = "";
    return set(layer, 1);
  }

  function make([layer]) {
    const input = el("input", { type: "text", inputMode: "decimal", "aria-label": `Weight of ${layer}` });
    input.addEventListener("change", () => {
      const value = Number(input.value.replace(",", "."));
      const good = input.value.trim() !== "" && Number.isFinite(value) && value >= 0;
      input.toggleAttribute("aria-invalid", false);
      if (good) set(layer, value);
      else input.setAttribute("aria-invalid", "true");
    });
    const remove = button(`Remove ${layer}`, () => set(layer, null), { icon: "close", only: true, class: "quiet" });
    return el("div", { class: "weight" }, el("code", { title: layer }, layer), input, remove);
  }

  function update(row, [, { weight }]) {
    const input = row.querySelector("input");
    if (document.activeElement !== input || draft.checked) input.value = String(weight);
  }

  return {
    element,
    show: () => keyed(list, Object.entries(draft.features), ([layer]) => layer, make, update),
  };
}
