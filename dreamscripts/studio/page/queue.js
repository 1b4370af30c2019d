// The queue: what dreams now, what waits, and what stopped.

import { button, el, icon, keyed, setText } from "./dom.js";
import { complain } from "./notice.js";
import { wordsLeft, wordsOf } from "./watch.js";

const KINDS = { dream: "", zoom: "Zoom film: ", movie: "Film: " };

// `titleOf(look)` gives the words for a look; `onWatch(id)` when a person wants to watch a job.
export function createQueue(store, api, titleOf, onWatch) {
  const title = el("h2", {}, "Queue");
  const clear = button("Remove what stopped", () => clearStopped(), { class: "quiet push", hidden: true });
  const list = el("ul", { class: "queue-list" });
  const element = el("section", { class: "queue", hidden: true }, el("div", { class: "panel-heading" }, title, clear), list);
  let jobs = [];
  let all = [];

  const ask = (method, path, body) => api[method](path, body).catch(complain);
  const members = (job) => (inSheet(job) ? all.filter((one) => one.sheet === job.sheet && one.state === "waiting") : [job]);
  const clearStopped = () => jobs.filter(over).forEach(({ id }) => ask("del", `/api/jobs/${id}`));

  function make(job) {
    const act = (method, tail, body) => () => ask(method, `/api/jobs/${job.id}${tail}`, body);
    const buttons = {
      first: button("Move to the front", () => ask("post", `/api/jobs/${job.id}/move`, { before: firstWaiting()?.id ?? null }), { icon: "first", only: true, class: "quiet" }),
      stop: button("Stop", () => (store.receive("stopping", job), act("post", "/stop")()), { icon: "stop", only: true, class: "quiet" }),
      go: button("Go on", act("post", "/go-on"), { icon: "go", only: true, class: "quiet" }),
      remove: button("Remove from the queue", () => members(item.job).forEach(({ id }) => ask("del", `/api/jobs/${id}`)), { icon: "close", only: true, class: "quiet" }),
    };
    const picture = job.photo ? el("img", { src: job.photo.thumb, alt: "", width: 48, height: 48 }) : icon("picture");
    const item = el("li", { class: "queue-item" },
      el("button", { type: "button", class: "queue-open", on: { click: () => (inSheet(item.job) ? (location.hash = `#/sheet/${item.job.sheet}`) : onWatch(job.id)) } },
        el("span", { class: "queue-picture" }, picture),
        el("span", { class: "queue-words" }, el("span", { class: "queue-name" }), el("span", { class: "queue-state numbers" }))),
      el("div", { class: "queue-buttons" }, Object.values(buttons)),
      el("progress", { max: 1, value: 0, "aria-hidden": "true" }));
    item.parts = buttons;
    return item;
  }

  const firstWaiting = () => jobs.find(({ state }) => state === "waiting");

  function update(item, job) {
    const { first, stop, go, remove } = item.parts;
    item.job = job;
    const rest = inSheet(job) ? `Nine variations, ${members(job).length} to come: ` : "";
    setText(item.querySelector(".queue-name"), `${rest}${KINDS[job.kind] ?? ""}${titleOf(job.look)}${job.photo ? `, ${job.photo.name}` : ""}`);
    setText(item.querySelector(".queue-state"), [wordsOf(job, jobs.filter((one) => !over(one)).indexOf(job)), wordsLeft(job)].filter(Boolean).join(", "));
    item.classList.toggle("bad", job.state === "failed");
    const bar = item.querySelector("progress");
    bar.hidden = job.state !== "running";
    bar.value = job.progress?.share ?? 0;
    first.hidden = job.state !== "waiting" || job === firstWaiting();
    stop.hidden = job.state !== "running";
    go.hidden = !over(job);
    remove.hidden = job.state === "running";
  }

  return {
    element,
    show(given) {
      all = given;
      const open = all.filter(({ state }) => state !== "done");
      jobs = [...open.filter(({ state }) => state === "running"), ...firstOfSheets(open.filter(({ state }) => state === "waiting")), ...open.filter(over)];
      element.hidden = jobs.length === 0;
      clear.hidden = jobs.filter(over).length < 2;
      setText(title, `Queue (${jobs.length})`);
      const held = list.contains(document.activeElement) ? document.activeElement : null;
      keyed(list, jobs, ({ id }) => id, make, update);
      if (held && (held.hidden || document.activeElement !== held)) focusNear(held);
    },
  };
}

// What had the focus was moved, hidden or removed: give the focus to it, or to what is left of its entry.
function focusNear(held) {
  const entry = held.closest("li");
  const left = held.hidden ? entry?.querySelector(".queue-buttons button:not([hidden])") : held;
  if (entry?.isConnected) left?.focus();
}

// The pictures of a sheet that wait are one entry.
const inSheet = ({ state, sheet }) => state === "waiting" && Boolean(sheet);
const firstOfSheets = (waiting) => waiting.filter((job, place) => !job.sheet || waiting.findIndex(({ sheet }) => sheet === job.sheet) === place);
const over = ({ state }) => state === "stopped" || state === "failed";
