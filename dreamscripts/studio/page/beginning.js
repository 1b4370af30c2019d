// The look to begin with, and what a look needs so that it runs here at once.

import { keptDraft } from "./draft.js";
import { firstLooks } from "./looks.js";

export const usable = (draft) => draft.look !== null && !draft.problem;

// A look may name a network whose weights are not here yet: then begin with one that is. Returns changes, or null.
export function withReadyNetwork(networks) {
  return ({ network }) => {
    const ready = networks.filter((one) => one.ready);
    if (!ready.length || networks.find(({ name }) => name === network)?.ready !== false) return null;
    return { network: (ready.find(({ name }) => name === "pocket_large") ?? ready[0]).name };
  };
}

const NOISE = 512; // pixels on a side, where the settings have no size

export const fromNoise = (values) => ({ start: "noise", size: values.size ?? NOISE });

export function chooseLook(draft, store, look, noise = false) {
  const network = withReadyNetwork(store.state.networks);
  const adapt = (answer) => (noise ? { ...network(answer), ...fromNoise(answer.values) } : network(answer));
  return draft.choose(look.name, look.title, adapt);
}

// Go on with what the page was left with, or with the first look.
export async function beginning(draft, store) {
  const { look, toml } = keptDraft();
  const found = store.look(look);
  if (found) await chooseLook(draft, store, found);
  else if (toml) return draft.take(look, look.replace(/^from_/, ""), toml);
  else if (store.state.looks.length) await chooseLook(draft, store, firstLooks(store.state.looks)[0]);
  if (found && toml) {
    draft.edit(toml);
    await draft.settle();
  }
  return undefined;
}
