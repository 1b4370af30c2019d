// The looks, each shown on the person's own photograph: the previews arrive one by one, as in a tray of developer.

import { button, el, keyed, newId, setText } from "./dom.js";
import { complain } from "./notice.js";

const FEW = 8; // looks that are shown at first: those that the server previews by itself

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
  let asked = ""; // the photograph whose further looks were asked for

  function toggle() {
    all = !all;
    more.setAttribute("aria-expanded", all);
    more.lastChild.textContent = all ? "Fewer looks" : "More looks";
    if (last) show(...last);
  }

  function askForMore(photo, looks) {
    const missing = looks.filter((look) => !photo.previews[look.name] && look.preview_rank === null).map((look) => look.name);
    if (asked === photo.id || !missing.length) return;
    asked = photo.id;
    api.post(`/api/photos/${photo.id}/previews`, { looks: missing }).catch(complain);
  }

  function make(look) {
    const id = newId("look");
    const radio = el("input", { type: "radio", name, id, value: look.name, class: "visually-hidden", on: { change: () => onChoose(last[0].find((one) => one.name === look.name)) } });
    return el("label", { class: "look", htmlFor: id, title: look.about }, radio,
      el("span", { class: "look-picture" }, el("img", { class: "look-photo", alt: "", draggable: false })), el("span", { class: "look-name" }, look.title));
  }

  function update(tile, look, photo) {
    const [radio, place, words] = tile.children;
    radio.checked = look.name === chosen?.name;
    setText(words, look.title);
    const under = place.firstElementChild;
    if (photo && under.getAttribute("src") !== photo.thumb) under.src = photo.thumb;
    under.hidden = !photo;
    const url = photo?.previews[look.name];
    let preview = place.children[1];
    if (preview && preview.getAttribute("src") !== url) preview = preview.remove();
    if (url && !preview) place.append(el("img", { class: "look-preview", src: url, alt: "", draggable: false, on: { load: (event) => event.target.classList.add("developed") } }));
    tile.classList.toggle("waiting", Boolean(photo) && !url && look.preview_rank !== null);
  }

  // looks, the photograph or null, the draft's {look, title}, the preview worker's {status, message}
  function show(looks, photo, draft, worker) {
    last = [looks, photo, draft, worker];
    chosen = looks.find((look) => look.name === draft.look) ?? null;
    const first = looks.filter((look, place) => look.preview_rank !== null || look.own || look === chosen || (!looks.some((one) => one.preview_rank !== null) && place < FEW));
    const shown = all ? looks : first;
    grid.style.setProperty("--shape", photo ? Math.min(1.5, Math.max(0.8, photo.width / photo.height)) : 1.5);
    keyed(grid, shown, (look) => look.name, make, (tile, look) => update(tile, look, photo));
    if (all && photo) askForMore(photo, looks);
    more.hidden = first.length === looks.length;
    setText(about, chosen ? chosen.about : draft.title && `Settings of ${draft.title}`);
    forget.hidden = !chosen?.own;
    setText(status, progressOf(looks, photo, worker));
  }

  return { element, show };
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
