// Saying things: a line at the bottom of the page, and words for screen readers.

import { button, el } from "./dom.js";

const SHORT = 6_000; // ms that a line stays
const LONG = 12_000; // with a button, or for an error

// Show a line. With `action` and `act` it has a button ("Undo"), with `bad` it is an error. It stays while a person is on it.
export function notice(text, { action = null, act = null, bad = false } = {}) {
  const toast = el("div", { class: `toast${bad ? " bad" : action ? "" : " brief"}` }, el("p", {}, text));
  let timer = 0;
  const end = () => {
    clearTimeout(timer);
    toast.remove();
  };
  const wait = () => {
    clearTimeout(timer);
    timer = setTimeout(end, action || bad ? LONG : SHORT);
  };
  if (action) toast.append(button(action, () => (end(), act()), { class: "quiet" }));
  toast.append(button("Close this message", end, { icon: "close", only: true, class: "quiet" }));
  for (const event of ["pointerenter", "focusin"]) toast.addEventListener(event, () => clearTimeout(timer));
  for (const event of ["pointerleave", "focusout"]) toast.addEventListener(event, wait);
  const toasts = document.getElementById("toasts");
  for (const old of [...toasts.children]) if (old.matches(".brief") || old.firstElementChild.textContent === text || toasts.children.length > 2) old.remove();
  toasts.append(toast);
  wait();
  return end;
}

export const complain = (error) => notice(error.message, { bad: true });

// Say something to screen readers only, when they have finished what they are saying.
export function announce(text) {
  document.getElementById("announcements").textContent = text;
}
