// What the views of runs share: their words, their pictures, and what can be done with them.

import { button, el, icon } from "./dom.js";
import { complain, notice } from "./notice.js";
import { dayAndTime, lookTitle } from "./words.js";

const STATES = {
  running: "growing",
  stopped: "stopped",
  diverged: "stopped, because its loss grew without limit",
  complete: "",
  damaged: "damaged",
};

// What the state of a run is called; nothing for one that is complete.
export const stateOf = (run) => STATES[run.state] ?? run.state;

// What a run is called: its look.
export const titleOf = (run) => (run.look ? lookTitle(run.look) : run.name);

export function altOf(run) {
  const photo = run.photo_name ? `on ${run.photo_name}` : "";
  const what = `${run.kind === "film" ? "Film, " : ""}${titleOf(run)} ${photo}`.trim();
  return [what, dayAndTime(run.created), stateOf(run)].filter(Boolean).join(", ");
}

// The small picture of a run, or a quiet place where there is none.
export function thumbnail(run, alt = altOf(run)) {
  if (!run.thumb) {
    const name = run.state === "damaged" ? "warn" : run.kind === "film" ? "film" : "picture";
    return el("span", { class: "no-picture" }, icon(name), el("span", { class: "visually-hidden" }, alt));
  }
  return el("img", { loading: "lazy", decoding: "async", draggable: false, alt, src: run.thumb });
}

// Move runs to the trash, and offer to undo it. Returns those that are there now.
export async function toTrash(api, ...runs) {
  const moved = [];
  for (const run of runs) if ((await attempt(() => api.post(`/api/runs/${run.id}/trash`))) !== undefined) moved.push(run);
  if (moved.length === 0) return moved;
  const [what, are] = moved.length === 1 ? [`“${titleOf(moved[0])}”`, "is"] : [`${moved.length} pictures`, "are"];
  const restore = () => attempt(async () => {
    for (const run of moved) await api.post(`/api/trash/${run.id}/restore`);
    notice(`${what} ${are} back.`);
  });
  notice(`${what} ${are} in the trash.`, { action: "Undo", act: restore });
  return moved;
}

// Do something that may fail, and say why if it does. Returns its result, or undefined.
export async function attempt(act) {
  try {
    return await act();
  } catch (error) {
    complain(error);
    return undefined;
  }
}

// A button that rests while `act()` runs, so that a second press does not do it twice.
export function actionButton(words, act, properties = {}) {
  const made = button(words, async () => {
    if (made.getAttribute("aria-disabled") === "true") return;
    made.setAttribute("aria-disabled", "true");
    await attempt(act);
    made.removeAttribute("aria-disabled");
  }, properties);
  return made;
}

// A page with nothing in it: what will be here, and where to go.
export function emptyState(symbol, title, text, ...links) {
  return el("div", { class: "empty" }, icon(symbol), el("h2", {}, title), el("p", {}, text), links);
}
