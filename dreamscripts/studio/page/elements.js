/** Make elements of the page. Text goes in as text, never as HTML. */

const SVG = "http://www.w3.org/2000/svg";

const ICONS = {
  divider: "M9 7l-5 5 5 5M15 7l5 5-5 5",
  plus: "M12 5v14M5 12h14",
  minus: "M5 12h14",
  fit: "M4 9V4h5M20 9V4h-5M4 15v5h5M20 15v5h-5M9 9h6v6H9z",
  full: "M14 10l6-6M15 4h5v5M10 14l-6 6M9 20H4v-5",
};

/** Return an element with attributes and children: elements, or texts. Attributes that are null or false are left out. */
export function element(name, attributes = {}, ...children) {
  return filled(document.createElement(name), attributes, children);
}

/** Return an element of SVG. */
export function drawing(name, attributes = {}, ...children) {
  return filled(document.createElementNS(SVG, name), attributes, children);
}

/** Return a button that shows `content` and does `act(event)`. */
export function button(content, act, attributes = {}) {
  const made = element("button", { type: "button", ...attributes }, content);
  made.addEventListener("click", act);
  return made;
}

/** Return a small picture drawn with lines. It has no meaning of its own: the control that has it needs a label. */
export function icon(name) {
  const path = drawing("path", { d: ICONS[name] });
  return drawing("svg", { class: "icon", viewBox: "0 0 24 24", "aria-hidden": "true", focusable: "false" }, path);
}

function filled(made, attributes, children) {
  for (const [name, value] of Object.entries(attributes)) {
    if (value === null || value === undefined || value === false) continue;
    made.setAttribute(name, value === true ? "" : value);
  }
  made.append(...children.filter((child) => child !== null && child !== undefined));
  return made;
}
