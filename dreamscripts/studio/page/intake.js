// Photographs come in: dropped anywhere, pasted, chosen, or from the camera of a phone.

import { el } from "./dom.js";
import { complain, notice } from "./notice.js";

const KINDS = "image/jpeg,image/png,image/webp,image/tiff,image/bmp,image/gif,image/avif,image/heic,.jpg,.jpeg,.png,.webp,.tif,.tiff,.bmp,.gif,.avif";

// `onPhoto(photo, first)` is called for each that arrived; `onCount(number)` with how many are on their way.
export function createIntake(store, api, onPhoto, onCount = () => {}) {
  const ending = new AbortController();
  const listen = (name, act) => document.addEventListener(name, act, { signal: ending.signal });
  const file = picker(false);
  const camera = picker(true);
  const veil = el("div", { class: "drop-veil", hidden: true }, el("p", {}, "Drop it here"));
  const element = el("div", {}, file, camera, veil);
  let coming = 0;
  let depth = 0; // of the elements that the pointer has entered with a file

  function picker(fromCamera) {
    const input = el("input", { type: "file", accept: fromCamera ? "image/*" : KINDS, multiple: !fromCamera, class: "visually-hidden", tabIndex: -1, "aria-hidden": "true" });
    if (fromCamera) input.setAttribute("capture", "environment");
    input.addEventListener("change", () => {
      take([...input.files]);
      input.value = "";
    });
    return input;
  }

  async function take(files) {
    if (!files.length) return;
    coming += files.length;
    onCount(coming);
    let first = true;
    for (const one of files) {
      try {
        checkSize(one, store.state.limits.bytes);
        const photo = await api.upload(one);
        for (const note of photo.notes ?? []) notice(note);
        onPhoto(photo, first);
        first = false;
      } catch (error) {
        complain(error);
      }
      coming -= 1;
      onCount(coming);
    }
  }

  const hasFiles = (event) => event.dataTransfer?.types.includes("Files");
  const show = (change) => {
    depth = Math.max(0, depth + change);
    veil.hidden = depth === 0;
  };
  listen("dragenter", (event) => hasFiles(event) && show(1));
  listen("dragleave", (event) => hasFiles(event) && show(-1));
  listen("dragover", (event) => hasFiles(event) && event.preventDefault());
  listen("drop", (event) => {
    if (!hasFiles(event)) return;
    event.preventDefault();
    show(-depth);
    take([...event.dataTransfer.files]);
  });
  listen("paste", (event) => {
    const files = [...(event.clipboardData?.files ?? [])];
    if (files.length) take(files);
  });

  return {
    element, take,
    choose: () => file.click(),
    photograph: () => camera.click(),
    destroy: () => ending.abort(),
  };
}

function checkSize({ size, name }, most) {
  if (most && size > most) throw new Error(`${name} is too large: at most ${Math.round(most / 1e6)} MB.`);
}

// A phone or a tablet: there, a photograph can be taken at once.
export const hasCamera = () => matchMedia("(pointer: coarse)").matches;
