// All settings: the form, and the same as a text beside it.

import { el } from "./dom.js";
import { createSettingsForm } from "./settings_form.js";
import { createTomlEditor } from "./toml_editor.js";

export function createSettings(draft) {
  const form = createSettingsForm(draft);
  const text = createTomlEditor(draft);
  const summary = el("summary", {}, el("h2", {}, "All settings"));
  const element = el("details", { class: "all-settings" }, summary, el("div", { class: "settings-parts" }, form.element, text.element));
  element.addEventListener("toggle", show);

  function show() {
    if (!element.open) return;
    form.show();
    text.show();
  }

  return {
    element, show,
    build: (keys) => form.build(keys),
    open() {
      element.open = true;
      show();
      summary.focus({ preventScroll: true });
      element.scrollIntoView({ block: "start" });
    },
  };
}
