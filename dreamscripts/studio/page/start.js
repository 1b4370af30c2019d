// The empty page: one large place for a photograph.

import { button, el, icon } from "./dom.js";
import { hasCamera } from "./intake.js";

export function createStart(intake, onNoise) {
  const choose = button("Choose one", intake.choose, { class: "primary" });
  const area = el("div", { class: "start-area" },
    icon("picture"),
    el("h1", {}, hasCamera() ? "Choose a photograph" : "Drop a photograph here"),
    el("div", { class: "start-choices" },
      hasCamera() ? null : el("span", {}, "or"),
      hasCamera() ? button("From your pictures", intake.choose, { icon: "picture", class: "primary" }) : choose,
      hasCamera() ? button("Take a photograph", intake.photograph, { icon: "camera" }) : null),
    el("p", { class: "quiet-text" }, "Then choose a look and watch it dream. Your pictures stay on this computer."));
  area.addEventListener("click", (event) => event.target.closest("button") ?? intake.choose());
  const noise = button("Begin without a photograph, from noise", onNoise);
  return el("section", { class: "start" }, area, noise);
}
