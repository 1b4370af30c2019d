"""Parts of the history, a run and a sheet: the tiles of the wall, the scrubber, and three values of a setting."""

import random

import pytest

NOW = 1_750_000_000
TILES = """async (runs) => {
  const { Tiles } = await import("/page/tiles.js");
  window.told = [];
  window.tiles = new Tiles({ chosen: () => {}, trash: (run) => told.push(run.id), goOn: () => {} });
  document.querySelector("main").append(tiles.element);
  tiles.add(runs);
}"""
HISTORY = """async (old) => {
  const { view } = await import("/page/history.js");
  const listeners = {};
  const on = (name, listen) => ((listeners[name] ??= []).push(listen), () => {});
  window.happens = (name, data) => (listeners[name] ?? []).forEach((listen) => listen(data));
  let answer;
  window.answers = () => answer({ runs: old, next: null, looks: [], photos: [] });
  const api = { get: () => new Promise((resolve) => (answer = resolve)) };
  const subscribe = () => () => {};
  view(document.querySelector("main"), { on, subscribe, state: { sheets: [], jobs: [] } }, api);
}"""
SCRUBBER = """async (count) => {
  const { scrubber } = await import("/page/scrubber.js");
  window.seen = [];
  window.frames = Array.from({ length: count }, (_, iteration) => ({ iteration, url: `/picture/${iteration}` }));
  window.made = scrubber(frames, "/picture/final", (frame) => seen.push(frame.url));
  document.querySelector("main").append(made.element);
}"""


def run(number, **values):
    return {
        "id": f"{number:016x}",
        "kind": "dream",
        "state": "complete",
        "name": f"sky-{number}",
        "look": "dreamy",
        "photo_name": "sky.jpg",
        "width": 400,
        "height": 300,
        "thumb": "/picture/40x30-gold.png",
        "picture": "/picture/400x300-gold.png",
        "created": NOW - 20_000 * number,
        "resumable": False,
    } | values


def ids(page):
    return [int(key, 16) for key in page.locator(".tile").evaluate_all("tiles => tiles.map((tile) => tile.dataset.id)")]


def test_tiles_are_in_order_of_time_however_they_arrive(bench):
    runs = [run(number) for number in range(20)]
    random.Random(1).shuffle(runs)
    page = bench()
    page.evaluate(TILES, runs)
    assert ids(page) == list(range(20))
    names = page.locator(".day h2").all_inner_texts()
    assert len(names) == len(set(names)) > 3


def test_a_run_that_changes_keeps_its_tile(bench):
    page = bench()
    page.evaluate(TILES, [run(1, state="stopped", resumable=True, thumb=None), run(2)])
    assert page.locator(".tile-caption").first.inner_text().split() == ["Dreamy", "stopped"]
    assert page.get_by_role("button", name="Go on").count() == 1
    page.evaluate("run => tiles.add([run])", run(1, state="running"))
    assert ids(page) == [1, 2]
    assert page.locator(".tile-caption").first.inner_text().split() == ["Dreamy", "growing"]
    assert page.get_by_role("button", name="Go on").count() == 0
    assert page.locator(".tile img").count() == 2


def test_the_focus_goes_on_when_a_tile_goes(bench):
    page = bench()
    page.evaluate(TILES, [run(number, created=NOW - number) for number in range(3)])
    page.locator(".tile a").nth(1).focus()
    page.keyboard.press("Delete")
    assert page.evaluate("told") == [f"{1:016x}"]
    page.evaluate("id => tiles.remove(id)", f"{1:016x}")
    assert page.evaluate("document.activeElement.closest('.tile').dataset.id") == f"{2:016x}"


def test_two_are_chosen_by_keys(bench):
    page = bench()
    page.evaluate(TILES, [run(number, created=NOW - number) for number in range(4)])
    page.locator(".tile a").first.focus()
    for key in (" ", "ArrowRight", "ArrowRight", " "):
        page.keyboard.press(key)
    assert page.evaluate("tiles.chosen.map((run) => run.id)") == [f"{0:016x}", f"{2:016x}"]
    page.evaluate("tiles.chooseNone()")
    assert page.evaluate("tiles.chosen") == []
    assert page.locator("input:checked").count() == 0


def test_names_of_runs_are_text(bench):
    page = bench()
    page.evaluate(TILES, [run(1, look="<b>bold</b>", photo_name="<script>.jpg")])
    assert page.locator(".tile-name").inner_text() == "<b>bold</b>"
    assert "<script>.jpg" in page.locator(".tile img").get_attribute("alt")


def test_the_scrubber_says_and_shows_where_it_is(bench):
    page = bench()
    page.evaluate(SCRUBBER, 6)
    slider = page.get_by_role("slider")
    assert slider.get_attribute("aria-valuetext") == "newest"
    slider.press("Home")
    assert slider.get_attribute("aria-valuetext") == "before"
    slider.press("ArrowRight")
    assert slider.get_attribute("aria-valuetext") == "iteration 1"
    assert page.evaluate("seen") == ["/picture/final", "/picture/0", "/picture/1"]


def test_a_person_who_looks_back_stays_there_while_the_run_grows(bench):
    page = bench()
    page.evaluate(SCRUBBER, 4)
    slider = page.get_by_role("slider")
    page.evaluate("made.grow({ iteration: 4, url: '/picture/4' })")
    assert page.evaluate("seen.at(-1)") == "/picture/4"
    slider.press("Home")
    slider.press("ArrowRight")
    page.evaluate("made.grow({ iteration: 5, url: '/picture/5' })")
    assert page.evaluate("seen.at(-1)") == "/picture/1"
    assert slider.get_attribute("aria-valuetext") == "iteration 1"
    assert slider.get_attribute("max") == "6"


def test_the_scrubber_plays_to_the_end_and_rests(bench):
    page = bench()
    page.evaluate(SCRUBBER, 5)
    page.get_by_role("button", name="Play").click()
    page.get_by_role("button", name="Pause").wait_for()
    page.get_by_role("button", name="Play").wait_for()
    assert page.evaluate("seen") == ["/picture/final", *(f"/picture/{number}" for number in range(5)), "/picture/final"]


@pytest.mark.parametrize(
    ("slider", "value", "expected"),
    [
        ({"low": 1, "high": 50, "step": 1, "scale": "linear", "kind": "integer"}, 20, [8, 20, 32]),
        ({"low": 1, "high": 8, "step": 1, "scale": "linear", "kind": "integer"}, 8, [5, 6, 8]),
        ({"low": 0.01, "high": 100, "step": 0.01, "scale": "log", "kind": "number"}, 1, [0.1, 1, 10]),
        ({"low": 0, "high": 1, "step": 0.01, "scale": "linear", "kind": "number"}, None, [0.25, 0.5, 0.75]),
    ],
)
def test_three_values_lie_around_that_of_the_look(bench, slider, value, expected):
    found = bench().evaluate(
        "async ([slider, value]) => (await import('/page/three_values.js')).around(slider, value)", [slider, value]
    )
    assert found == pytest.approx(expected, abs=1e-6)


def test_what_happens_while_the_wall_is_loaded_is_on_it(bench):
    page = bench()
    page.evaluate(HISTORY, [run(1), run(2)])
    page.evaluate("run => happens('run', run)", run(0))
    page.evaluate("id => happens('run-gone', { id })", run(2)["id"])
    page.evaluate("() => answers()")
    page.locator(".tile").nth(1).wait_for()
    assert ids(page) == [0, 1]
