// Three values of one setting: numbers that a person can change, with a suggestion.

import { el } from "./dom.js";

const NAMES = ["first", "second", "third"];
const AWAY = 0.25; // how far the suggested values lie from the look's own, as a share of the whole range

// `words` says what the values are for, to those who do not see where they are.
export function threeValues(words) {
  const inputs = NAMES.map((name) => el("input", { type: "number", required: true, inputMode: "decimal", "aria-label": `${words}, ${name} value` }));
  let slider = null;
  return {
    element: el("div", { class: "three" }, inputs),
    get values() {
      return inputs.map((input) => input.valueAsNumber);
    },
    suggest(other, value) {
      slider = other;
      const values = around(slider, value);
      inputs.forEach((input, number) => {
        Object.assign(input, { min: slider.low, max: slider.high, step: slider.kind === "integer" ? 1 : "any", value: values[number] });
        input.removeAttribute("aria-invalid");
      });
    },
    // What is wrong with the values, in words, or null.
    problem() {
      for (const input of inputs) {
        if (input.validity.valid) input.removeAttribute("aria-invalid");
        else input.setAttribute("aria-invalid", "true");
      }
      const bad = inputs.find((input) => !input.validity.valid);
      if (!bad) return new Set(this.values).size === 3 ? null : `${slider.title}: choose three different values.`;
      bad.focus();
      return `${slider.title}: choose ${slider.kind === "integer" ? "whole numbers" : "numbers"} from ${slider.low} to ${slider.high}.`;
    },
  };
}

// Three values of a slider's range: the look's own, and one on each side of it, or all on one side at the end of the range.
export function around({ low, high, step, scale, kind }, value) {
  const share = (number) => (scale === "log" ? Math.log(number / low) / Math.log(high / low) : (number - low) / (high - low));
  const at = (part) => (scale === "log" ? low * (high / low) ** part : low + part * (high - low));
  const tidy = (number) => (kind === "integer" ? Math.round(number) : Number((Math.round(number / step) * step).toPrecision(6)));
  const known = typeof value === "number" && value >= low && value <= high;
  const middle = Math.min(Math.max(known ? share(value) : 0.5, AWAY), 1 - AWAY);
  const values = [at(middle - AWAY), at(middle), at(middle + AWAY)].map(tidy);
  const own = known ? nearest(values, value) : -1;
  return values.map((number, place) => (place === own ? value : Math.min(Math.max(number, low), high)));
}

function nearest(values, value) {
  const distances = values.map((other) => Math.abs(other - value));
  return distances.indexOf(Math.min(...distances));
}
