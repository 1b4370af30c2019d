// Settings as text, folded, with a button that copies them.

import { button, el } from "./dom.js";
import { notice } from "./notice.js";

export function settingsText(toml) {
  if (!toml) return null;
  const text = el("pre", { class: "settings-text", tabIndex: 0, role: "region", "aria-label": "Settings" }, toml);
  const copy = button("Copy", async () => {
    try {
      await navigator.clipboard.writeText(toml);
      notice("The settings are copied.");
    } catch {
      getSelection().selectAllChildren(text); // where the browser does not allow it: the person copies what is marked
    }
  }, { icon: "copy", class: "quiet" });
  return el("details", { class: "settings" }, el("summary", {}, "Settings"), text, copy);
}
