"""The viewer: zoom, pan, divider, and pictures that replace each other."""

import re

import pytest

SHOW = """async ([options, height]) => {
  const { viewer } = await import("/page/viewer.js");
  window.made = viewer(options);
  Object.assign(document.querySelector("main").style, { inlineSize: "600px", padding: 0 });
  document.querySelector("main").style.setProperty("--viewer-height", `${height}px`);
  document.querySelector("main").append(made.element);
}"""
BOX = """() => { const image = [...document.querySelectorAll(".viewer-layer img")].at(-1).getBoundingClientRect();
  const place = document.querySelector(".viewer-place").getBoundingClientRect();
  return [image.left - place.left, image.top - place.top, image.width, image.height, place.width, place.height]; }"""
BEFORE, AFTER = "/picture/400x300-navy.png", "/picture/400x300-gold.png"


def show(page, height=450, **options):
    page.evaluate(SHOW, [{"before": BEFORE, "after": AFTER} | options, height])
    page.wait_for_selector(".has-both" if options.get("before", BEFORE) else ".has-picture")
    return page.locator(".viewer-place")


def wait(page, condition):
    """Wait for a condition. Playwright's wait_for_function needs eval, which the policy of the page refuses."""
    for _ in range(100):
        if page.evaluate(condition):
            return
        page.wait_for_timeout(30)
    pytest.fail(f"never: {condition}")


def box(page):
    return page.evaluate(BOX)


def percent(page):
    return int(re.sub(r"\D", "", page.locator(".viewer-percent").inner_text()))


def test_a_picture_fills_its_place(bench):
    page = bench()
    show(page)
    left, top, width, height, *place = box(page)
    assert [left, top] == pytest.approx([0, 0], abs=1)
    assert [width, height] == pytest.approx(place, abs=1)
    assert height == pytest.approx(450, abs=1)


def test_keys_zoom_and_move_to_the_pixel(bench):
    page = bench()
    place = show(page)
    place.focus()
    page.keyboard.press("1")
    assert percent(page) == 100
    page.keyboard.press("+")
    assert percent(page) == 125
    page.keyboard.press("0")
    assert box(page)[2] == pytest.approx(600, abs=1)
    for _ in range(8):
        page.keyboard.press("+")
    assert percent(page) > 300
    assert (
        page.locator(".viewer-layer img").last.evaluate("image => getComputedStyle(image).imageRendering")
        == "pixelated"
    )
    left, top = box(page)[:2]
    page.keyboard.press("ArrowRight")
    page.keyboard.press("ArrowDown")
    assert box(page)[0] == pytest.approx(left - 60, abs=1)
    assert box(page)[1] == pytest.approx(top - 45, abs=1)


def test_no_key_moves_a_picture_out_of_its_place(bench):
    page = bench()
    show(page).focus()
    page.keyboard.press("+")
    for key in ("ArrowLeft", "ArrowUp"):
        for _ in range(30):
            page.keyboard.press(key)
    assert box(page)[:2] == pytest.approx([0, 0], abs=1)


def test_the_wheel_enlarges_what_is_under_it(bench):
    page = bench()
    place = show(page)
    rect = place.bounding_box()
    x, y = rect["x"] + 450, rect["y"] + 100
    page.mouse.move(x, y)
    page.mouse.wheel(0, -300)
    wait(page, "document.querySelector('.viewer-place').classList.contains('is-zoomed')")
    left, top, width, height, *_ = box(page)
    assert width > 700
    assert (450 - left) / width == pytest.approx(450 / 600, abs=0.005)
    assert (100 - top) / height == pytest.approx(100 / 450, abs=0.005)


def test_the_wheel_scrolls_the_page_where_the_whole_picture_is_in_sight(bench):
    page = bench(height=300)
    place = show(page)
    rect = place.bounding_box()
    page.mouse.move(rect["x"] + 300, rect["y"] + 100)
    page.mouse.wheel(0, 120)
    wait(page, "scrollY > 50")
    assert box(page)[2] == pytest.approx(600, abs=1)


def test_a_mouse_drags_an_enlarged_picture(bench):
    page = bench()
    place = show(page)
    place.focus()
    for _ in range(4):
        page.keyboard.press("+")
    left, top = box(page)[:2]
    rect = place.bounding_box()
    page.mouse.move(rect["x"] + 100, rect["y"] + 200)
    page.mouse.down()
    page.mouse.move(rect["x"] + 140, rect["y"] + 170, steps=4)
    page.mouse.up()
    assert box(page)[:2] == pytest.approx([left + 40, top - 30], abs=1)


def test_a_double_click_enlarges_and_the_next_one_shows_everything(bench):
    page = bench()
    place = show(page)
    place.dblclick(position={"x": 100, "y": 100})
    assert box(page)[2] == pytest.approx(1800, abs=2)
    page.wait_for_timeout(400)  # a later tap is another one
    place.dblclick(position={"x": 100, "y": 100})
    assert box(page)[2] == pytest.approx(600, abs=1)


def test_two_fingers_enlarge_a_picture(bench):
    page = bench(has_touch=True)
    rect = show(page).bounding_box()
    session = page.context.new_cdp_session(page)

    def touch(kind, *apart):
        fingers = [(number, side * half) for half in apart for number, side in enumerate((-1, 1))]
        points = [{"x": rect["x"] + 150 + right, "y": rect["y"] + 200, "id": number} for number, right in fingers]
        session.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": points})

    touch("touchStart", 40)
    for half in (50, 60, 70, 80):
        touch("touchMove", half)
    touch("touchEnd")
    left, _, width, *_ = box(page)
    assert width == pytest.approx(1200, rel=0.02)
    assert (150 - left) / width == pytest.approx(150 / 600, abs=0.01)


def test_keys_and_mouse_move_the_divider(bench):
    page = bench()
    place = show(page, beforeLabel="sky.jpg", afterLabel="dreamy")
    divider = page.get_by_role("slider")
    assert divider.get_attribute("aria-valuetext") == "sky.jpg 50 %, dreamy 50 %"
    divider.press("ArrowRight")
    assert divider.get_attribute("aria-valuenow") == "52"
    divider.press("End")
    assert divider.get_attribute("aria-valuetext") == "only sky.jpg"
    divider.press("Home")
    assert divider.get_attribute("aria-valuetext") == "only dreamy"
    rect = place.bounding_box()
    page.mouse.move(rect["x"] + 2, rect["y"] + 100)
    page.mouse.down()
    page.mouse.move(rect["x"] + 152, rect["y"] + 100, steps=3)
    page.mouse.up()
    assert int(divider.get_attribute("aria-valuenow")) == pytest.approx(25, abs=1)
    assert box(page)[2] == pytest.approx(600, abs=1)  # the picture did not move


def test_a_finger_moves_the_divider(bench):
    page = bench(has_touch=True)
    rect = show(page).bounding_box()
    session = page.context.new_cdp_session(page)
    for kind, x in (("touchStart", 300), ("touchMove", 360), ("touchMove", 450), ("touchEnd", None)):
        points = [] if x is None else [{"x": rect["x"] + x, "y": rect["y"] + 40}]
        session.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": points})
    assert int(page.get_by_role("slider").get_attribute("aria-valuenow")) == pytest.approx(75, abs=1)


def test_a_larger_octave_keeps_zoom_and_place(bench):
    page = bench()
    show(page).focus()
    for key in "+++":
        page.keyboard.press(key)
    page.keyboard.press("ArrowRight")
    old = box(page)
    page.evaluate("made.show({ after: '/picture/801x601-gold.png' })")
    wait(page, "document.querySelector('.viewer-layer img').naturalWidth === 801")
    assert box(page) == pytest.approx(old, rel=0.01)


def test_another_photograph_is_shown_as_a_whole(bench):
    page = bench()
    show(page).focus()
    page.keyboard.press("+")
    page.evaluate("made.show({ before: '/picture/300x400-navy.png', after: null })")
    wait(page, "document.querySelectorAll('.viewer-layer img').length === 1")
    page.wait_for_selector("img[src='/picture/300x400-navy.png']")
    assert box(page) == pytest.approx([131.25, 0, 337.5, 450, 600, 450], abs=1)


def test_a_picture_is_replaced_without_a_gap_and_no_old_one_stays(bench):
    page = bench()
    show(page)
    seen = page.evaluate(
        """async () => {
      const layer = document.querySelector(".viewer-layer");
      const counts = new Set();
      const watching = new MutationObserver(() => counts.add(layer.querySelectorAll("img").length));
      watching.observe(layer, { childList: true });
      for (let number = 0; number < 100; number += 1) {
        made.show({ after: `/picture/400x300-gold.png?${number}` });
        if (number % 10 === 0) await new Promise((resolve) => setTimeout(resolve, 20));
      }
      await new Promise((resolve) => setTimeout(resolve, 500));
      watching.disconnect();
      return [[...counts], layer.querySelector("img").getAttribute("src"), document.querySelectorAll("img").length];
    }"""
    )
    assert seen == [[1], "/picture/400x300-gold.png?99", 2]


def test_a_picture_that_is_gone_leaves_the_one_before(bench):
    page = bench()
    show(page)
    page.evaluate("made.show({ after: '/picture-that-is-gone' })")
    page.wait_for_timeout(200)
    assert page.locator(".viewer-layer img").first.get_attribute("src") == AFTER
    page.evaluate("made.show({ after: '/picture/400x300-red.png' })")
    page.wait_for_selector("img[src='/picture/400x300-red.png']")


def test_a_destroyed_viewer_leaves_nothing(bench):
    page = bench()
    show(page)
    page.evaluate("made.show({ after: '/picture/400x300-red.png' }); made.destroy()")
    page.wait_for_timeout(200)
    assert page.locator("main").evaluate("main => main.children.length") == 0
    page.mouse.wheel(0, -100)  # nobody listens any more


def test_old_pictures_do_not_gather(bench):
    page = bench()
    show(page)
    session = page.context.new_cdp_session(page)
    session.send("Performance.enable")

    def nodes():
        for _ in range(3):
            session.send("HeapProfiler.collectGarbage")
            page.wait_for_timeout(100)
        metrics = session.send("Performance.getMetrics")["metrics"]
        return next(metric["value"] for metric in metrics if metric["name"] == "Nodes")

    before = nodes()
    page.evaluate("""async () => {
      for (let number = 0; number < 100; number += 1) {
        const address = `/picture/400x300-gold.png?${number}`;
        made.show({ after: address });
        const shown = () => document.querySelector(`img[src="${address}"]`);
        while (!shown()) await new Promise((resolve) => setTimeout(resolve, 5));
      }
    }""")
    assert nodes() < before + 50


def test_an_upright_picture_is_enlarged_into_all_of_its_place(bench):
    page = bench()
    place = show(page, before="/picture/300x450-navy.png", after="/picture/300x450-gold.png")
    assert box(page) == pytest.approx([150, 0, 300, 450, 600, 450], abs=1)
    divider = page.get_by_role("slider")
    middle = divider.bounding_box()["x"] + divider.bounding_box()["width"] / 2
    assert middle - place.bounding_box()["x"] == pytest.approx(300, abs=1)
    divider.press("Home")
    left = divider.bounding_box()["x"] + divider.bounding_box()["width"] / 2
    assert left - place.bounding_box()["x"] == pytest.approx(150, abs=1)  # at the edge of the picture
    place.focus()
    for _ in range(4):
        page.keyboard.press("+")
    left, _, width, *_ = box(page)
    assert left < 0
    assert left + width > 600
    assert divider.bounding_box()["x"] + 22 == pytest.approx(place.bounding_box()["x"], abs=1)
