// The page's modules that need no browser. Run by test_modules.py.

import assert from "node:assert/strict";
import test from "node:test";

const page = new URL("../../../dreamscripts/studio/page/", import.meta.url);
const { parse } = await import(new URL("live.js", page));
const { createStore } = await import(new URL("store.js", page));
const { placeOf, stepped, valueAt } = await import(new URL("sliders.js", page));
const { createDraft } = await import(new URL("draft.js", page));
const { fileName } = await import(new URL("saving.js", page));
const { createWatchedRows } = await import(new URL("watched_rows.js", page));

test("an event is read, and a heartbeat is none", () => {
  assert.deepEqual(parse('event: job\ndata: {"id":\ndata: 1}'), { name: "job", data: { id: 1 } });
  assert.equal(parse(": "), null);
});

test("the store keeps the progress of a job, its order, and previews", () => {
  const store = createStore();
  store.receive("state", { jobs: [{ id: "a", place: 2 }, { id: "b", place: 1 }], photos: [{ id: "p", previews: {} }] });
  store.receive("progress", { job: "a", share: 0.5 });
  store.receive("job", { id: "a", place: 0, state: "stopped", progress: null });
  store.receive("preview", { photo: "p", look: "marble", url: "/files/x" });
  assert.deepEqual(store.state.jobs.map(({ id }) => id), ["a", "b"]);
  assert.equal(store.job("a").progress.share, 0.5);
  assert.deepEqual(store.photo("p").previews, { marble: "/files/x" });
});

test("a logarithmic slider finds its values again, and a key always moves it", () => {
  const slider = { low: 1, high: 50, step: 1, kind: "integer" };
  for (let value = 1; value <= 50; value += 1) {
    assert.equal(valueAt(slider, true, placeOf(slider, true, value)), value);
    if (value < 50) assert.ok(stepped(slider, value, 1) > value);
    if (value > 1) assert.ok(stepped(slider, value, -1) < value);
  }
});

test("a name becomes the name of a file", () => {
  assert.equal(fileName(" Château / Nº 3 "), "chateau_no_3");
  assert.equal(fileName("../../etc"), "etc");
});

test("changes that come while a request is under way are sent together, after it", async () => {
  globalThis.sessionStorage = { setItem() {}, removeItem() {} };
  const sent = [];
  const api = {
    get: async () => ({ toml: "size = 1" }),
    async post(path, body) {
      sent.push(body.changes ?? null);
      await new Promise((resolve) => setTimeout(resolve, 5));
      return { toml: "size = 2", values: { size: 2 }, features: {}, network: "pocket", optimizer: "adam", problem: null };
    },
  };
  const draft = createDraft(api);
  await draft.choose("marble", "Marble");
  const first = draft.change({ size: 2 });
  await new Promise((resolve) => setTimeout(resolve, 1));
  draft.change({ size: 3 });
  await Promise.all([first, draft.change({ seed: 4 })]);
  assert.deepEqual(sent, [null, { size: 2 }, { size: 3, seed: 4 }]);
});

test("rows that the page missed come from the run", async (context) => {
  context.mock.timers.enable({ apis: ["setTimeout"] });
  const row = (iteration) => ({ octave: 0, iteration, passes: iteration, seconds: 1, loss: -iteration, terms: { one: 1 } });
  const asked = [];
  const rows = createWatchedRows({ get: async (path) => (asked.push(path), { rows: [row(1), row(2), row(3)] }) }, () => {});
  rows.add(row(1), "run");
  rows.add({ ...row(1), terms: null }, "run"); // of a pass
  rows.add({ ...row(3), terms: null }, "run"); // the ends of the second and third iteration were missed
  rows.add(row(4), "run");
  assert.deepEqual(rows.all.map(({ iteration }) => iteration), [1, 4]);
  context.mock.timers.tick(2_000);
  await new Promise(setImmediate);
  assert.deepEqual(asked, ["/api/runs/run"]);
  assert.deepEqual(rows.all.map(({ iteration }) => iteration), [1, 2, 3, 4]);
});
