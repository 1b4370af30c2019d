// The place where a dream begins.

import { el } from "./dom.js";

export function view(root) {
  root.append(el("h1", {}, "Dream"));
  return { destroy() {} };
}
