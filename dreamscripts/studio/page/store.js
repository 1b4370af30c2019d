// What the page knows: the state of GET /api/state, kept up to date by the server's events.

const EMPTY = {
  version: "", folder: "", has_video: false, networks: [], workers: {}, photos: [], looks: [], jobs: [], sheets: [],
  disk_free: null, limits: {},
};

// How each event changes the state: those of the server, and "stopping" {id}, when the person stops a job. Events that are not here (run, run-gone, …) change nothing; views listen to them by name.
const CHANGES = {
  state: (state, data) => ({ ...state, ...data }),
  job: (state, job) => ({ ...state, jobs: inOrder(put(state.jobs, withMemory(state.jobs, job))) }),
  stopping: (state, { id }) => ({ ...state, jobs: state.jobs.map((job) => (job.id === id ? { ...job, isStopping: true } : job)) }),
  "job-gone": (state, { id }) => ({ ...state, jobs: without(state.jobs, id) }),
  progress: (state, progress) => ({ ...state, jobs: state.jobs.map((job) => (job.id === progress.job ? { ...job, progress } : job)) }),
  preview: (state, { photo, look, url }) => ({ ...state, photos: state.photos.map((one) => (one.id === photo ? withPreview(one, look, url) : one)) }),
  worker: (state, { lane, ...status }) => ({ ...state, workers: { ...state.workers, [lane]: status } }),
  photo: (state, photo) => ({ ...state, photos: put(state.photos, photo) }),
  "photo-gone": (state, { id }) => ({ ...state, photos: without(state.photos, id) }),
  looks: (state, looks) => ({ ...state, looks }),
  sheet: (state, sheet) => ({ ...state, sheets: put(state.sheets, sheet) }),
  "sheet-gone": (state, { id }) => ({ ...state, sheets: without(state.sheets, id) }),
};

const without = (items, id) => items.filter((item) => item.id !== id);
const put = (items, item) => (items.some(({ id }) => id === item.id) ? items.map((old) => (old.id === item.id ? item : old)) : [...items, item]);
const inOrder = (jobs) => [...jobs].sort((a, b) => a.place - b.place);
const withPreview = (photo, look, url) => ({ ...photo, previews: { ...photo.previews, [look]: url } });

// A job's event may come without its progress, and does not say that the person has stopped it: keep what is known.
function withMemory(jobs, job) {
  const old = jobs.find(({ id }) => id === job.id);
  return { ...job, progress: job.progress ?? old?.progress ?? null, isStopping: Boolean(old?.isStopping) && job.state === "running" };
}

export function createStore() {
  const listeners = new Set();
  const named = new Map();
  let waiting = false;

  const store = {
    state: EMPTY,
    known: false, // whether the state has come at least once

    // Call act(state) after changes: several changes at once make one call. Returns a function that ends it.
    subscribe(act) {
      listeners.add(act);
      return () => listeners.delete(act);
    },

    // Call act(data) for each event of this name, after the state has changed. Returns a function that ends it.
    on(name, act) {
      if (!named.has(name)) named.set(name, new Set());
      named.get(name).add(act);
      return () => named.get(name).delete(act);
    },

    receive(name, data) {
      const change = CHANGES[name];
      if (change) {
        store.state = change(store.state, data);
        store.known ||= name === "state";
        tell();
      }
      for (const act of [...(named.get(name) ?? [])]) act(data);
    },

    photo: (id) => store.state.photos.find((photo) => photo.id === id),
    job: (id) => store.state.jobs.find((job) => job.id === id),
    look: (name) => store.state.looks.find((look) => look.name === name),
  };

  function tell() {
    if (waiting) return;
    waiting = true;
    queueMicrotask(() => {
      waiting = false;
      for (const act of [...listeners]) act(store.state);
    });
  }

  return store;
}
