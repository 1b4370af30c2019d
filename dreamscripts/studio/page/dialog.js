// Dialogs: the element <dialog>, which keeps the focus inside, closes with Escape and gives the focus back.

import { button, el, newId } from "./dom.js";

// Open a dialog and return {element, close}. `actions` are buttons; a form inside may close it by close().
export function openDialog(title, content, actions = []) {
  const heading = el("h2", { id: newId("dialog") }, title);
  const close = () => element.close();
  const element = el("dialog", { class: "dialog", "aria-labelledby": heading.id },
    el("div", { class: "dialog-top" }, heading, button("Close", close, { icon: "close", only: true, class: "quiet" })),
    el("div", { class: "dialog-body" }, content),
    actions.length ? el("div", { class: "dialog-actions" }, actions) : null);
  element.addEventListener("close", () => element.remove());
  element.addEventListener("click", (event) => event.target === element && close());
  document.body.append(element);
  element.showModal();
  return { element, close };
}

// Ask before something that cannot be taken back. Resolves to true or false.
export function confirmed(title, text, yes, { danger = false } = {}) {
  return new Promise((resolve) => {
    let answer = false;
    const accept = button(yes, () => ((answer = true), dialog.close()), { class: danger ? "danger" : "primary" });
    const dialog = openDialog(title, el("p", {}, text), [button("Cancel", () => dialog.close()), accept]);
    dialog.element.addEventListener("close", () => resolve(answer));
  });
}
