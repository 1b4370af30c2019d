"""The curve: its lines, axes and words, from one point to ten thousand."""

import pytest

SHOW = """async (rows) => {
  const { curve } = await import("/page/curve.js");
  window.made = curve();
  document.querySelector("main").append(made.element);
  const began = performance.now();
  made.show(rows);
  await new Promise((resolve) => requestAnimationFrame(() => requestAnimationFrame(resolve)));
  return performance.now() - began;
}"""


def rows(losses, octave=lambda number: 0, **terms):
    made = []
    for number, loss in enumerate(losses):
        values = {name: of(loss) for name, of in terms.items()}
        made.append({"octave": octave(number), "iteration": number + 1, "loss": loss, "terms": values or None})
    return made


def show(page, *arguments, **options):
    page.evaluate(SHOW, rows(*arguments, **options))
    return page.locator(".curve")


def test_the_summary_says_how_the_loss_went(bench):
    made = show(
        bench(), [5, 2, -3, -2.5], lambda number: number // 2, sky=lambda loss: loss + 1, continuity=lambda loss: -1
    )
    words = "Loss from 5 to −2.5 over 4 iterations in 2 octaves; lowest −3 at iteration 3."
    assert made.locator("figcaption").inner_text() == words
    assert made.get_by_role("img").get_attribute("aria-label") == words


def test_each_term_has_a_line_with_its_own_colour_and_dashes(bench):
    made = show(bench(), [5.0, 2.0, -3.0], **{f"term {number}": lambda loss: loss / 6 for number in range(6)})
    styles = made.locator(".curve-drawing .curve-line").evaluate_all(
        "lines => lines.map((line) => [getComputedStyle(line).stroke, getComputedStyle(line).strokeDasharray])"
    )
    assert len(styles) == 7
    assert len({colour for colour, _ in styles}) == 7
    assert len({dashes for _, dashes in styles}) == 7


def test_more_terms_than_can_be_told_apart_become_one_line_with_their_sum(bench):
    terms = {f"term {number}": lambda loss, number=number: loss * 2.0**-number for number in range(1, 10)}
    made = show(bench(), [10.0, 20.0], **terms)
    names = made.locator(".curve-name").all_inner_texts()
    assert names == ["loss", "term 1", "term 2", "term 3", "term 4", "term 5", "4 smaller terms"]
    assert made.locator(".curve-value").last.inner_text() == "0.586"


@pytest.mark.parametrize("count", [1, 2, 10_000])
def test_any_number_of_points_is_drawn(bench, count):
    page = bench()
    losses = [-1.0 - number / 7 for number in range(count)]
    took = page.evaluate(SHOW, rows(losses, sky=lambda loss: loss * 2, l2=lambda loss: -loss))
    path = page.locator(".curve-drawing .curve-line-0").get_attribute("d")
    assert "NaN" not in path
    assert 1 <= path.count("M") + path.count("L") <= 1700
    assert took < 2000


def test_no_extreme_point_is_thinned_out(bench):
    losses = [1.0] * 10_000
    losses[6_543] = 9.0
    page = bench()
    show(page, losses)
    shares = page.locator(".curve-drawing .curve-line-0").evaluate("line => [line.getBBox().y, line.getBBox().height]")
    assert shares[1] > 150  # the peak reaches the top


def test_losses_of_different_octaves_are_all_readable(bench):
    losses = [-(10.0**octave) * (1 + step / 10) for octave in range(4) for step in range(10)]
    page = bench()
    show(page, losses, lambda number: number // 10)
    path = page.locator(".curve-drawing .curve-line-0").get_attribute("d")
    heights = [float(point.split(" ")[1]) for point in path[1:].split("L")]
    changes = [abs(heights[10 * octave + 9] - heights[10 * octave]) for octave in range(1, 4)]
    assert min(changes) > 3  # pixels: on a linear axis the first octave would be a flat line


def test_axes_have_few_round_numbers(bench):
    page = bench(390, 700)
    made = show(page, [123.4 - number for number in range(300)])
    numbers = made.locator(".curve-number").all_text_contents()
    assert numbers == ["−100", "0", "100", "100", "200", "300", "iteration"]


def test_a_mark_shows_the_values_at_that_iteration(bench):
    page = bench()
    made = show(page, [5.0, 2.0, -3.0], sky=lambda loss: loss / 2, sea=lambda loss: loss / 2)
    page.evaluate("made.mark(2)")
    page.wait_for_timeout(100)
    assert made.locator(".curve-value").all_inner_texts() == ["2", "1", "1"]
    assert made.locator(".curve-marker").get_attribute("visibility") == "visible"


def test_names_of_terms_are_text(bench):
    made = show(bench(), [5.0, 2.0], **{"<img src=x onerror=alert(1)>": lambda loss: loss, "b": lambda loss: loss})
    assert made.locator(".curve-name").nth(1).inner_text() == "<img src=x onerror=alert(1)>"
    assert made.locator("img[src]").count() == 0


def test_a_loss_that_is_not_a_number_leaves_a_gap(bench):
    page = bench()
    made = show(page, [5.0, 2.0, 1.0])
    page.evaluate(
        "rows => made.show(rows)", [*rows([5.0, 2.0]), {"octave": 0, "iteration": 3, "loss": None, "terms": None}]
    )
    page.wait_for_timeout(100)
    assert made.locator("figcaption").inner_text() == "Loss from 5 to 2 over 2 iterations; its lowest."
    path = page.locator(".curve-drawing .curve-line-0").get_attribute("d")
    assert path.count("L") == 1
    assert "NaN" not in path
