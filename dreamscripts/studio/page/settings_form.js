// All settings as a form, made from the settings' own schema.

import { el, field } from "./dom.js";
import { complain } from "./notice.js";
import { createWeights } from "./weights.js";

const TITLES = {
  "": "General", features: "Layers", penalties: "Penalties", jitter: "Random moves", octaves: "Octaves", tiles: "Tiles", optimizer: "Optimizer",
  guide: "Guide picture", zoom: "Zoom film",
};

export function createSettingsForm(draft) {
  const find = el("input", { type: "search", autocomplete: "off", placeholder: "size, noise, …", on: { input: () => filter() } });
  const none = el("p", { class: "help", hidden: true }, "No setting has this name.");
  const groups = el("div", { class: "form-groups" });
  const element = el("div", { class: "settings-form" }, field("Find a setting", find), none, groups);
  const rows = []; // {key, element, show()}

  const set = (key, value) => draft.change({ [key]: value }).catch(complain);

  function build(keys) {
    const tables = new Map();
    for (const key of keys.filter(({ table }) => table !== "video")) { // the studio makes no films of films
      const row = key.kind === "weights" ? createWeights(draft, key) : createRow(key, set, draft);
      rows.push({ ...row, key });
      const table = key.kind === "weights" ? "features" : key.table;
      if (!tables.has(table)) tables.set(table, []);
      tables.get(table).push(row.element);
    }
    for (const [table, elements] of tables) {
      groups.append(el("fieldset", { class: "form-group", dataset: { table } }, el("legend", {}, TITLES[table] ?? table), elements));
    }
  }

  function filter() {
    const wanted = find.value.trim().toLowerCase();
    for (const { key, element: row } of rows) {
      const other = key.optimizers && !key.optimizers.includes(draft.optimizer);
      row.hidden = other || !`${key.key} ${key.about}`.toLowerCase().includes(wanted);
    }
    for (const group of groups.children) group.hidden = ![...group.children].some((child) => child.tagName !== "LEGEND" && !child.hidden);
    none.hidden = [...groups.children].some((group) => !group.hidden);
  }

  return {
    element, build,
    show() {
      for (const row of rows) row.show();
      filter();
    },
  };
}

function createRow(key, set, draft) {
  const control = key.kind === "boolean" ? createBoolean() : key.kind === "choice" ? createChoice(key) : createText(key);
  const input = control.input;
  const name = key.key.slice(key.table ? key.table.length + 1 : 0);
  const element = field(name, input, (key.about ?? "").replaceAll("`", ""));
  element.classList.add("key");
  input.addEventListener("change", () => {
    const value = control.read();
    if (value === undefined) input.setAttribute("aria-invalid", "true");
    else set(key.key, value);
  });
  return {
    element,
    show() {
      if (document.activeElement === input && !draft.checked) return;
      input.removeAttribute("aria-invalid");
      control.write(draft.values[key.key]);
    },
  };
}

function createBoolean() {
  const input = el("select", {}, el("option", { value: "" }, "as usual"), el("option", { value: "true" }, "yes"), el("option", { value: "false" }, "no"));
  return {
    input,
    read: () => (input.value === "" ? null : input.value === "true"),
    write: (value) => (input.value = value === null || value === undefined ? "" : String(value)),
  };
}

function createChoice({ choices }) {
  const unset = el("option", { value: "" }, "as usual");
  const input = el("select", {}, unset, (choices ?? []).map((choice) => el("option", { value: choice }, String(choice))));
  const known = new Set([...input.options].map((option) => option.value));
  return {
    input,
    read: () => (input.value === "" ? null : input.value),
    write(value) {
      const text = value === null || value === undefined ? "" : String(value);
      for (const option of [...input.options]) if (!known.has(option.value)) option.remove();
      if (!known.has(text)) input.append(el("option", { value: text }, text));
      input.value = text;
    },
  };
}

function createText({ kind, low, high, default: usual }) {
  const numeric = kind === "integer" || kind === "number";
  const input = el("input", { type: "text", autocomplete: "off", spellcheck: false, inputMode: numeric ? "decimal" : "text", placeholder: usual === null || usual === undefined ? "as usual" : String(usual) });
  const fits = (value) => Number.isFinite(value) && (kind !== "integer" || Number.isInteger(value)) && value >= (low ?? -Infinity) && value <= (high ?? Infinity);
  return {
    input,
    read() {
      const text = input.value.trim();
      if (text === "") return null;
      if (!numeric) return text;
      const value = Number(text.replace(",", "."));
      return fits(value) ? value : undefined;
    },
    write: (value) => (input.value = value === null || value === undefined ? "" : typeof value === "object" ? JSON.stringify(value) : String(value)),
  };
}
