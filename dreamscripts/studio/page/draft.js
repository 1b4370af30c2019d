// The settings that a person edits: a TOML text, its values as the server reads them, and one change after the other.

const TYPING = 350; // ms after the last key until the text is checked
const KEYS = { look: "dreamscripts-look", toml: "dreamscripts-toml" };

export function createDraft(api) {
  const listeners = new Set();
  let pending = null; // changes that wait: {dotted key: value}
  let timer = 0;
  let work = Promise.resolve(); // one request after the other, so that answers cannot overtake
  let turn = 0; // of the text: an answer to an older one is dropped

  const draft = {
    look: null, title: "", carried: false, toml: "", original: "", values: {}, features: {}, network: null, optimizer: null, problem: null, checked: false,
    edition: 0, // another after each change

    subscribe(act) {
      listeners.add(act);
      return () => listeners.delete(act);
    },

    get changed() {
      return draft.toml !== draft.original;
    },

    // Begin with a named look. `adapt(answer)` may return changes, as another network, that belong to the beginning.
    choose(name, title, adapt = () => null) {
      return begin(async (mine) => {
        const { toml } = await api.get(`/api/looks/${encodeURIComponent(name)}`);
        await start(mine, { look: name, title, carried: false }, toml, adapt);
      });
    },

    // Begin with a text, as of a picture that was made here.
    take(look, title, toml, adapt = () => null) {
      return begin((mine) => start(mine, { look, title, carried: true }, toml, adapt));
    },

    // Set values: {"optimizer.iterations": 20}; null removes a key. The comments of the text stay.
    change(changes) {
      pending = { ...pending, ...changes };
      draft.values = { ...draft.values, ...changes };
      tell();
      return queue(sendChanges);
    },

    // Take a typed text and check it soon.
    edit(toml) {
      turn += 1;
      pending = null;
      Object.assign(draft, { toml, checked: false });
      clearTimeout(timer);
      timer = setTimeout(() => queue(checkText), TYPING);
      tell();
    },

    reset() {
      draft.edit(draft.original);
      return draft.settle();
    },

    // Wait until everything is checked.
    settle() {
      clearTimeout(timer);
      return queue(async () => {
        await sendChanges();
        if (!draft.checked) await checkText();
      });
    },
  };

  function begin(act) {
    const mine = ++turn;
    pending = null;
    clearTimeout(timer);
    return queue(() => act(mine));
  }

  async function start(mine, named, toml, adapt) {
    let answer = await api.post("/api/settings/check", { toml });
    const changes = answer.problem ? null : adapt(answer);
    const adapted = changes && (await api.post("/api/settings/change", { toml, changes }));
    if (adapted && !adapted.problem) answer = adapted;
    if (mine !== turn) return;
    Object.assign(draft, named, { original: answer.toml });
    accept(answer);
  }

  async function checkText() {
    const mine = turn;
    const answer = await api.post("/api/settings/check", { toml: draft.toml });
    if (mine === turn) accept({ ...answer, toml: draft.toml });
  }

  async function sendChanges() {
    if (!pending) return;
    const changes = pending;
    const mine = turn;
    pending = null;
    try {
      const answer = await api.post("/api/settings/change", { toml: draft.toml, changes });
      if (mine === turn) accept(answer);
    } catch (error) {
      await checkText(); // so that the controls show what holds
      throw error;
    }
  }

  function accept({ toml, values, features, network, optimizer, problem }) {
    const kept = problem && !Object.keys(values ?? {}).length ? {} : { values: { ...values, ...pending }, features, network, optimizer };
    Object.assign(draft, { toml, problem, checked: true, ...kept });
    tell();
  }

  function queue(act) {
    const done = work.then(act);
    work = done.catch(() => {});
    return done;
  }

  function tell() {
    draft.edition += 1;
    keep();
    for (const act of [...listeners]) act(draft);
  }

  function keep() {
    if (draft.look === null) return;
    sessionStorage.setItem(KEYS.look, draft.look);
    if (draft.changed || draft.carried) sessionStorage.setItem(KEYS.toml, draft.toml);
    else sessionStorage.removeItem(KEYS.toml);
  }

  return draft;
}

// What the page was left with, or what another place of the page hands over: {look, toml}.
// Keep settings with which the dream view shall begin, as of a run.
export function keepDraft(look, toml) {
  sessionStorage.setItem(KEYS.look, look);
  sessionStorage.setItem(KEYS.toml, toml);
}

export function keptDraft() {
  return { look: sessionStorage.getItem(KEYS.look), toml: sessionStorage.getItem(KEYS.toml) };
}
