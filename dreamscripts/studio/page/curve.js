// The curve of a loss and its weighted terms, drawn as SVG.
//
// `curve()` returns `{element, show(rows), mark(iteration), destroy()}`. Each row has octave, iteration, loss and terms
// (null where they are not known). The legend shows the values at the marked iteration, else at the newest one.

import { lossScale, roundTicks } from "./axes.js";
import { el, svg } from "./dom.js";
import { thinned } from "./thinning.js";
import { count, short } from "./words.js";

const HEIGHT = 12.5; // in rem, as the margins, so that they grow with the letters
const MARGIN = { top: 0.6, right: 0.5, bottom: 1.5, left: 3.8 };
const NARROWEST = 160;
const MOST_TERMS = 6; // as many as colours and dashes can be told apart; the smaller ones are drawn as their sum

export function curve() {
  const made = new Curve();
  return {
    element: made.element,
    show: (rows) => made.show(rows),
    mark: (iteration) => made.mark(iteration),
    destroy: () => made.destroy(),
  };
}

class Curve {
  #rows = [];
  #series = [];
  #marked = null;
  #width = 480;
  #frame = 0;

  constructor() {
    this.summary = el("figcaption", { class: "curve-summary" }, "The loss appears after the first iteration.");
    this.drawing = svg("svg", { class: "curve-drawing", role: "img" });
    this.legend = el("ul", { class: "curve-legend", role: "list" });
    this.element = el("figure", { class: "curve" }, this.drawing, this.legend, this.summary);
    this.drawing.addEventListener("pointermove", (event) => this.#point(event));
    this.drawing.addEventListener("pointerleave", () => this.#showValues(this.#marked));
    this.resizing = new ResizeObserver(() => this.#resize());
    this.resizing.observe(this.element);
  }

  show(rows) {
    this.#rows = rows;
    this.#series = seriesOf(rows);
    this.summary.textContent = summaryOf(rows);
    this.drawing.setAttribute("aria-label", this.summary.textContent);
    this.#makeLegend();
    this.#drawSoon();
  }

  // Mark an iteration on the curve; null marks none.
  mark(iteration) {
    const found = iteration === null ? -1 : this.#rows.findIndex((row) => row.iteration === iteration);
    this.#marked = found < 0 ? null : found;
    this.#drawSoon();
  }

  destroy() {
    cancelAnimationFrame(this.#frame);
    this.resizing.disconnect();
    this.element.remove();
  }

  #resize() {
    this.#width = Math.max(Math.round(this.element.clientWidth), NARROWEST);
    this.#drawSoon();
  }

  #drawSoon() {
    cancelAnimationFrame(this.#frame);
    this.#frame = requestAnimationFrame(() => this.#draw());
  }

  #draw() {
    const rem = parseFloat(getComputedStyle(document.documentElement).fontSize);
    const [width, height] = [this.#width, HEIGHT * rem];
    this.drawing.setAttribute("width", width);
    this.drawing.setAttribute("height", height);
    this.drawing.setAttribute("viewBox", `0 0 ${width} ${height}`);
    this.drawing.replaceChildren();
    if (this.#rows.length === 0) return;
    this.field = { left: MARGIN.left * rem, right: width - MARGIN.right * rem, top: MARGIN.top * rem, bottom: height - MARGIN.bottom * rem, rem };
    const scales = this.#scales();
    this.drawing.append(...this.#axes(scales), ...this.#octaves(scales), ...this.#lines(scales));
    this.marker = svg("line", { class: "curve-marker", y1: this.field.top, y2: this.field.bottom, visibility: "hidden" });
    this.drawing.append(this.marker);
    this.scales = scales;
    this.#showValues(this.#marked);
  }

  #scales() {
    const first = this.#rows[0].iteration;
    const last = Math.max(this.#rows.at(-1).iteration, first + 1);
    const losses = this.#series[0].values;
    const sizes = losses.filter(Number.isFinite).map(Math.abs).sort((one, other) => one - other);
    const { share, ticks } = lossScale(this.#series.flatMap((line) => line.values.filter(Number.isFinite)), sizes[sizes.length >> 2] ?? 1, 4);
    const { left, right, top, bottom, rem } = this.field;
    return {
      x: (iteration) => left + ((iteration - first) / (last - first)) * (right - left),
      y: (value) => bottom - share(value) * (bottom - top),
      xTicks: roundTicks(first, last, Math.max((right - left) / (5.5 * rem), 3)).filter((tick) => Number.isInteger(tick) && tick > first),
      yTicks: ticks,
    };
  }

  #axes({ x, y, xTicks, yTicks }) {
    const { left, right, bottom, rem } = this.field;
    const number = (text, attributes) => svg("text", { class: "curve-number", ...attributes }, text);
    const rows = yTicks.flatMap((tick) => [
      svg("line", { class: tick === 0 ? "curve-zero" : "curve-grid", x1: left, x2: right, y1: y(tick), y2: y(tick) }),
      number(short(tick), { x: left - rem / 2, y: y(tick), dy: "0.32em", "text-anchor": "end" }),
    ]);
    const below = bottom + 1.1 * rem;
    const anchor = (tick) => (x(tick) > right - rem / 2 ? "end" : "middle");
    const columns = xTicks.map((tick) => number(String(tick), { x: x(tick), y: below, "text-anchor": anchor(tick) }));
    return [...rows, ...columns, number("iteration", { x: 0, y: below })];
  }

  // A thin line where a new octave begins: losses at different sizes cannot be compared.
  #octaves({ x }) {
    const starts = this.#rows.filter((row, number) => number > 0 && row.octave !== this.#rows[number - 1].octave);
    return starts.map((row) => {
      const at = x(row.iteration - 0.5);
      return svg("line", { class: "curve-octave", x1: at, x2: at, y1: this.field.top, y2: this.field.bottom });
    });
  }

  #lines({ x, y }) {
    const lines = this.#series.map(({ values }, number) => {
      const points = thinned(values, this.#width);
      const path = points.map((row, nth) => {
        if (!Number.isFinite(values[row])) return "";
        const begins = nth === 0 || !Number.isFinite(values[points[nth - 1]]);
        return `${begins ? "M" : "L"}${x(this.#rows[row].iteration).toFixed(1)} ${y(values[row]).toFixed(1)}`;
      });
      const alone = this.#rows.length === 1 ? "h0.01" : ""; // a single point: a dot, by the round ends of the line
      return svg("path", { class: `curve-line curve-line-${number}`, d: path.join("") + alone });
    });
    return lines.reverse(); // the loss lies above its terms
  }

  #makeLegend() {
    const names = this.#series.map((line) => line.name).join("\n");
    if (names === this.names) return;
    this.names = names;
    this.values = this.#series.map(() => el("span", { class: "curve-value" }));
    const entries = this.#series.map(({ name }, number) => {
      const sample = svg("path", { class: `curve-line curve-line-${number}`, d: "M1 6H27" });
      const swatch = svg("svg", { class: "curve-swatch", viewBox: "0 0 28 12", "aria-hidden": "true" }, sample);
      return el("li", {}, swatch, el("span", { class: "curve-name" }, name), this.values[number]);
    });
    this.legend.replaceChildren(...entries);
  }

  #point(event) {
    if (!this.scales || this.#rows.length === 0) return;
    const at = event.clientX - this.drawing.getBoundingClientRect().left;
    let nearest = 0;
    this.#rows.forEach((row, number) => {
      if (Math.abs(this.scales.x(row.iteration) - at) < Math.abs(this.scales.x(this.#rows[nearest].iteration) - at)) nearest = number;
    });
    this.#showValues(nearest);
  }

  // Show the values of a row in the legend, and mark it; null: those of the newest, without a mark.
  #showValues(number) {
    if (!this.scales) return;
    const row = number ?? this.#rows.length - 1;
    this.#series.forEach(({ values }, line) => (this.values[line].textContent = Number.isFinite(values[row]) ? short(values[row]) : "–"));
    this.marker.setAttribute("visibility", number === null ? "hidden" : "visible");
    const x = this.scales.x(this.#rows[row].iteration);
    this.marker.setAttribute("x1", x);
    this.marker.setAttribute("x2", x);
  }
}

// Return the lines to draw: the loss, its largest terms, and the sum of the others.
function seriesOf(rows) {
  const loss = { name: "loss", values: rows.map((row) => row.loss) };
  const terms = new Map();
  rows.forEach((row, number) => {
    for (const [name, value] of Object.entries(row.terms ?? {})) {
      if (!terms.has(name)) terms.set(name, { name, values: rows.map(() => null), size: 0 });
      const term = terms.get(name);
      term.values[number] = value;
      term.size = Math.max(term.size, Math.abs(value));
    }
  });
  const lines = [...terms.values()];
  if (lines.length === 1) return [loss]; // the only term is the loss
  if (lines.length <= MOST_TERMS) return [loss, ...lines];
  const bySize = [...lines].sort((one, other) => other.size - one.size);
  const small = bySize.slice(MOST_TERMS - 1);
  const sum = rows.map((row, number) => (row.terms ? small.reduce((all, { values }) => all + (values[number] ?? 0), 0) : null));
  return [loss, ...lines.filter((line) => !small.includes(line)), { name: `${small.length} smaller terms`, values: sum }];
}

function summaryOf(all) {
  const rows = all.filter((row) => Number.isFinite(row.loss)); // a run that diverges may end without a number
  if (rows.length === 0) return "The loss appears after the first iteration.";
  const last = rows.at(-1);
  if (rows.length === 1) return `Loss ${short(last.loss)} after iteration ${last.iteration}.`;
  const octaves = new Set(rows.map((row) => row.octave)).size;
  const lowest = rows.reduce((least, row) => (row.loss < least.loss ? row : least));
  const size = count(last.iteration, "iteration") + (octaves > 1 ? ` in ${octaves} octaves` : "");
  const best = lowest === last ? "its lowest" : `lowest ${short(lowest.loss)} at iteration ${lowest.iteration}`;
  return `Loss from ${short(rows[0].loss)} to ${short(last.loss)} over ${size}; ${best}.`;
}
