// A picture that was made here carries its settings: ask what to do with them.

import { button, el } from "./dom.js";
import { openDialog } from "./dialog.js";
import { complain, notice } from "./notice.js";
import { fileName } from "./saving.js";
import { withReadyNetwork } from "./beginning.js";

// `photo` has just arrived and has settings; `other` is the photograph that was chosen before, or null.
export function offerSettings(photo, other, draft, store, choose) {
  const stem = photo.name.replace(/\.[^.]+$/, "");
  const on = (id) => () => {
    dialog.close();
    choose(id);
    draft.take(fileName(`from_${stem}`), stem, photo.settings, withReadyNetwork(store.state.networks))
      .then(() => notice(`These are the settings of ${photo.name}.`)).catch(complain);
  };
  const only = () => {
    dialog.close();
    choose(photo.id);
  };
  const toOther = other && other.id !== photo.id ? button(`Its settings, on ${other.name}`, on(other.id), { class: "primary wide", autofocus: true }) : null;
  const dialog = openDialog("This picture carries its settings", el("div", { class: "carried" },
    el("img", { class: "carried-picture", src: photo.thumb, alt: photo.name }),
    el("p", {}, "It was made by dreamscripts. What would you like to use?"),
    toOther,
    button("Its settings, on this picture", on(photo.id), toOther ? { class: "wide" } : { class: "primary wide", autofocus: true }),
    button("Only the picture", only, { class: "wide" })));
}
