// Settings as text, folded, with buttons that copy them and dream with them.

import { button, el } from "./dom.js";
import { keepDraft } from "./draft.js";
import { notice } from "./notice.js";
import { fileName } from "./saving.js";

// `name` is that of the run.
export function settingsText(toml, name) {
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
  const use = button("Use these settings", () => {
    keepDraft(fileName(`from_${name}`), toml);
    location.hash = "#/";
  }, { icon: "sliders" });
  return el("details", { class: "settings" }, el("summary", {}, "Settings"), text, el("div", { class: "buttons" }, use, copy));
}
