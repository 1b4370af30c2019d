// A picture that is replaced without a flash: the next one is decoded before it takes the place of the old one.

import { el } from "./dom.js";

export class Layer {
  #wanted = null;
  #shown = null;
  #loading = false;
  #ended = false;

  // `changed(layer)` is called after each new picture, and after one that could not be opened.
  constructor(changed) {
    this.element = el("div", { class: "viewer-layer" });
    this.image = null;
    this.failed = false;
    this.changed = changed;
    this.alt = "";
  }

  describe(alt) {
    this.alt = alt;
    if (this.image) this.image.alt = alt;
  }

  // Show the picture at this address; null shows none. While one is on its way, only the newest waits behind it.
  show(address) {
    this.#wanted = address;
    if (!this.#loading) this.#load();
  }

  async #load() {
    this.#loading = true;
    while (this.#wanted !== this.#shown && !this.#ended) {
      const address = this.#wanted;
      const image = address === null ? null : await decoded(address);
      if (this.#ended) break;
      this.failed = image === undefined;
      if (this.failed && this.#wanted === address) this.#wanted = this.#shown; // keep the picture that is there
      if (!this.failed) this.#replace(image, address);
      this.changed(this);
    }
    this.#loading = false;
  }

  #replace(image, address) {
    const old = this.image;
    if (image) image.alt = this.alt;
    if (image && old) {
      image.style.cssText = old.style.cssText;
      old.replaceWith(image);
    } else if (image) this.element.prepend(image);
    else old?.remove();
    this.image = image;
    this.#shown = address;
  }

  destroy() {
    this.#ended = true;
    this.image?.remove();
    this.image = null;
  }
}

// Return the picture at an address once it can be painted, or undefined.
async function decoded(address) {
  const image = new Image();
  image.draggable = false;
  image.src = address;
  try {
    await image.decode();
    return image;
  } catch {
    return undefined;
  }
}
