// The large place: the photograph, or the dream that a person watches.

import { button, el, setText } from "./dom.js";
import { confirmed } from "./dialog.js";
import { notice } from "./notice.js";
import { createWatch } from "./watch.js";
import { viewer } from "./viewer.js";

const OPEN = ["running", "waiting"];

// `onUse(photo)`: dream on from a picture; `onForget(photo)`: remove a photograph.
export function createStage(store, api, titleOf, { onUse, onForget }) {
  const toPhoto = button("Photograph", showPhoto, { ariaLabel: "Show the photograph" });
  const toDream = button("Dream", () => watch(job), { ariaLabel: "Show the dream" });
  const tabs = el("div", { class: "tabs", role: "group", "aria-label": "Show" }, toPhoto, toDream);
  const name = el("p", { class: "photo-name" });
  const forget = button("Remove this photograph", remove, { icon: "bin", only: true, class: "quiet" });
  const caption = el("div", { class: "photo-caption" }, name, forget);
  const place = el("div", { class: "stage-place" });
  const noise = el("div", { class: "stage-noise" }, el("p", {}, "No photograph: the dream begins from noise."));
  const element = el("section", { class: "stage", "aria-label": "Picture" }, el("div", { class: "stage-top" }, tabs, caption), place);
  let job = null; // id of the job that is watched
  let side = "photo";
  let photo = null;
  let made = null; // {key, element, show, destroy}: what the place holds

  function showPhoto() {
    side = "photo";
    show(photo);
  }

  function watch(id) {
    job = id;
    side = "dream";
    show(photo);
  }

  async function remove() {
    const it = photo;
    const used = store.state.jobs.some((one) => OPEN.includes(one.state) && one.photo?.id === it.id);
    if (used) return void notice(`A dream of ${it.name} is in the queue. Remove that first.`, { bad: true });
    if (await confirmed("Remove this photograph?", `${it.name} leaves the studio. Dreams that were made of it stay.`, "Remove", { danger: true })) onForget(it);
  }

  function hold(key, make) {
    if (made?.key === key) return;
    made?.destroy();
    made = { key, ...make() };
    place.replaceChildren(made.element);
  }

  function makePhoto() {
    const picture = viewer({ after: photo.url, afterAlt: photo.name, width: photo.width, height: photo.height });
    return { element: picture.element, show() {}, destroy: picture.destroy };
  }

  function show(now) {
    photo = now;
    const watched = store.job(job);
    if (!watched) side = "photo";
    tabs.hidden = !watched;
    toPhoto.setAttribute("aria-pressed", side === "photo");
    toDream.setAttribute("aria-pressed", side === "dream");
    caption.hidden = side === "photo" && !photo;
    forget.hidden = side === "dream";
    if (side === "dream") setText(name, [titleOf(watched.look), watched.photo?.name].filter(Boolean).join(", "));
    else if (photo) setText(name, `${photo.name}, ${photo.width} × ${photo.height}`);
    if (side === "dream") {
      hold(`job ${job}`, () => createWatch(store, api, watched, { onUse }));
      const before = store.state.jobs.filter((one) => OPEN.includes(one.state) && one.place < watched.place).length;
      made.show(watched, before, Object.values(store.state.workers).some(({ status }) => status === "starting"));
    } else if (photo) hold(`photo ${photo.id}`, makePhoto);
    else hold("noise", () => ({ element: noise, show() {}, destroy() {} }));
  }

  return {
    element, show, showPhoto, watch,
    stop() {
      if (OPEN.includes(store.job(job)?.state) && side === "dream") made.stop();
    },
    // "45 % " while a dream runs, for the title of the page
    percent() {
      const running = store.state.jobs.find(({ state }) => state === "running");
      return running?.progress ? `${Math.round(100 * running.progress.share)} % · ` : "";
    },
    destroy: () => made?.destroy(),
  };
}
