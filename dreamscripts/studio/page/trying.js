// A preview of the settings as they are now, a moment after each change: what the sliders do, on the photograph.

import { complain } from "./notice.js";

const PAUSE = 700; // ms without another change
const NAME = "current"; // of this preview among those of the looks

// `changed()` is called when a preview has come.
export function createTrying(store, api, draft, changed) {
  let timer = 0;
  let asked = null; // {photo, look, toml} of the newest question
  let made = null; // {photo, look, toml, url}

  const is = (one, photo) => one !== null && one.photo === photo?.id && one.toml === draft.toml;
  const stopHearing = store.on("preview", ({ photo, look, url }) => {
    if (look !== NAME || asked?.photo !== photo) return;
    made = { ...asked, url };
    changed();
  });

  function ask(photo) {
    if (is(asked, photo) || !draft.changed || !draft.checked || draft.problem) return;
    asked = { photo: photo.id, look: draft.look, toml: draft.toml };
    api.post(`/api/photos/${photo.id}/previews`, { toml: draft.toml }).catch(complain);
  }

  return {
    // The settings changed, or the photograph: ask for a preview soon.
    soon(photo) {
      clearTimeout(timer);
      if (photo && draft.changed && !is(asked, photo)) timer = setTimeout(() => ask(photo), PAUSE);
    },
    // {url, isOld}: how the changed settings look, or how they looked before this change. Undefined where nothing is changed.
    preview(photo) {
      if (!photo || !draft.changed || !draft.look) return undefined;
      const last = made?.photo === photo.id && made.look === draft.look ? made.url : photo.previews[draft.look];
      return { url: last ?? null, isOld: !is(made, photo) };
    },
    destroy() {
      clearTimeout(timer);
      stopHearing();
    },
  };
}
