// Places of the page, by the address after "#". A view is a module with view(root, store, api, ...parts) → {destroy()}.

import { button, el } from "./dom.js";

const PLACES = [
  { pattern: /^\/$/, title: "Dream", load: () => import("./dream.js") },
  { pattern: /^\/history$/, title: "History", load: () => import("./history.js") },
  { pattern: /^\/run\/([^/]+)$/, title: "A dream", load: () => import("./run.js") },
  { pattern: /^\/compare\/([^/]+)\/([^/]+)$/, title: "Compare", load: () => import("./compare.js") },
  { pattern: /^\/sheet$/, title: "A sheet", load: () => import("./sheet.js") },
  { pattern: /^\/sheet\/([^/]+)$/, title: "A sheet", load: () => import("./sheet.js") },
  { pattern: /^\/trash$/, title: "Trash", load: () => import("./trash.js") },
];

// Show the view of the address in `main`, now and whenever the address changes.
export function startRouter(main, store, api) {
  let current = null;
  let turn = 0;

  async function show() {
    const path = location.hash.slice(1) || "/";
    if (!path.startsWith("/")) return; // a place within the page, as of the skip link
    const mine = ++turn;
    const place = PLACES.find(({ pattern }) => pattern.test(path));
    current?.destroy();
    current = null;
    main.replaceChildren();
    mark(path);
    document.title = `${place?.title ?? "Not found"} · dreamscripts studio`;
    if (!place) return void main.append(lost());
    try {
      const { view } = await place.load();
      if (mine !== turn) return;
      current = view(main, store, api, ...place.pattern.exec(path).slice(1).map(decodeURIComponent));
    } catch (error) {
      console.error(error);
      if (mine === turn) fail();
    }
    if (mine > 1) {
      scrollTo(0, 0);
      main.focus({ preventScroll: true });
    }
  }

  // The studio is away, or another version of it has come. A module that could not be loaded needs a new page.
  function fail() {
    const reload = () => location.reload();
    main.replaceChildren(el("div", { class: "message" }, el("h1", {}, "This page did not open"), button("Reload", reload, { class: "primary" })));
    store.on("back", reload);
  }

  addEventListener("hashchange", show);
  show();
}

function mark(path) {
  const root = path === "/" ? "#/" : "#/history";
  for (const link of document.querySelectorAll(".places a")) {
    if (link.getAttribute("href") === root) link.setAttribute("aria-current", "page");
    else link.removeAttribute("aria-current");
  }
}

function lost() {
  return el("div", { class: "message" }, el("h1", {}, "There is nothing here"), el("p", {}, el("a", { href: "#/" }, "Begin a dream"), " or look at ",
    el("a", { href: "#/history" }, "what was made"), "."));
}
