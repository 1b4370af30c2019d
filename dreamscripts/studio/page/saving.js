// Save the settings as a look of one's own: a file NAME.toml in the folder of the studio.

import { button, el, field } from "./dom.js";
import { openDialog } from "./dialog.js";
import { notice } from "./notice.js";

const LONGEST = 60;

// A name for a file: small letters, digits, "-" and "_".
export function fileName(text) {
  const plain = text.normalize("NFKD").replace(/\p{M}/gu, "").toLowerCase();
  return plain.replace(/[^a-z0-9_-]+/g, "_").replace(/^_+|_+$/g, "").slice(0, LONGEST);
}

export function openSaving(draft, store, api) {
  const old = store.look(draft.look);
  const input = el("input", { type: "text", autocomplete: "off", spellcheck: false, maxLength: LONGEST, value: old?.own ? old.name : `my_${draft.look ?? "look"}`, required: true });
  const result = el("p", { class: "help" });
  const problem = el("p", { class: "error-text" });
  const form = el("form", { id: "save-form", on: { submit: save } }, field("Name", input), result, problem);
  const submit = button("Save", null, { type: "submit", class: "primary", icon: "save" });
  submit.setAttribute("form", "save-form");
  const dialog = openDialog("Save as your own look", form, [button("Cancel", () => dialog.close()), submit]);
  input.addEventListener("input", show);
  input.select();
  show();

  function show() {
    const name = fileName(input.value);
    const there = store.look(name);
    problem.textContent = there && !there.own ? "A look of the package has this name. Please choose another." : "";
    result.textContent = !name ? "Letters, digits, - and _" : there?.own ? `Replaces your ${name}.toml` : `Saved as ${name}.toml, which the command line can use, too`;
    submit.disabled = !name || Boolean(problem.textContent);
  }

  async function save(event) {
    event.preventDefault();
    const name = fileName(input.value);
    if (submit.disabled) return;
    try {
      await draft.settle();
      await api.put(`/api/looks/${name}`, { toml: draft.toml });
    } catch (error) {
      problem.textContent = error.message;
      return;
    }
    dialog.close();
    Object.assign(draft, { look: name, title: name, carried: false, original: draft.toml });
    draft.edit(draft.toml);
    notice(`Saved as ${name}.toml.`);
  }
}
