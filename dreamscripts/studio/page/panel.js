// The panel beside the picture: photographs, looks, sliders, and the button that begins the dream.

import { button, el, icon, setText } from "./dom.js";
import { confirmed } from "./dialog.js";
import { chooseLook, usable } from "./beginning.js";
import { createLooks } from "./looks.js";
import { complain, notice } from "./notice.js";
import { createPhotographs } from "./photographs.js";
import { createPreviewPicture } from "./preview_picture.js";
import { openSaving } from "./saving.js";
import { createSliders } from "./sliders.js";
import { createTrying } from "./trying.js";

export function createPanel({ store, api, draft, intake, onPhoto, onDream, onSettings }) {
  const photographs = createPhotographs(intake, onPhoto);
  const looks = createLooks(api, (look) => chooseLook(draft, store, look, fromNoise).catch(complain), forgetLook);
  const sliders = createSliders(draft);
  const trying = createTrying(store, api, draft, () => showLooks());
  let photo = null;
  let fromNoise = false;
  const reset = button("Reset", () => draft.reset().catch(complain), { icon: "reset", class: "quiet" });
  const save = button("Save as a look", () => openSaving(draft, store, api), { icon: "save", class: "quiet" });
  const all = button("Show all settings", onSettings, { icon: "sliders", class: "quiet" });
  const nine = el("a", { class: "button quiet", href: "#/sheet" }, icon("sheet"), "Nine variations");
  const adjust = el("section", { class: "adjust" }, el("div", { class: "panel-heading" }, el("h2", {}, "Adjust"), reset), sliders.element,
    el("div", { class: "buttons" }, all, save, nine));
  const problem = el("p", { class: "error-text" });
  const begin = button("Dream", onDream, { class: "primary wide dream-button" });
  const picture = createPreviewPicture();
  const name = el("p", { class: "panel-look" });
  const foot = el("div", { class: "panel-foot" }, problem, el("div", { class: "panel-begin" }, picture.element, el("div", { class: "panel-words" }, name, begin)));
  const element = el("section", { class: "panel", "aria-label": "What to dream" }, el("div", { class: "panel-parts" }, photographs.element, looks.element, adjust), foot);

  function showLooks() {
    const tried = trying.preview(photo);
    looks.show(store.state.looks, photo, draft, store.state.workers.previews, tried);
    const look = store.look(draft.look);
    setText(name, `${look?.title ?? draft.title}${draft.changed ? ", changed" : ""}`);
    picture.element.hidden = !photo || !(tried || (look && look.preview_rank !== null));
    const url = tried ? tried.url : photo?.previews[draft.look] ?? null;
    picture.show(photo?.thumb ?? null, url, tried ? tried.isOld : !url);
  }

  async function forgetLook(look) {
    if (!(await confirmed("Delete this look?", `The file ${look.name}.toml is deleted. Dreams that were made with it stay.`, "Delete", { danger: true }))) return;
    try {
      await api.del(`/api/looks/${look.name}`);
      const next = store.state.looks.find(({ name }) => name !== look.name);
      if (next) await chooseLook(draft, store, next);
    } catch (error) {
      complain(error);
    }
  }

  return {
    element,
    busy: false,
    build: (given) => sliders.build(given),
    said(others) {
      if (others) notice(others === 1 ? "It is in the queue, after one other." : `It is in the queue, after ${others} others.`);
    },
    askAgain: looks.askAgain,
    destroy: trying.destroy,
    show(given, noise, coming) {
      photo = given;
      fromNoise = noise;
      element.style.setProperty("--shape", photo ? Math.min(1.5, Math.max(0.8, photo.width / photo.height)) : 1.5);
      trying.soon(photo);
      photographs.show(store.state.photos, photo?.id ?? null, coming);
      showLooks();
      sliders.show(store.state.networks);
      reset.disabled = !draft.changed;
      setText(problem, draft.problem ? (draft.problem.line ? `Line ${draft.problem.line} of the settings: ${draft.problem.message}` : draft.problem.message) : "");
      begin.disabled = !usable(draft) || !(photo || noise);
    },
  };
}
