// What can be done with a run: go on, dream on from it, make films of it, take its files, delete it.

import { openDialog } from "./dialog.js";
import { button, el, icon } from "./dom.js";
import { complain, notice } from "./notice.js";
import { actionButton, altOf, toTrash } from "./runs.js";

const PHOTOGRAPH = "dreamscripts-photo"; // where the page keeps which photograph is chosen
const LENGTHS = [3, 10, 20]; // seconds of a zoom
const LARGEST = 640; // pixels of the longer side of a zoom

// The job that makes a run now, or will; undefined if none does.
export function activeJob(run, store) {
  const job = store.job(run.job);
  return ["waiting", "running"].includes(job?.state) ? job : undefined;
}

// The buttons that make sense for a run now. `leaves()` is called before one of them takes it away.
export function runActions(run, store, api, leaves) {
  const video = store.state.has_video;
  const job = activeJob(run, store);
  const ready = run.kind !== "film" && run.picture && !job && run.state !== "running";
  const buttons = [];
  const add = (when, words, act, properties) => when && buttons.push(actionButton(words, act, properties));
  add(job, job?.state === "waiting" ? "Take it out of the queue" : "Stop", () => api.post(`/api/jobs/${job.id}/stop`), { icon: "stop", class: "primary" });
  add(run.resumable && !job, "Go on", () => goOn(run, api), { icon: "go", class: "primary" });
  add(ready, "Dream on from here", () => dreamOn(run, api), { icon: "picture", class: run.resumable ? "" : "primary" });
  add(ready && video, "Make a film", () => makeFilm(api, { kind: "movie", run: run.id }), { icon: "film" });
  add(ready && video, "Film of a zoom", () => zoomInto(run, api), { icon: "film" });
  add(!job && run.state !== "running", "Move to trash", () => remove(run, api, leaves), { icon: "bin", class: "quiet" });
  return buttons;
}

async function goOn(run, api) {
  await api.post(`/api/runs/${run.id}/go-on`);
  notice("It goes on.");
}

// Take the picture as a photograph, and go where a dream begins.
async function dreamOn(run, api) {
  const photo = await api.post(`/api/runs/${run.id}/use`);
  sessionStorage.setItem(PHOTOGRAPH, photo.id);
  location.hash = "#/";
}

async function makeFilm(api, job) {
  await api.post("/api/jobs", job);
  notice("The film is in the queue. It will be in the history.", { action: "See the queue", act: () => (location.hash = "#/") });
}

// Ask how long the film of a zoom shall be, and put it into the queue.
function zoomInto(run, api) {
  const lengths = LENGTHS.map((seconds) => button(`${seconds} seconds`, () => {
    dialog.close();
    zoom(run, api, seconds).catch(complain);
  }, { class: seconds === LENGTHS[0] ? "primary" : "" }));
  const dialog = openDialog("How long shall the film be?",
    el("p", {}, `It goes into the picture endlessly, and dreams on. Each second has 30 pictures, so a long film takes its time. The picture becomes one of your photographs.`), lengths);
}

async function zoom(run, api, seconds) {
  const photo = await api.post(`/api/runs/${run.id}/use`);
  const size = Math.min(LARGEST, Math.max(run.width, run.height));
  const { toml } = await api.post("/api/settings/change", { toml: run.settings, changes: { "zoom.seconds": seconds, size } });
  await makeFilm(api, { kind: "zoom", photo: photo.id, look: run.look, toml });
}

async function remove(run, api, leaves) {
  leaves();
  if ((await toTrash(api, run)).length) location.hash = "#/history";
}

// Links to the files of a run.
export function downloads(run) {
  const words = { picture: "Picture", film: "Film", settings: "Settings", losses: "Losses (CSV)" };
  const links = Object.entries(words).filter(([key]) => run.downloads?.[key]);
  return links.map(([key, name]) => el("a", { href: run.downloads[key], download: "" }, icon("down"), name));
}

export function filmPlayer(run) {
  if (!run.downloads?.film) return el("p", { class: "empty" }, run.message || "This film has no picture yet.");
  const video = el("video", { class: "film", controls: true, loop: true, playsInline: true, preload: "metadata", "aria-label": altOf(run), src: run.downloads.film });
  if (run.thumb) video.poster = run.thumb;
  if (run.width && run.height) video.style.setProperty("--shape", run.width / run.height);
  return video;
}
