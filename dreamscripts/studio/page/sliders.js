// The settings that matter most, as sliders with plain names.

import { el, field, keyed, newId, setText } from "./dom.js";
import { complain } from "./notice.js";

const FINE = 1000; // places of a slider whose scale is logarithmic
const KEYS = { ArrowLeft: -1, ArrowDown: -1, ArrowRight: 1, ArrowUp: 1, PageDown: -5, PageUp: 5 };

export function createSliders(draft) {
  const network = el("select", { on: { change: () => set("network", network.value) } });
  const networkField = field("Network", network, " ");
  const list = el("div", { class: "sliders-list" });
  const element = el("div", { class: "sliders" }, list, networkField);
  let sliders = [];

  const set = (key, value) => draft.change({ [key]: value }).catch(complain);

  function make(slider) {
    const id = newId("slider");
    const curved = slider.scale === "log" && slider.low > 0;
    const range = curved ? { min: 0, max: FINE, step: 1 } : { min: slider.low, max: slider.high, step: slider.step };
    const input = el("input", { type: "range", id, "aria-describedby": `${id}-help`, ...range });
    const move = (value) => {
      showValue(row, slider, curved, value);
      set(slider.key, value);
    };
    input.addEventListener("input", () => move(valueAt(slider, curved, Number(input.value))));
    input.addEventListener("keydown", (event) => {
      const steps = KEYS[event.key];
      if (!curved || !steps) return;
      event.preventDefault();
      move(stepped(slider, draft.values[slider.key] ?? slider.low, steps));
    });
    const row = el("div", { class: "slider" }, el("label", { htmlFor: id }, slider.title), el("output", { htmlFor: id }), input,
      el("p", { class: "help", id: `${id}-help` }, slider.about));
    return row;
  }

  function update(row, slider) {
    const value = draft.values[slider.key];
    row.hidden = value === undefined;
    if (document.activeElement !== row.querySelector("input") || draft.checked) showValue(row, slider, slider.scale === "log" && slider.low > 0, value);
  }

  return {
    element,
    build(given) {
      sliders = given;
    },
    show(networks) {
      showNetworks(network, networkField, networks, draft.network);
      keyed(list, sliders, (slider) => slider.key, make, update);
    },
  };
}

function showNetworks(select, row, networks, current) {
  const known = networks.some(({ name }) => name === current) || !current ? networks : [...networks, { name: current, title: current, ready: true }];
  const groups = [["Ready", known.filter(({ ready }) => ready)], ["Downloaded when first used", known.filter(({ ready }) => !ready)]];
  const option = ({ name, title }) => el("option", { value: name }, title);
  keyed(select, groups.filter(([, members]) => members.length), ([label]) => label, ([label]) => el("optgroup", { label }),
    (group, [, members]) => keyed(group, members, ({ name }) => name, option));
  if (current && select.value !== current) select.value = current;
  setText(row.querySelector(".help"), known.find(({ name }) => name === current)?.about ?? "");
}

function showValue(row, slider, curved, value) {
  const input = row.querySelector("input");
  const known = value !== null && value !== undefined;
  const text = known ? words(slider, value) : "automatic";
  const place = String(placeOf(slider, curved, known ? value : slider.low));
  if (input.value !== place) input.value = place;
  input.setAttribute("aria-valuetext", text);
  setText(row.querySelector("output"), text);
}

// The value at a place of the slider, rounded to its step.
export function valueAt({ low, high, step, kind }, curved, place) {
  const raw = curved ? low * (high / low) ** (place / FINE) : place;
  const rounded = Math.min(high, Math.max(low, low + Math.round((raw - low) / step) * step));
  return kind === "integer" ? Math.round(rounded) : Number(rounded.toPrecision(6));
}

// A key moves a logarithmic slider by a part of its value, and by one step at least.
export function stepped({ low, high, step, kind }, value, steps) {
  const one = Math.max(step, Math.round((0.05 * value) / step) * step);
  const next = Math.min(high, Math.max(low, value + steps * one));
  return kind === "integer" ? Math.round(next) : Number(next.toPrecision(6));
}

export function placeOf({ low, high }, curved, value) {
  const within = Math.min(high, Math.max(low, value));
  return curved ? Math.round((FINE * Math.log(within / low)) / Math.log(high / low)) : within;
}

const words = ({ kind }, value) => (kind === "integer" ? String(value) : String(Number(Number(value).toPrecision(3))));
