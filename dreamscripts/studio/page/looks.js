// The looks, each shown on the person's own photograph: the previews arrive one by one, as in a tray of developer.

import { button, el, keyed, newId, setText } from "./dom.js";
import { complain } from "./notice.js";
import { createPreviewPicture } from "./preview_picture.js";

const FEW = 8; // looks that are shown, and tried, at first

// `onChoose(look)` when a person chooses one; `onForget(look)` to delete a look of their own.
export function createLooks(api, onChoose, onForget) {
  const name = newId("look");
  const title = el("h2", { id: `${name}-title` }, "Look");
  const status = el("p", { class: "help looks-status" });
  const grid = el("div", { class: "looks-grid", role: "radiogroup", "aria-labelledby": title.id });
  const about = el("p", { class: "help looks-about" });
  const forget = button("Delete this look", () => onForget(chosen), { icon: "bin", class: "quiet", hidden: true });
  const more = button("More looks", toggle, { icon: "more", class: "quiet wide looks-more", "aria-expanded": "false" });
  const element = el("section", { class: "looks" }, el("div", { class: "panel-heading" }, title, status), grid, about, forget, more);
  let all = false;
  let chosen = null;
  let last = null;
  const asked = new Set(); // "photograph look"

  function toggle() {
    all = !all;
    more.setAttribute("aria-expanded", all);
    more.lastChild.textContent = all ? "Fewer looks" : "More looks";
    if (last) show(...last);
  }

  // Ask once for the previews of these looks that there are not yet.
  function askFor(photo, shown) {
    const chosenFirst = chosen ? [chosen, ...shown.filter((look) => look !== chosen)] : shown;
    const missing = chosenFirst.filter(({ name, preview_rank: rank }) => rank !== null && !photo.previews[name] && !asked.has(`${photo.id} ${name}`));
    if (!missing.length) return;
    for (const { name } of missing) asked.add(`${photo.id} ${name}`);
    api.post(`/api/photos/${photo.id}/previews`, { looks: missing.map((look) => look.name) }).catch(complain);
  }

  function make(look) {
    const id = newId("look");
    const radio = el("input", { type: "radio", name, id, value: look.name, class: "visually-hidden", on: { change: () => onChoose(last[0].find((one) => one.name === look.name)) } });
    const picture = createPreviewPicture();
    const tile = el("label", { class: "look", htmlFor: id, title: look.about }, radio, picture.element, el("span", { class: "look-name" }, look.title));
    tile.parts = { radio, picture, words: tile.lastChild };
    return tile;
  }

  function update(tile, look, photo, tried) {
    const { radio, picture, words } = tile.parts;
    radio.checked = look.name === chosen?.name;
    const changed = look === chosen && tried !== undefined;
    setText(words, look.title);
    const url = changed ? tried.url : photo?.previews[look.name] ?? null;
    const waiting = changed ? tried.isOld : !url && look.preview_rank !== null;
    picture.show(photo?.thumb ?? null, url, Boolean(photo) && waiting);
  }

  // looks, the photograph or null, the draft's {look, title}, the preview worker's {status, message}, a preview of the changed settings
  function show(looks, photo, draft, worker, tried) {
    last = [looks, photo, draft, worker, tried];
    chosen = looks.find((look) => look.name === draft.look) ?? null;
    const few = firstLooks(looks);
    const ordered = [...few, ...looks.filter((look) => !few.includes(look) && look.own), ...looks.filter((look) => !few.includes(look) && !look.own)];
    const first = ordered.filter((look) => few.includes(look) || look.own || look === chosen);
    const shown = all ? ordered : first;
    grid.classList.toggle("bare", !photo); // without a photograph, looks are words
    keyed(grid, shown, (look) => look.name, make, (tile, look) => update(tile, look, photo, tried));
    if (photo && draft.look !== null) askFor(photo, shown);
    more.hidden = first.length === looks.length;
    setText(about, chosen ? chosen.about : draft.title && `Settings of ${draft.title}`);
    forget.hidden = !chosen?.own;
    setText(status, progressOf(shown, photo, worker));
  }

  return {
    element, show,
    askAgain: () => asked.clear(), // of a server that was started again
  };
}

// The looks to begin with: the first in rank.
export function firstLooks(looks) {
  const ranked = looks.filter((look) => look.preview_rank !== null).sort((a, b) => a.preview_rank - b.preview_rank);
  return (ranked.length ? ranked : looks).slice(0, FEW);
}

function progressOf(looks, photo, worker) {
  if (!photo) return "";
  const ranked = looks.filter((look) => look.preview_rank !== null);
  const made = ranked.filter((look) => photo.previews[look.name]).length;
  if (made >= ranked.length) return "";
  if (worker?.status === "failed") return worker.message || "No previews just now.";
  if (worker?.status === "starting") return "Waking up…";
  return made ? `${made} of ${ranked.length} previews` : "Previews on their way…";
}
