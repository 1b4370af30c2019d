// The place where a dream begins: a photograph, a look, the settings, and the dream as it grows.

import { el, memory } from "./dom.js";
import { createDraft } from "./draft.js";
import { createIntake } from "./intake.js";
import { complain, notice } from "./notice.js";
import { createPanel } from "./panel.js";
import { newestFirst } from "./photographs.js";
import { createQueue } from "./queue.js";
import { createSettings } from "./settings.js";
import { shortcut } from "./shortcuts.js";
import { createStage } from "./stage.js";
import { createStart } from "./start.js";
import { beginning, fromNoise, usable } from "./beginning.js";
import { offerSettings } from "./carried.js";

const PHOTO = "dreamscripts-photo";

export function view(root, store, api) {
  const draft = createDraft(api);
  const ui = { photo: sessionStorage.getItem(PHOTO), noise: false, job: null, coming: 0 };
  const intake = createIntake(store, api, arrived, (coming) => (ui.coming = coming, show()));
  const start = createStart(intake, beginNoise);
  const titleOf = (look) => store.look(look)?.title ?? look;
  const stage = createStage(store, api, titleOf, { onUse: (photo) => choose(photo.id), onForget: forgetPhoto });
  const panel = createPanel({ store, api, draft, intake, onPhoto: choose, onDream: dream, onSettings: () => settings.open() });
  const settings = createSettings(draft);
  const queue = createQueue(store, api, titleOf, watch);
  const work = el("div", { class: "dream" }, stage.element, panel.element, el("div", { class: "lower" }, queue.element, settings.element));
  const panelDiffers = memory();
  const settingsDiffer = memory();
  let form = null;
  const heading = el("h1", { class: "visually-hidden" }, "Dream");
  root.append(intake.element);

  const endings = [
    store.subscribe(show), draft.subscribe(show), intake.destroy, stage.destroy, panel.destroy,
    store.on("back", panel.askAgain),
    store.on("watch", watchRunning),
    store.on("previews-ended", ({ photo, message }) => message && photo === chosen()?.id && notice(message.replace(/^current has/, "This has"))),
    shortcut("o", "Choose a photograph", intake.choose),
    shortcut("d", "Dream with these settings", dream),
    shortcut("Ctrl+Enter", "Dream, also while you type", dream),
    shortcut("s", "Stop the dream that you watch", () => stage.stop()),
    shortcut("a", "All settings", () => settings.open()),
  ];
  watchRunning();
  beginning(draft, store).catch(complain);
  api.get("/api/form").then(build).catch(complain);
  show();

  function watchRunning() {
    const running = store.state.jobs.find(({ state }) => state === "running");
    if (running) watch(running.id);
  }

  function build(given) {
    form = given;
    panel.build(form.sliders);
    settings.build(form.keys);
    show();
  }

  function chosen() {
    if (ui.noise) return null;
    return store.photo(ui.photo) ?? newestFirst(store.state.photos)[0] ?? null;
  }

  function choose(id) {
    if (ui.noise) draft.change({ start: null }).catch(complain);
    Object.assign(ui, { photo: id, noise: false });
    sessionStorage.setItem(PHOTO, id);
    stage.showPhoto();
    show();
  }

  function arrived(photo, first) {
    store.receive("photo", photo);
    if (photo.settings) offerSettings(photo, chosen(), draft, store, choose);
    else if (first) choose(photo.id);
  }

  function beginNoise() {
    ui.noise = true;
    draft.change(fromNoise(draft.values)).catch(complain);
    show();
  }

  async function forgetPhoto(photo) {
    try {
      await api.del(`/api/photos/${photo.id}`);
      store.receive("photo-gone", { id: photo.id });
    } catch (error) {
      complain(error);
    }
  }

  function watch(id) {
    ui.job = id;
    stage.watch(id);
    show();
    stage.element.scrollIntoView({ block: "start" });
  }

  async function dream() {
    if (!usable(draft) || !(chosen() || ui.noise) || panel.busy) return;
    panel.busy = true;
    try {
      await draft.settle();
      if (draft.problem) return;
      const job = await api.post("/api/jobs", { kind: "dream", photo: chosen()?.id ?? null, look: draft.look, toml: draft.toml });
      store.receive("job", job);
      const others = store.state.jobs.filter((one) => one.id !== job.id && ["running", "waiting"].includes(one.state));
      panel.said(others.length);
      if (!others.length) watch(job.id);
    } catch (error) {
      complain(error);
    } finally {
      panel.busy = false;
      show();
    }
  }

  function show() {
    const photo = chosen();
    const empty = !photo && !ui.noise && !store.state.jobs.length && !ui.coming;
    for (const one of [heading, work]) if (empty) one.remove();
    if (empty && !start.isConnected) root.append(start);
    if (!empty && !work.isConnected) (start.remove(), root.append(heading, work));
    if (empty) return;
    const { photos, looks, networks, workers, jobs } = store.state;
    stage.show(photo);
    if (panelDiffers(photos, looks, networks, workers, photo, ui.noise, ui.coming, draft.edition, form)) panel.show(photo, ui.noise, ui.coming);
    if (settingsDiffer(draft.edition, form)) settings.show();
    queue.show(jobs);
    document.title = `${stage.percent()}Dream · dreamscripts studio`;
  }

  return { destroy: () => endings.forEach((end) => end()) };
}
