// The settings as a TOML text: numbered lines, and a problem at its line.

import { button, el, newId, setText } from "./dom.js";
import { announce, complain, notice } from "./notice.js";

export function createTomlEditor(draft) {
  const id = newId("toml");
  const text = el("textarea", { id, class: "editor-text", spellcheck: false, autocomplete: "off", wrap: "off", rows: 24 });
  text.setAttribute("autocapitalize", "off");
  const numbers = el("div", { class: "editor-numbers", "aria-hidden": "true" });
  const mark = el("div", { class: "editor-mark", hidden: true });
  const editor = el("div", { class: "editor" }, mark, numbers, text);
  const problem = el("p", { class: "error-text editor-problem", id: `${id}-problem` });
  const copy = button("Copy", copyText, { icon: "copy", class: "quiet" });
  const element = el("div", { class: "toml" },
    el("div", { class: "panel-heading" }, el("label", { htmlFor: id }, "The same as a text (TOML)"), copy), editor, problem);
  let lines = 0;
  let said = "";

  text.addEventListener("input", () => draft.edit(text.value));
  text.addEventListener("scroll", scroll);

  function scroll() {
    numbers.scrollTop = text.scrollTop;
    editor.style.setProperty("--scrolled", `${text.scrollTop}px`);
  }

  async function copyText() {
    try {
      await navigator.clipboard.writeText(draft.toml);
      notice("The settings are copied.");
    } catch {
      text.select();
      complain(new Error("The browser does not let the page copy. The text is selected: copy it with the keyboard."));
    }
  }

  function showNumbers() {
    const count = text.value.split("\n").length;
    if (count === lines) return;
    lines = count;
    numbers.textContent = Array.from({ length: count }, (_, line) => line + 1).join("\n");
  }

  return {
    element,
    show() {
      if (text.value !== draft.toml) {
        const [start, end] = [text.selectionStart, text.selectionEnd];
        text.value = draft.toml;
        if (document.activeElement === text) text.setSelectionRange(start, end);
      }
      showNumbers();
      const { message = "", line = null } = draft.problem ?? {};
      mark.hidden = line === null || line === undefined;
      if (line) editor.style.setProperty("--line", line - 1);
      if (draft.problem) {
        text.setAttribute("aria-invalid", "true");
        text.setAttribute("aria-describedby", problem.id);
      } else text.removeAttribute("aria-invalid");
      setText(problem, message && line ? `Line ${line}: ${message}` : message);
      if (message !== said && message) announce(problem.textContent);
      said = message;
      scroll();
    },
  };
}
