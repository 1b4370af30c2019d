// The trash: what was deleted, until it is restored or the trash is emptied.

import { confirmed } from "./dialog.js";
import { button, el, setText } from "./dom.js";
import { notice } from "./notice.js";
import { actionButton, attempt, emptyState, thumbnail, titleOf } from "./runs.js";
import { bytes, count, dayAndTime } from "./words.js";

export function view(root, store, api) {
  let ended = false;
  const size = el("p", { class: "quiet-text" });
  const list = el("ul", { class: "rows", role: "list" });
  const empty = button("Empty the trash", () => emptyTrash(), { icon: "bin", class: "danger", hidden: true });
  const nothing = emptyState("bin", "The trash is empty", "Pictures that you delete wait here, until you empty it.",
    el("a", { class: "button", href: "#/history" }, "To the history"));
  nothing.hidden = true;
  root.append(el("div", { class: "wall-head" }, el("h1", {}, "Trash"), size, el("div", { class: "buttons" }, empty)), list, nothing);

  function row(run) {
    const restore = actionButton("Restore", async () => {
      await api.post(`/api/trash/${run.id}/restore`);
      notice(`“${titleOf(run)}” is back in the history.`);
      await load();
      (list.querySelector("button") ?? nothing.querySelector("a")).focus();
    }, { "aria-label": `Restore ${titleOf(run)}, ${dayAndTime(run.created)}` });
    return el("li", { class: "row" }, el("div", { class: "row-picture" }, thumbnail(run, "")),
      el("p", {}, el("strong", {}, titleOf(run)), el("span", { class: "quiet-text" }, [run.photo_name, dayAndTime(run.created)].filter(Boolean).join(" · "))), restore);
  }

  async function load() {
    const { items, bytes: large } = await api.get("/api/trash");
    if (ended) return;
    list.replaceChildren(...items.map(row));
    nothing.hidden = items.length > 0;
    empty.hidden = items.length === 0;
    setText(size, items.length ? `${count(items.length, "picture")}, ${bytes(large)}` : "");
  }

  async function emptyTrash() {
    const text = `${count(list.children.length, "picture")} with everything that belongs to it will be gone for good.`;
    if (!(await confirmed("Empty the trash?", text, "Delete for good", { danger: true }))) return;
    await attempt(async () => {
      await api.del("/api/trash");
      await load();
      notice("The trash is empty.");
    });
  }

  attempt(load);
  const ends = [store.on("run", () => attempt(load)), store.on("run-gone", () => attempt(load))];
  return {
    destroy() {
      ended = true;
      for (const end of ends) end();
    },
  };
}
