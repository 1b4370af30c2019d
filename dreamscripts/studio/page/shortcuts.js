// Keys: each place of the page says which it has, and "?" lists them.

import { el } from "./dom.js";
import { openDialog } from "./dialog.js";

const OFF = "dreamscripts-keys-off";
const shortcuts = new Map();

// shortcut("d", "Dream", act) → a function that ends it. Single keys rest while a person types.
export function shortcut(key, words, act) {
  const entry = { words, act };
  shortcuts.set(key, entry);
  return () => shortcuts.get(key) === entry && shortcuts.delete(key);
}

const types = (element) => element.isContentEditable || ["TEXTAREA", "SELECT"].includes(element.tagName) ||
  (element.tagName === "INPUT" && !["range", "checkbox", "radio", "button", "file"].includes(element.type));

function onKey(event) {
  if (event.altKey || event.defaultPrevented || event.repeat || document.querySelector("dialog[open]")) return;
  const command = event.ctrlKey || event.metaKey;
  if (!command && (types(event.target) || localStorage.getItem(OFF))) return;
  const entry = shortcuts.get(command ? `Ctrl+${event.key}` : event.key);
  if (!entry) return;
  event.preventDefault();
  entry.act();
}

export function showShortcuts() {
  const on = el("input", { type: "checkbox", id: "keys-on", checked: !localStorage.getItem(OFF) });
  on.addEventListener("change", () => (on.checked ? localStorage.removeItem(OFF) : localStorage.setItem(OFF, "1")));
  const rows = [...shortcuts].map(([key, { words }]) =>
    el("div", {}, el("dt", {}, key.split("+").map((part) => el("kbd", {}, part))), el("dd", {}, words)));
  const more = [["Tab", "To the next control"], ["← →", "Move a slider, or the divider between before and after"], ["Esc", "Close what is open"]].map(
    ([key, words]) => el("div", {}, el("dt", {}, el("kbd", {}, key)), el("dd", {}, words)));
  openDialog("Keyboard", [
    el("dl", { class: "keys" }, rows, more),
    el("label", { class: "check", htmlFor: "keys-on" }, on, "Use single keys (turn off if they get in your way)"),
  ]);
}

export function startShortcuts() {
  document.addEventListener("keydown", onKey);
  shortcut("?", "This list", showShortcuts);
  shortcut("1", "Go to Dream", () => (location.hash = "#/"));
  shortcut("2", "Go to History", () => (location.hash = "#/history"));
}
