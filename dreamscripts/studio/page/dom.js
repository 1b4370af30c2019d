// Building elements. Text goes in as text, never as markup.

const SVG = "http://www.w3.org/2000/svg";

// el("button", {class: "button", type: "button", on: {click: act}}, "Dream", icon("play"))
// A property of the element is set where it has one (value, hidden, disabled), otherwise an attribute; null leaves it out.
export function el(tag, properties = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(properties)) {
    if (value === null || value === undefined) continue;
    if (name === "on") for (const [event, act] of Object.entries(value)) element.addEventListener(event, act);
    else if (name === "class") element.className = value;
    else if (name === "dataset") Object.assign(element.dataset, value);
    else if (name in element && name !== "list" && name !== "form") element[name] = value;
    else element.setAttribute(name, value === true ? "" : value);
  }
  element.append(...children.flat(Infinity).filter((child) => child !== null && child !== undefined && child !== false));
  return element;
}

export function svg(tag, attributes = {}, ...children) {
  const element = document.createElementNS(SVG, tag);
  for (const [name, value] of Object.entries(attributes)) if (value !== null) element.setAttribute(name, value);
  element.append(...children.flat());
  return element;
}

// Strokes on a field of 24 × 24.
const ICONS = {
  add: "M12 5v14M5 12h14",
  back: "M15 5l-7 7 7 7",
  bin: "M4 7h16M10 4h4M6 7l1 13h10l1-13M10 11v5M14 11v5",
  camera: "M4 8h4l2-3h4l2 3h4v11H4zM12 16.500a3.5 3.5 0 1 0 0-7 3.5 3.5 0 0 0 0 7z",
  check: "M5 12.5l4.5 4.5L19 7.5",
  close: "M6 6l12 12M18 6L6 18",
  compare: "M12 3v18M4 6h4.5v12H4zM15.5 6H20v12h-4.5z",
  copy: "M9 9h11v11H9zM15 9V4H4v11h5",
  divider: "M9 7l-5 5 5 5M15 7l5 5-5 5",
  down: "M12 4v12M6 11l6 6 6-6M5 20h14",
  film: "M4 5h16v14H4zM8 5v14M16 5v14M4 9.700h4M4 14.300h4M16 9.700h4M16 14.300h4",
  first: "M12 20V8M6 13l6-6 6 6M5 4h14",
  fit: "M4 9V4h5M20 9V4h-5M4 15v5h5M20 15v5h-5M9 9h6v6H9z",
  full: "M14 10l6-6M15 4h5v5M10 14l-6 6M9 20H4v-5",
  go: "M8 5l11 7-11 7z",
  minus: "M5 12h14",
  more: "M6 9l6 6 6-6",
  picture: "M4 5h16v14H4zM4 16l5-5 4 4 3-3 4 4M15.5 9.500h.01",
  reset: "M5 12a7 7 0 1 0 2.2-5.100L4 10M4 4v6h6",
  save: "M5 4h11l3 3v13H5zM8 4v5h7V4M8 20v-6h8v6",
  sheet: "M4 4h16v16H4zM9.3 4v16M14.7 4v16M4 9.300h16M4 14.700h16",
  sliders: "M5 7h9M18 7h1M5 17h2M11 17h8M16 5v4M9 15v4",
  stop: "M7 7h10v10H7z",
  swap: "M7 8h13l-4-4M17 16H4l4 4",
  warn: "M12 4l9 16H3zM12 10v4M12 17h.01",
};

export function icon(name) {
  return svg("svg", { viewBox: "0 0 24 24", class: "glyph", "aria-hidden": "true" }, svg("path", { d: ICONS[name] }));
}

// button("Stop", act, {icon: "stop", class: "primary"}); with `only: true` the words are for screen readers and the tooltip.
export function button(words, act, { icon: name, class: kind = "", only = false, ...properties } = {}) {
  const label = only ? { title: words, "aria-label": words } : {};
  const on = act ? { click: act } : {};
  return el("button", { type: "button", class: `button ${only ? "icon " : ""}${kind}`.trim(), on, ...label, ...properties },
    name ? icon(name) : null, only ? null : words);
}

let count = 0;
export const newId = (stem) => `${stem}-${++count}`;

// A labelled control: field("Name", input, "Letters, digits, - and _")
export function field(words, control, help = "") {
  control.id ||= newId("field");
  const hint = help ? el("p", { class: "help", id: `${control.id}-help` }, help) : null;
  if (hint) control.setAttribute("aria-describedby", hint.id);
  return el("div", { class: "field" }, el("label", { htmlFor: control.id }, words), control, hint);
}

// Set a property or a text only where it differs, so that nothing is drawn, or read out, again.
export function setText(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

// differs(...values) says whether a value is another than the last time it was asked.
export function memory() {
  let last = null;
  return (...values) => {
    const differs = !last || values.some((value, place) => value !== last[place]);
    last = values;
    return differs;
  };
}

// Bring the children of `parent` into the order of `items` and keep those that are there: `make` builds, `update` refreshes.
export function keyed(parent, items, key, make, update) {
  const old = new Map([...parent.children].map((child) => [child.dataset.key, child]));
  let place = parent.firstElementChild;
  for (const item of items) {
    const name = String(key(item));
    let child = old.get(name);
    old.delete(name);
    if (!child) {
      child = make(item);
      child.dataset.key = name;
    }
    if (child === place) place = place.nextElementSibling;
    else parent.insertBefore(child, place);
    update?.(child, item);
  }
  for (const child of old.values()) child.remove();
}
