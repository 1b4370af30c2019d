// Watching a dream: the picture as it grows, how far it is, and its curve.

import { curve } from "./curve.js";
import { button, el, icon, setText } from "./dom.js";
import { announce, complain } from "./notice.js";
import { duration } from "./words.js";
import { viewer } from "./viewer.js";
import { createWatchedRows } from "./watched_rows.js";

const END = ["stopped", "done", "failed"];
const QUARTERS = ["", "A quarter is done", "Half is done", "Three quarters are done"];

// show(job) as often as the job changes. `onUse(photo)`: dream on from the picture.
export function createWatch(store, api, job, { onUse }) {
  const photo = job.photo && store.photo(job.photo.id);
  const picture = viewer({
    before: photo?.url, after: null, divide: 0, beforeAlt: photo ? `Before: ${photo.name}` : "", afterAlt: "The dream as it grows",
    width: photo?.width, height: photo?.height, empty: "The picture appears after the first step.",
  });
  const line = el("p", { class: "watch-line numbers" });
  const left = el("p", { class: "watch-left numbers" });
  const bar = el("progress", { max: 1, value: 0, "aria-label": "How far the dream is" });
  const actions = el("div", { class: "buttons watch-actions" });
  const graph = curve();
  const details = el("details", { class: "watch-curve" }, el("summary", {}, "How it is going"), graph.element);
  const element = el("div", { class: "watch" }, picture.element, bar, el("div", { class: "watch-row" }, el("div", { class: "watch-words" }, line, left), actions), details);
  const rows = createWatchedRows(api, showRows);
  let shown = null; // the address of the picture
  let kind = ""; // which buttons there are
  let quarter = 0;
  let asked = ""; // the run, and whether it had ended, when its rows were asked for
  details.addEventListener("toggle", () => details.open && showRows(null));

  const ask = (path) => api.post(path).catch(complain);
  const stop = button("Stop", stopIt, { icon: "stop" });
  const goOn = button("Go on", () => ask(`/api/jobs/${job.id}/go-on`), { icon: "go", class: "primary" });
  const again = button("Try again", () => ask(`/api/jobs/${job.id}/go-on`), { icon: "reset" });
  const open = el("a", { class: "button" }, icon("picture"), "Open it");
  const use = button("Dream on from it", useIt, { icon: "go" });
  const BUTTONS = { waiting: [stop], running: [stop], stopped: [goOn, open], failed: [again], done: [open, use] };

  function stopIt() {
    store.receive("stopping", job);
    ask(`/api/jobs/${job.id}/stop`);
  }

  async function useIt() {
    try {
      onUse(await api.post(`/api/runs/${job.run}/use`));
    } catch (error) {
      complain(error);
    }
  }

  function showRows(run) {
    if (run?.start && !photo) picture.show({ before: run.start });
    if (!shown && run?.iterations) picture.show({ after: (shown = run.picture) });
    if (details.open) graph.show([...rows.all]);
  }

  // At the beginning there are the rows of before the page was opened; at the end, all of them.
  function askForRows({ run, kind: work, state }) {
    const now = `${run} ${END.includes(state)}`;
    if (!run || work === "movie" || now === asked) return;
    asked = now;
    rows.fetch(run);
  }

  function speak(progress) {
    const now = Math.min(3, Math.floor(4 * (progress.share ?? 0)));
    if (now > quarter) announce([QUARTERS[now], wordsLeft(job)].filter(Boolean).join(", "));
    quarter = Math.max(quarter, now);
  }

  function showButtons({ state, run }) {
    const wanted = `${state} ${run}`;
    if (wanted === kind) return;
    kind = wanted;
    const held = actions.contains(document.activeElement);
    open.classList.toggle("primary", state === "done");
    if (run) open.href = `#/run/${run}`;
    actions.replaceChildren(...(BUTTONS[state] ?? []).filter((one) => run || ![open, use].includes(one)));
    if (held) actions.firstElementChild?.focus();
  }

  return {
    element,
    // `before`: how many go first; `waking`: whether the network is not ready yet
    show(now, before, waking) {
      if (now.state !== job.state && END.includes(now.state)) announce(now.state === "done" ? "The dream is done." : wordsOf(now));
      job = now;
      const progress = now.progress;
      if (progress?.picture && progress.picture !== shown) picture.show({ after: (shown = progress.picture) });
      if (progress) rows.add(progress, now.run);
      if (progress && now.state === "running") speak(progress);
      askForRows(now);
      showButtons(now);
      setText(line, wordsOf(now, before, waking));
      line.classList.toggle("error-text", now.state === "failed");
      setText(left, wordsLeft(now));
      const share = now.state === "done" ? 1 : progress?.share ?? 0;
      if (bar.value !== share) bar.value = share;
      details.hidden = now.kind !== "dream";
    },
    stop: stopIt,
    destroy() {
      rows.destroy();
      picture.destroy();
      graph.destroy();
    },
  };
}

export function wordsOf(job, before = 0, waking = false) {
  const { state, message, progress } = job;
  if (state === "waiting" && before) return `Waiting for ${before === 1 ? "the dream" : `${before} dreams`} before it`;
  if (state === "waiting") return waking ? "Waking up: it begins in a moment" : "Waiting for its turn";
  if (state === "running" && job.isStopping) return "Stopping…"; // after the pass under way, which may take a while
  if (state === "running" && !(progress?.iteration || progress?.frames)) return "Getting ready…";
  if (state === "running") return stepOf(progress);
  if (state === "stopped") return sentence(message) || (progress?.iteration ? `Stopped after iteration ${progress.iteration} of ${progress.iterations}` : "Stopped");
  if (state === "failed") return sentence(message) || "It failed.";
  return sentence(message) || "Done";
}

const sentence = (text) => text && text[0].toUpperCase() + text.slice(1);

function stepOf({ octave, octaves, iteration, iterations, frame, frames }) {
  if (frames) return `Picture ${frame ?? 0} of ${frames}`;
  const size = octaves > 1 ? `Octave ${octave + 1} of ${octaves}, ` : "";
  return `${size}${size ? "iteration" : "Iteration"} ${iteration} of ${iterations}`;
}

export function wordsLeft({ state, progress, isStopping }) {
  const left = progress?.left ?? null;
  if (left === null || state !== "running" || isStopping) return "";
  return left < 1 ? "almost done" : `about ${duration(left)} left`;
}
