// One run: its picture before and after, all its snapshots, the curve, and what can be done with it. A film has a player.

import { curve } from "./curve.js";
import { el, icon, setText } from "./dom.js";
import { activeJob, downloads, filmPlayer, runActions } from "./run_actions.js";
import { emptyState, stateOf, titleOf } from "./runs.js";
import { scrubber } from "./scrubber.js";
import { settingsText } from "./settings_text.js";
import { viewer } from "./viewer.js";
import { count, dayAndTime, duration } from "./words.js";

const BEGINS = ["It begins", "The picture appears after the first step."];

export function view(root, store, api, id) {
  const made = new RunView(root, store, api, id);
  return { destroy: () => made.destroy() };
}

class RunView {
  #ended = false;
  #parts = []; // what must be told when the view goes

  constructor(root, store, api, id) {
    Object.assign(this, { root, store, api, id });
    this.ends = [
      store.on("run", (run) => run.id === id && this.#changed(run)),
      store.on("run-gone", (gone) => gone.id === id && this.#gone()),
      store.on("progress", (progress) => this.#grow(progress)),
      store.on("job", (job) => job.id === this.run?.job && this.#describe()),
    ];
    this.#load();
  }

  destroy() {
    this.#ended = true;
    for (const end of this.ends) end();
    for (const part of this.#parts) part.destroy();
  }

  async #load() {
    let run;
    try {
      run = await this.api.get(`/api/runs/${this.id}`);
    } catch (error) {
      if (this.#ended || this.run) return;
      if (this.store.state.jobs.some((job) => job.run === this.id && job.state === "running")) this.#begin();
      else this.#lost(error.message);
      return;
    }
    if (this.#ended) return;
    if (this.run) this.#renew(run);
    else this.#build(run);
  }

  #build(run) {
    this.run = run;
    document.title = `${titleOf(run)} · dreamscripts studio`;
    this.facts = el("p", { class: "facts quiet-text" });
    this.message = el("p", { class: "run-message" });
    this.actions = el("div", { class: "buttons run-actions" });
    this.downloads = el("p", { class: "downloads" });
    const head = el("div", { class: "run-head" },
      el("a", { class: "button icon quiet", href: "#/history", title: "History", "aria-label": "Back to the history" }, icon("back")),
      el("div", {}, el("h1", {}, run.kind === "film" ? `Film: ${titleOf(run)}` : titleOf(run), run.photo_name ? el("span", {}, ` on ${run.photo_name}`) : null), this.facts));
    const notes = run.notes?.length ? el("ul", { class: "notes quiet-text" }, run.notes.map((note) => el("li", {}, note))) : null;
    this.side = el("div", { class: "run-side" }, this.message, this.actions, this.downloads, this.#plot(run), notes, settingsText(run.settings, run.name));
    this.stage = el("div", { class: "run-stage" }, this.#picture(run));
    this.root.replaceChildren(el("article", { class: "run" }, head, this.stage, this.side));
    this.#describe();
  }

  // The picture, with its snapshots; or the film; or a word where neither is there.
  #picture(run) {
    if (run.kind === "film") return filmPlayer(run);
    if (!run.picture && (run.state === "running" || activeJob(run, this.store))) return emptyState("picture", ...BEGINS);
    if (!run.picture) return emptyState("warn", "No picture", run.message || "This dream has no picture yet.");
    const made = viewer({ before: run.start, after: run.picture, beforeAlt: run.photo_name ? `Before: ${run.photo_name}` : "Before: noise",
      afterAlt: `After: ${titleOf(run)}`, width: run.width, height: run.height });
    this.viewer = made;
    this.scrubber = scrubber(run.snapshots, run.picture, ({ iteration, url }) => {
      made.show({ after: url, afterAlt: iteration === null ? `After: ${titleOf(run)}` : `After iteration ${iteration}: ${titleOf(run)}` });
      this.curve?.mark(iteration);
    });
    this.#parts.push(made, this.scrubber);
    return [made.element, this.scrubber.element];
  }

  #plot(run) {
    if (run.kind === "film" || !run.rows?.length) return null;
    this.rows = run.rows;
    this.curve = curve();
    this.curve.show(this.rows);
    this.#parts.push(this.curve);
    return this.curve.element;
  }

  // What changes while a run grows: its facts, its words, and what can be done.
  #describe() {
    const { run } = this;
    const waits = activeJob(run, this.store)?.state === "waiting";
    const facts = [waits ? "waits in the queue" : stateOf(run), run.width ? `${run.width} × ${run.height}` : "", run.iterations ? count(run.iterations, run.kind === "film" ? "frame" : "iteration") : "",
      run.seconds ? duration(run.seconds) : "", run.network, dayAndTime(run.created)];
    setText(this.facts, facts.filter(Boolean).join(" · "));
    setText(this.message, run.message ?? "");
    this.message.hidden = !run.message || !run.picture; // without a picture, the words are in its place
    const focused = [...this.actions.children].indexOf(document.activeElement);
    this.actions.replaceChildren(...runActions(run, this.store, this.api, () => (this.leaving = true)));
    if (focused >= 0) (this.actions.children[focused] ?? this.actions.firstElementChild)?.focus();
    this.downloads.replaceChildren(...downloads(run));
  }

  #changed(run) {
    if (!this.run || run.state !== this.run.state || run.job !== this.run.job || run.picture !== this.run.picture) this.#load();
  }

  #renew(run) {
    const had = Boolean(this.viewer) || run.kind === "film";
    this.run = run;
    if (!had && run.picture) this.stage.replaceChildren(...this.#picture(run));
    this.scrubber?.renew(run.snapshots, run.picture);
    if (this.curve) {
      this.rows = run.rows;
      this.curve.show(this.rows);
    } else {
      const plot = this.#plot(run);
      if (plot) this.downloads.after(plot);
    }
    this.#describe();
  }

  // A new iteration of a run that grows.
  #grow(progress) {
    if (!this.run?.job || progress.job !== this.run.job || progress.loss === null || progress.loss === undefined) return;
    if (!this.curve || !this.scrubber) return void this.#load();
    const last = this.rows.at(-1);
    if (!last || progress.iteration > last.iteration) {
      this.rows.push({ ...progress });
      this.curve.show(this.rows);
    }
    if (progress.picture && progress.snapshot !== null) this.scrubber.grow({ iteration: progress.snapshot, url: progress.picture });
  }

  // The folder of the run is not there yet: its first event comes soon.
  #begin() {
    this.root.replaceChildren(el("h1", { class: "visually-hidden" }, "A dream"), emptyState("picture", ...BEGINS));
  }

  #gone() {
    if (!this.leaving) this.#lost("This dream was moved to the trash, or its folder is gone.");
  }

  #lost(text) {
    for (const part of this.#parts) part.destroy();
    this.#parts = [];
    this.run = null;
    this.root.replaceChildren(el("div", { class: "message" }, el("h1", {}, "Not here any more"), el("p", {}, text),
      el("p", {}, el("a", { class: "button", href: "#/history" }, "To the history"))));
  }
}
