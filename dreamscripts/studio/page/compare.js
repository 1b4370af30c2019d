// Two runs under one divider, and what differs between their settings.

import { button, el } from "./dom.js";
import { emptyState, titleOf } from "./runs.js";
import { viewer } from "./viewer.js";
import { dayAndTime, duration, short } from "./words.js";

export function view(root, store, api, one, other) {
  let ended = false;
  let made = null;

  async function load() {
    const runs = await Promise.all([one, other].map((id) => api.get(`/api/runs/${id}`)));
    const settings = await Promise.all(runs.map((run) => (run.settings ? api.post("/api/settings/check", { toml: run.settings }) : {})));
    if (ended) return;
    const names = namesOf(runs);
    const swap = button("Swap", () => (location.hash = `#/compare/${other}/${one}`), { icon: "swap", class: "quiet" });
    root.append(el("div", { class: "wall-head" }, el("h1", {}, "Compare"), el("div", { class: "buttons" }, swap, el("a", { class: "button quiet", href: "#/history" }, "History"))));
    if (runs.some((run) => !run.picture)) return void root.append(emptyState("picture", "Nothing to compare", "One of these two has no picture."));
    made = viewer({ before: runs[0].picture, after: runs[1].picture, beforeAlt: names[0], afterAlt: names[1], beforeLabel: names[0], afterLabel: names[1],
      width: runs[1].width, height: runs[1].height });
    root.append(el("div", { class: "compare" }, made.element), differences(runs, names, settings));
  }

  load().catch((error) => {
    if (ended) return;
    root.replaceChildren(el("h1", {}, "Compare"), emptyState("picture", "These two cannot be compared", error.message, el("a", { class: "button", href: "#/history" }, "To the history")));
  });
  return {
    destroy() {
      ended = true;
      made?.destroy();
    },
  };
}

// Two names that differ: by the look, else by the photograph, else by the time.
function namesOf(runs) {
  const tries = [titleOf, (run) => `${titleOf(run)} on ${run.photo_name || "noise"}`, (run) => `${titleOf(run)}, ${dayAndTime(run.created)}`, (run) => run.name];
  const name = tries.find((of) => of(runs[0]) !== of(runs[1])) ?? tries[0];
  return runs.map(name);
}

function differences(runs, names, settings) {
  const rows = differing(settings);
  const facts = [
    ["Photograph", runs.map((run) => run.photo_name || "noise")],
    ["Size", runs.map((run) => (run.width ? `${run.width} × ${run.height}` : "–"))],
    ["Iterations", runs.map((run) => String(run.iterations ?? "–"))],
    ["Time", runs.map((run) => (run.seconds ? duration(run.seconds) : "–"))],
    ["Loss", runs.map((run) => (run.loss === null || run.loss === undefined ? "–" : short(run.loss)))],
  ];
  const links = runs.map((run, number) => el("th", { scope: "col" }, el("a", { href: `#/run/${run.id}` }, names[number])));
  const line = ([name, values], mono) => el("tr", {}, el("th", { scope: "row", class: mono ? "mono" : "" }, name), values.map((value) => el("td", { class: mono ? "mono" : "" }, value)));
  const title = (words) => el("tr", { class: "table-title" }, el("th", { colSpan: 3, scope: "colgroup" }, words));
  const none = el("tr", {}, el("td", { colSpan: 3, class: "quiet-text" }, "Both have the same settings."));
  return el("div", { class: "table-scroll", tabIndex: 0, role: "region", "aria-label": "What differs" },
    el("table", { class: "differences" },
      el("thead", {}, el("tr", {}, el("td", {}), links)),
      el("tbody", {}, facts.map((fact) => line(fact, false))),
      el("tbody", {}, title("Settings that differ"), rows.length ? rows.map((row) => line(row, true)) : none)));
}

// [[key, [one value, the other]], …] of the settings that are not the same.
function differing([one, other]) {
  const [left, right] = [one, other].map((settings) => settings.values ?? {});
  const keys = [...new Set([...Object.keys(left), ...Object.keys(right)])].sort();
  return keys.map((key) => [key, [words(left[key]), words(right[key])]]).filter(([, [first, second]]) => first !== second);
}

function words(value) {
  if (value === undefined || value === null) return "–";
  return typeof value === "string" ? value : JSON.stringify(value);
}
