// The start: the token, the events, the frame of the page, and the first view.

import { api, keepToken, takeToken } from "./api.js";
import { button, el, field, setText } from "./dom.js";
import { listen } from "./live.js";
import { announce, notice } from "./notice.js";
import { startRouter } from "./router.js";
import { showShortcuts, startShortcuts } from "./shortcuts.js";
import { createStore } from "./store.js";

const AWAY_AFTER = 1_000; // ms; a hiccup is not worth a word

await takeToken();
const store = createStore();
const main = document.getElementById("main");
const away = document.getElementById("away");
let awayTimer = 0;
let started = false;

function onStatus(status) {
  if (status === "refused") return askForToken();
  if (status === "away") {
    awayTimer ||= setTimeout(showAway, started ? AWAY_AFTER : 0);
    return undefined;
  }
  clearTimeout(awayTimer);
  awayTimer = 0;
  if (!away.hidden && started) {
    announce("The studio is back.");
    store.receive("back", null);
  }
  away.hidden = true;
  return undefined;
}

function showAway() {
  const text = "The studio does not answer. What you see stays; the page goes on by itself when the studio is back.";
  away.replaceChildren(el("p", {}, text, " If you closed it, start it again with ", el("code", {}, "dreamscripts studio"), "."));
  away.hidden = false;
  announce(text);
}

function askForToken() {
  const input = el("input", { type: "text", autocomplete: "off", spellcheck: false, required: true });
  const open = (event) => {
    event.preventDefault();
    keepToken(/token=([^&\s]+)/.exec(input.value)?.[1] ?? input.value.trim());
    location.reload();
  };
  main.replaceChildren(el("div", { class: "message" },
    el("h1", {}, "This studio is private"),
    el("p", {}, "Open it with the whole address that the command printed. It begins with http:// and has a token at its end. Or paste the address here:"),
    el("form", { on: { submit: open } }, field("Address", input), button("Open", null, { type: "submit", class: "primary" }))));
}

function onEvent(name, data) {
  store.receive(name, data);
  if (name !== "state" || started) return;
  started = true;
  startRouter(main, store, api);
}

function showWorkers({ workers }) {
  const { dreams, previews } = workers;
  const bad = [dreams, previews].find((lane) => lane?.status === "failed");
  const waking = previews?.status === "starting" || dreams?.status === "starting";
  const line = document.getElementById("worker-status");
  line.classList.toggle("bad", Boolean(bad));
  setText(line, bad ? bad.message : waking ? "Waking up…" : "");
}

// Everywhere, and above everything on a phone: that a dream is under way, and the way to it.
function showWork({ jobs }) {
  const running = jobs.find(({ state }) => state === "running");
  const waiting = jobs.filter(({ state }) => state === "waiting").length;
  const line = document.getElementById("work-status");
  line.hidden = !running;
  if (!running) return;
  const share = running.progress ? `${Math.round(100 * running.progress.share)} %` : "…";
  const after = waiting ? `, ${waiting} ${waiting === 1 ? "waits" : "wait"}` : "";
  if (!line.children.length) line.append(el("span", { class: "where-wide" }), el("span"), el("span", { class: "where-wide" }));
  ["Dreaming\u00a0", share, after].forEach((words, part) => setText(line.children[part], words));
}

function goToWork() {
  if (["", "#/"].includes(location.hash)) store.receive("watch", null);
  else location.hash = "#/"; // which shows the dream under way
}

document.getElementById("work-status").addEventListener("click", goToWork);
document.getElementById("help").addEventListener("click", showShortcuts);
document.getElementById("skip").addEventListener("click", (event) => (event.preventDefault(), main.focus()));
store.subscribe(showWorkers);
store.subscribe(showWork);
store.on("worker", ({ status, message }) => status === "restarted" && message && notice(message));
startShortcuts();
listen(onEvent, onStatus);
