import json
import logging
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from itertools import islice, pairwise

import numpy as np
import pytest
from conftest import changed
from keras import ops

from dreamscripts.backends import compiling, host
from dreamscripts.dreams import dream as dreaming
from dreamscripts.dreams import prepare
from dreamscripts.dreams.dream import dream
from dreamscripts.dreams.prepare import build_evaluator, choose, open_network
from dreamscripts.errors import Diverged, NetworkError, PictureError, SettingsError
from dreamscripts.images.resizing import bilinear, fit, noise
from dreamscripts.losses.layers import LayerMean
from dreamscripts.losses.priors import Continuity, ImageL2
from dreamscripts.losses.term import Term
from dreamscripts.networks.tuning import Choices
from dreamscripts.objective.evaluator import Evaluator
from dreamscripts.objective.fourier import FourierEvaluator
from dreamscripts.objective.protocol import evaluate_at
from dreamscripts.optimizers.protocol import OptimizerResult
from dreamscripts.runs.run import resume, run
from dreamscripts.settings.built_from import BUILT_FROM
from dreamscripts.settings.schema import Settings
from dreamscripts.settings.tables import Feature


@pytest.fixture
def ascent(settings):
    """Two octaves of two iterations of two steps on a picture of 24×32."""
    return changed(
        settings,
        size=32,
        jitter={"noise": 0},
        octaves={"count": 2},
        optimizer={"name": "gradient_ascent", "iterations": 2, "passes": 2},
    )


@pytest.fixture
def out_of_noise(ascent):
    """The same, out of noise of 20×20, which grows."""
    return changed(
        ascent,
        start="noise",
        size=20,
        measure="mean",
        features={"block2_conv1_pre_relu": {"weight": 1, "channels": [5]}},
        penalties={"continuity": 0, "dream_l2": 0},
        jitter={"shift": 3},
        octaves={"kind": "grown"},
        optimizer={"step": 1, "normalise": "std"},
    )


@pytest.mark.usefixtures("compiled_once")
def test_the_stream_goes_from_the_picture_to_the_last_iteration(picture, settings):
    # Without noise: a loss is that of the shaken picture, and another shake can be worth more than an iteration.
    iterates = list(dream(picture, changed(settings, jitter={"noise": 0})))
    assert [iterate.iteration for iterate in iterates] == [0, 1, 2, 3, 4]
    assert [iterate.ends_octave for iterate in iterates] == [False, False, False, False, True]
    np.testing.assert_allclose(iterates[0].picture, picture, atol=1e-4)
    assert (iterates[0].passes, iterates[0].octave) == (1, 0)
    for before, after in pairwise(iterates):
        assert after.loss < before.loss
        assert after.passes > before.passes
        assert after.seconds > before.seconds
        assert np.abs(after.picture - before.picture).max() > 0.5
    for iterate in iterates:
        assert iterate.picture.dtype == np.float32
        assert iterate.picture.shape == picture.shape
        assert 0 <= iterate.picture.min() <= iterate.picture.max() <= 255
        assert set(iterate.terms) == {"block2_conv1", "continuity", "dream_l2"}
        assert sum(iterate.terms.values()) == pytest.approx(iterate.loss, rel=1e-9)


@pytest.mark.usefixtures("compiled_once")
def test_the_size_bounds_the_longer_side(picture, settings):
    assert next(dream(picture, settings.model_copy(update={"size": 40}))).picture.shape == (30, 40, 3)


@pytest.mark.usefixtures("compiled_once")
def test_the_same_seed_gives_the_same_bytes_and_another_another_dream(picture, settings):
    one, again, other = (
        [i.x for i in dream(picture, settings.model_copy(update={"seed": seed}))][-1] for seed in (1, 1, 2)
    )
    np.testing.assert_array_equal(one, again)
    assert np.abs(one - other).max() > 0.1


@pytest.mark.usefixtures("compiled_once")
def test_iterations_are_numbered_through_octaves_that_grow_by_the_scale(picture, ascent):
    iterates = list(dream(picture, changed(ascent, octaves={"count": 3, "scale": 1.5, "above": 1})))
    assert [(i.octave, i.iteration) for i in iterates] == [(0, 0), (0, 1), (0, 2), (1, 3), (1, 4), (2, 5), (2, 6)]
    assert [i.ends_octave for i in iterates] == [False, False, True, False, True, False, True]
    sizes = [(16, 21)] * 3 + [(24, 32)] * 2 + [(36, 48)] + [(24, 32)]  # at the end back to its own
    assert [i.picture.shape[:2] for i in iterates] == sizes


@pytest.mark.usefixtures("compiled_once")
@pytest.mark.parametrize("name", ["gradient_ascent", "adam"])
@pytest.mark.parametrize(("jitter", "count"), [({}, 1), ({"shift": 5}, 1), ({"noise": 3}, 2)])
def test_a_step_costs_one_pass_and_the_first_look_at_each_size_another(name, jitter, count, picture, ascent):
    settings = changed(ascent, optimizer={"name": name}, jitter=jitter, octaves={"count": count})
    told = []
    *_, last = dream(picture, settings, on_pass=lambda *what: told.append(what))
    assert last.passes == count + count * 2 * 2
    assert [passes for passes, _ in told] == list(range(1, last.passes + 1))
    assert told[-1][1] == last.loss


@pytest.mark.usefixtures("compiled_once")
@pytest.mark.parametrize("early", [0, 2])
def test_octaves_too_small_for_the_network_are_left_out_and_so_are_their_numbers(early, picture, ascent, caplog):
    settings = changed(ascent, octaves={"count": 4, "scale": 2 if early else 1.3})
    with caplog.at_level(logging.WARNING, "dreamscripts"):
        iterates = list(dream(picture, settings))
    assert [i.iteration for i in iterates] == [0, *range(2 * early + 1, 9)]
    assert iterates[0].octave == early
    said = [record.getMessage() for record in caplog.records]
    assert len(said) == early
    if early:
        assert said[0] == (
            "octave 1 of 4 is skipped, because 4×3 is too small: pocket needs at least 10 pixels per side for "
            "block2_conv1"
        )
        assert "octave 2 of 4 is skipped, because 8×6" in said[1]


@pytest.mark.usefixtures("compiled_once")
@pytest.mark.parametrize("kind", ["plain", "reinjected", "carried", "split"])
def test_without_the_octaves_left_out_it_is_the_dream_of_those_that_are_left(kind, picture, ascent):
    four, two = (changed(ascent, octaves={"kind": kind, "count": count, "scale": 2}) for count in (4, 2))
    for long, short in zip(dream(picture, four), dream(picture, two), strict=True):
        np.testing.assert_array_equal(long.x, short.x)


def test_tiles_too_small_for_the_network_are_refused_with_the_least_size(picture, ascent):
    settings = changed(ascent, tiles={"size": 9})
    with pytest.raises(
        PictureError,
        match=r"tiles of 9 pixels are too small: .* at least 10 pixels per side in every tile for .*raise tiles\.size$",
    ):
        next(dream(picture, settings))
    assert len(list(dream(picture, changed(ascent, tiles={"size": 10})))) == 5


def test_no_pass_is_made_over_a_tile_too_small_for_the_network(picture, ascent, monkeypatch):
    """The notebook's last tile may be little more than half as large as the others: of 20 pixels, 12 and then 8."""
    settings = changed(ascent, size=20, tiles={"kind": "notebook", "size": 12}, octaves={"count": 1})
    sides = set()
    build_evaluator = prepare.build_evaluator

    def spied(*arguments, **options):
        evaluator = build_evaluator(*arguments, **options)
        run = evaluator._in_tiles._run
        evaluator._in_tiles._run = lambda tile: sides.update(tile.shape[1:3]) or run(tile)
        return evaluator

    monkeypatch.setattr(prepare, "build_evaluator", spied)
    try:
        list(dream(picture[:20, :20], settings))
    except PictureError as error:
        assert "tiles" in str(error)
        assert not sides
    else:
        assert min(sides) >= 10


@pytest.mark.usefixtures("compiled_once")
def test_an_octave_ends_once_the_score_passes_the_greatest(picture, ascent):
    ascent = changed(ascent, optimizer={"iterations": 4})
    first, second = ([i for i in dream(picture, ascent) if i.octave == octave and i.iteration] for octave in (0, 1))
    limit = -(first[0].loss + first[1].loss) / 2
    iterates = list(dream(picture, changed(ascent, optimizer={"max_score": limit})))
    octaves = [[i for i in iterates if i.octave == octave] for octave in (0, 1)]
    assert [i.iteration for i in octaves[0]] == [0, 1, 2]
    assert octaves[1][0].iteration == 5
    assert len(octaves[1]) < len(second)
    for octave in octaves:
        assert [i.ends_octave for i in octave] == [False] * (len(octave) - 1) + [True]
        assert -octave[-1].loss > limit
    resumed = list(dream(picture, changed(ascent, optimizer={"max_score": limit}), after=octaves[0][-1]))
    assert [i.iteration for i in resumed] == [i.iteration for i in octaves[1]]
    np.testing.assert_array_equal(resumed[-1].x, iterates[-1].x)


SHAKEN = {
    "noise": {"jitter": {"noise": 3}},
    "shift and tiles": {"jitter": {"noise": 0, "shift": 4}, "tiles": {"size": 12}},
}


@pytest.mark.usefixtures("compiled_once")
@pytest.mark.parametrize("shaken", SHAKEN)
@pytest.mark.parametrize("kind", ["plain", "reinjected", "carried", "split"])
@pytest.mark.parametrize("name", ["lbfgs", "gradient_ascent", "adam"])
def test_going_on_after_any_iterate_gives_what_an_unbroken_run_gives(name, kind, shaken, picture, ascent):
    settings = changed(ascent, optimizer={"name": name}, octaves={"kind": kind}, seed=6, **SHAKEN[shaken])
    assert len(gone_on_with(picture, settings)) == 5


@pytest.mark.usefixtures("compiled_once")
@pytest.mark.parametrize("name", ["lbfgs", "gradient_ascent", "adam"])
def test_so_it_does_in_coefficients_of_a_turned_picture(name, picture, ascent):
    fourier = {"name": name, "parameters": "fourier", "step": 0.1}
    settings = changed(ascent, optimizer=fourier, jitter={"noise": 0, "shift": 3, "rotate": 10, "scale": 0.1})
    unbroken = gone_on_with(picture, settings)
    assert all("coefficients" in iterate.state for iterate in unbroken[1:])


@pytest.mark.usefixtures("compiled_once")
@pytest.mark.parametrize("name", ["gradient_ascent", "adam"])
def test_so_it_does_with_pictures_that_grow_out_of_noise(name, out_of_noise):
    settings = changed(out_of_noise, optimizer={"name": name, "laplacian": 2}, tiles={"kind": "notebook", "size": 20})
    gone_on_with(noise(20, seed=1, count=2), settings)


def gone_on_with(picture, settings):
    """The iterates of an unbroken dream, after it was gone on with from each of them."""
    unbroken = list(dream(picture, settings))
    for start, reached in enumerate(unbroken[:-1]):
        rest = list(dream(picture, settings, after=reached))
        for mine, theirs in zip(rest, unbroken[start + 1 :], strict=True):
            np.testing.assert_array_equal(mine.x, theirs.x)
            assert mine.state.keys() == theirs.state.keys()
            for key in mine.state:
                np.testing.assert_array_equal(mine.state[key], theirs.state[key])
            for fact in ("octave", "iteration", "loss", "terms", "passes", "drawn", "ends_octave", "stretched"):
                assert getattr(mine, fact) == getattr(theirs, fact), fact
        assert rest[0].seconds > reached.seconds
    return unbroken


@pytest.mark.usefixtures("compiled_once")
def test_a_stream_that_was_left_is_gone_on_with(picture, settings):
    unbroken = list(dream(picture, settings))
    for start in (0, 2):
        (reached,) = islice(dream(picture, settings), start, start + 1)
        rest = list(dream(picture, settings, after=reached))
        assert [i.iteration for i in rest] == list(range(start + 1, 5))
        np.testing.assert_array_equal(rest[-1].x, unbroken[-1].x)


@pytest.mark.usefixtures("compiled_once")
@pytest.mark.parametrize("count", [1, 2])
def test_after_the_last_iterate_there_is_nothing_more(count, picture, ascent):
    settings = changed(ascent, octaves={"count": count})
    *_, last = dream(picture, settings)
    assert list(dream(picture, settings, after=last)) == []


@pytest.fixture
def explosive(ascent):
    """A dream that leaps to and fro over grey, each time 2.2 times as far from it."""
    return changed(
        ascent,
        features={"block2_conv1": 1e-9},
        penalties={"continuity": 0, "dream_l2": 1},
        octaves={"count": 1},
        optimizer={"iterations": 5, "passes": 1, "normalise": "none", "step": 1.6 * 24 * 32 * 3},
    )


def test_a_step_so_long_that_the_loss_explodes_ends_the_dream_with_advice(picture, explosive):
    iterates = dream(picture, explosive)
    assert [next(iterates).iteration for _ in range(3)] == [0, 1, 2]
    with pytest.raises(Diverged, match=r"^iteration 3: the loss diverged, .*; lower optimizer\.step$"):
        next(iterates)


@pytest.mark.usefixtures("compiled_once")
def test_a_resumed_dream_explodes_where_an_unbroken_one_does(picture, explosive):
    *_, reached = islice(dream(picture, explosive), 3)
    with pytest.raises(Diverged, match=r"^iteration 3: the loss diverged"):
        list(dream(picture, explosive, after=reached))


def test_a_divergence_names_its_iteration_also_after_an_octave_that_ended_early(picture, ascent, monkeypatch):
    """The first octave of five iterations ends with its first; the second diverges in its first, number 6."""

    def early_then_never(evaluator, x, optimizer, start, state):
        if start:
            raise Diverged("the loss diverged")
        yield OptimizerResult(x, evaluator.loss(x), evaluator.terms(x), done=True)

    monkeypatch.setattr(dreaming, "optimize", early_then_never)
    with pytest.raises(Diverged, match=r"^iteration 6: the loss diverged"):
        list(dream(picture, changed(ascent, optimizer={"iterations": 5})))


@pytest.mark.usefixtures("compiled_once")
@pytest.mark.parametrize("name", ["lbfgs", "gradient_ascent", "adam"])
def test_clipped_a_dream_stays_between_black_and_white(name, picture, settings):
    wild = changed(
        settings,
        features={"block2_conv1": 1},
        jitter={"noise": 0},
        optimizer={"name": name, "step": 30, "clip": True, "iterations": 3, "passes": 9},
    )
    assert [i.beyond for i in dream(picture, wild)] == [0, 0, 0, 0]
    *_, last = dream(picture, changed(wild, optimizer={"clip": False}))
    assert last.beyond > 0.01


def test_a_loss_that_leaves_the_numbers_says_in_which_iteration(picture, settings, monkeypatch):
    class Cliff(Term):
        """Falls off the numbers once the picture is a little darker."""

        name = "cliff"

        def __call__(self, x, features, regions):
            return ops.sqrt(ops.mean(x) - start + 1)

    start = float((picture[:, :, ::-1] - [103.939, 116.779, 123.68]).mean())
    monkeypatch.setattr(prepare, "build_loss", lambda settings, network: 100 * Cliff())
    iterates = dream(picture, changed(settings, jitter={"noise": 0}))
    assert next(iterates).loss == pytest.approx(100, rel=1e-3)
    with pytest.raises(Diverged, match="iteration 1: the term 'cliff' of the loss became NaN at pass"):
        list(iterates)


def test_what_does_not_fit_is_refused_before_anything_is_yielded(picture, settings):
    with pytest.raises(NetworkError, match="no layer 'mixed3'"):
        next(dream(picture, settings.model_copy(update={"features": {"mixed3": Feature(weight=1)}})))
    with pytest.raises(PictureError, match="too small"):
        next(dream(picture, settings.model_copy(update={"size": 8})))


@pytest.mark.usefixtures("compiled_once")
def test_an_iterate_knows_how_much_of_it_is_blown_out(picture, settings):
    iterate = next(dream(picture, settings))
    assert iterate.beyond == 0
    x = iterate.x.copy()
    x[:24, :, 0] = 1000
    assert replace(iterate, x=x).beyond == pytest.approx(1 / 6)


@pytest.mark.usefixtures("compiled_once")
def test_a_dream_out_of_noise_grows_and_is_shown_with_its_contrast_evened_out(out_of_noise):
    start = noise(20, seed=3)
    iterates = list(dream(start, out_of_noise))
    assert [i.picture.shape[:2] for i in iterates] == [(20, 20)] * 3 + [(28, 28)] * 2
    assert iterates[-1].loss < iterates[0].loss
    np.testing.assert_allclose(iterates[0].x[..., ::-1] + [123.68, 116.779, 103.939], start, atol=1e-4)
    for iterate in iterates:
        pixels = iterate.x[..., ::-1] + [123.68, 116.779, 103.939]
        shown = (pixels - pixels.mean()) / pixels.std() * 0.1 + 0.5
        np.testing.assert_allclose(iterate.picture, 255 * shown.clip(0, 1), atol=0.01)
        assert (iterate.stretched, iterate.beyond, iterate.picture.dtype) == (True, 0, np.float32)
    assert not next(dream(start, changed(out_of_noise, start="photograph"))).stretched
    far = replace(iterates[-1], x=1000 * iterates[-1].x)
    assert far.beyond == 0  # there is no range to be beyond of
    assert replace(far, stretched=False).beyond > 0.5


@pytest.mark.usefixtures("compiled_once")
@pytest.mark.parametrize(
    "change",
    [
        {"optimizer": {"laplacian": 2, "normalise": "none"}, "tiles": {"kind": "notebook", "size": 20}},
        {"optimizer": {"name": "adam"}, "jitter": {"noise": 2, "rotate": 10, "scale": 0.1}},
        {"optimizer": {"name": "adam", "parameters": "fourier", "step": 0.1}, "octaves": {"kind": "plain"}},
        {"optimizer": {"parameters": "fourier", "step": 0.1, "normalise": "mean"}},
    ],
)
def test_pictures_made_together_are_as_if_each_were_made_alone(change, out_of_noise):
    settings = changed(out_of_noise, **change)
    start = noise(20, seed=3, count=3)
    together = list(dream(start, settings))
    alone = [list(dream(one, settings)) for one in start]
    assert together[-1].passes == alone[0][-1].passes
    for step, iterate in enumerate(together):
        assert iterate.picture.shape == (3, *alone[0][step].picture.shape)
        assert iterate.loss == pytest.approx(sum(singles[step].loss for singles in alone), rel=1e-3)
        for number, singles in enumerate(alone):
            np.testing.assert_allclose(iterate.x[number], singles[step].x, atol=0.02)
            np.testing.assert_allclose(iterate.picture[number], singles[step].picture, atol=0.5)
    assert np.abs(together[-1].picture[0] - together[-1].picture[1]).max() > 5


@pytest.mark.usefixtures("compiled_once")
def test_more_pictures_than_they_have_pixels_a_side_begin_as_they_are(out_of_noise):
    start = noise(20, count=25)
    np.testing.assert_allclose(
        next(dream(start, out_of_noise)).x[..., ::-1] + [123.68, 116.779, 103.939], start, atol=1e-4
    )


def test_noise_too_small_to_begin_with_is_refused(out_of_noise):
    """Left out, as the smallest octaves of a photograph are, it would not be noise that the dream grows out of."""
    with pytest.raises(PictureError, match=r"a picture of 1×1 is too small for pocket at block2_conv1_pre_relu"):
        next(dream(noise(1), changed(out_of_noise, size=1, octaves={"count": 4, "scale": 2})))


def test_only_the_l2_measure_has_an_edge_that_a_picture_must_be_larger_than(settings):
    feature = {"weight": 1, "channels": [5]}
    for measure, features, least in [
        ("l2", {"block2_conv1": 1}, 10),
        ("mean", {"block2_conv1": 1}, 2),
        ("mean", {"block2_conv1": feature, "block1_conv1": feature | {"measure": "l2"}}, 10),
        ("neuron", {"block2_conv1": feature}, 2),
        ("l2", {"block2_conv1": feature | {"measure": "energy"}}, 2),
    ]:
        network = open_network(changed(settings, measure=measure, features=features))
        assert network.least_side == least
        assert network.fits(least, least + 3)
        assert not network.fits(least - 1, 100)


@pytest.fixture
def in_coefficients(ascent):
    """One octave of three iterations of three steps of Adam, in Fourier coefficients."""
    fourier = {"name": "adam", "parameters": "fourier", "step": 0.05, "iterations": 3, "passes": 3}
    return changed(ascent, octaves={"count": 1}, optimizer=fourier)


@pytest.mark.usefixtures("compiled_once")
@pytest.mark.parametrize("name", ["lbfgs", "gradient_ascent", "adam"])
def test_in_coefficients_too_the_loss_falls_and_the_picture_stays_between_black_and_white(
    name, picture, in_coefficients
):
    settings = changed(in_coefficients, features={"block2_conv1": 0.5}, optimizer={"name": name, "clip": True})
    iterates = list(dream(picture, settings))
    np.testing.assert_allclose(iterates[0].picture, fit(picture, 32), atol=1e-3)
    for before, after in pairwise(iterates):
        assert after.loss < before.loss
        assert np.abs(after.picture - before.picture).max() > 0.5
        assert sum(after.terms.values()) == pytest.approx(after.loss, rel=1e-9)
    for iterate in iterates:
        pixels = iterate.x[..., ::-1] + [123.68, 116.779, 103.939]
        assert -1e-3 <= pixels.min() <= pixels.max() <= 255.001
        assert (iterate.beyond, iterate.stretched, iterate.picture.shape) == (0, False, (24, 32, 3))


@pytest.mark.usefixtures("compiled_once")
def test_out_of_noise_in_coefficients_the_picture_is_shown_as_it_is(in_coefficients):
    *_, last = dream(noise(20), changed(in_coefficients, start="noise", size=20))
    assert not last.stretched


@pytest.mark.usefixtures("compiled_once")
def test_gradient_ascent_in_coefficients_divides_by_the_size_of_the_whole_gradient(picture, in_coefficients):
    settings = changed(in_coefficients, optimizer={"name": "gradient_ascent", "passes": 1, "iterations": 1})
    first, last = dream(picture, settings)
    network = open_network(settings)
    fourier = FourierEvaluator(build_evaluator(network, settings, 24, 32), 24, 32)
    z = fourier.coefficients.of(first.x)
    g = fourier.gradient(z)
    np.testing.assert_allclose(last.state["coefficients"], z - 0.05 * g / np.abs(g).mean(), rtol=1e-3, atol=1e-4)


def test_an_evaluator_that_is_used_again_gives_what_a_new_one_gives(picture, ascent):
    settings = changed(ascent, optimizer={"name": "adam"}, jitter={"noise": 2, "shift": 3})
    used = build_evaluator(open_network(settings), settings, 24, 32)
    for start in (picture[::-1], picture):
        new = dream(start, settings)
        for mine, theirs in zip(dream(start, settings, evaluator=used), new, strict=True):
            np.testing.assert_array_equal(mine.x, theirs.x)
            for fact in ("octave", "iteration", "loss", "terms", "passes", "drawn"):
                assert getattr(mine, fact) == getattr(theirs, fact), fact
    first = next(dream(picture, settings, evaluator=used))
    *_, last = dream(picture, settings, after=first, evaluator=used)
    np.testing.assert_array_equal(last.x, theirs.x)
    assert last.passes == theirs.passes


def test_an_evaluator_tells_whoever_dreams_with_it_of_each_pass(picture, ascent):
    """`on_pass` used to be dropped."""
    told, before = [], []
    used = build_evaluator(open_network(ascent), ascent, 24, 32, on_pass=lambda *one: before.append(one))
    *_, last = dream(picture, ascent, evaluator=used, on_pass=lambda *one: told.append(one))
    assert [passes for passes, _ in told] == list(range(1, last.passes + 1))
    assert before == []
    next(dream(picture, ascent, evaluator=used))
    assert len(before) == 1


@pytest.mark.parametrize(
    "change",
    [
        {"seed": 9},
        {"jitter": {"noise": 7}},
        {"measure": "mean"},
        {"penalties": {"continuity": 3}},
        {"features": {"block1_conv1": 1}},
        {"tiles": "tutorial"},
        {"convolutions": "direct"},
    ],
)
def test_settings_that_an_evaluator_would_ignore_are_refused(change, picture, ascent):
    used = build_evaluator(open_network(ascent), ascent, 24, 32)
    (key,) = change
    with pytest.raises(SettingsError, match=f"the evaluator was built with {key} = "):
        next(dream(picture, changed(ascent, **change), evaluator=used))
    next(dream(picture, changed(ascent, optimizer={"step": 3}, octaves={"count": 1}), evaluator=used))


def test_an_evaluator_is_built_from_all_settings_but_those_of_the_optimizer_and_the_sizes():
    others = {"start", "size", "octaves", "optimizer", "instead", "zoom", "video"}
    assert set(Settings.model_fields) - set(BUILT_FROM) == others


def test_what_else_an_evaluator_would_ignore_is_refused(picture, ascent):
    network = open_network(ascent)
    with pytest.raises(SettingsError, match="was not built from settings; use build_evaluator"):
        next(dream(picture, ascent, evaluator=Evaluator(network, ImageL2())))
    used = build_evaluator(network, ascent, 24, 32)
    for more in ({"loss": ImageL2()}, {"choices": Choices()}):
        with pytest.raises(SettingsError, match="give them to build_evaluator"):
            next(dream(picture, ascent, evaluator=used, **more))


@pytest.mark.parametrize(("precision", "xla"), [("float32", False), ("tf32", True), ("mixed_bfloat16", False)])
def test_the_backend_is_told_of_xla_and_tf32(precision, xla, settings, monkeypatch):
    told = []
    monkeypatch.setattr(compiling, "compile_with_gradient", lambda *what, xla, tf32: told.append((xla, tf32)))
    settings = changed(settings, precision=precision)
    evaluator = build_evaluator(open_network(settings), settings, 24, 32, choices=Choices(xla=xla))
    evaluator.compiled(evaluate_at, (24, 32, 3))
    assert told == [(xla, precision == "tf32")]


def pretend_gpu(monkeypatch, has_bfloat16):
    monkeypatch.setattr(host, "on_gpu", lambda: True)
    monkeypatch.setattr(host, "free_on_gpu", lambda: 10**10)
    monkeypatch.setattr(host.backend(), "has_bfloat16", lambda: has_bfloat16)


def precision_of(evaluator):
    """How an evaluator computes: the type of the network's layers, and whether TF32 is allowed."""
    return evaluator.network.model.layers[-1].compute_dtype, evaluator.network.tf32


@pytest.mark.parametrize(
    ("has_bfloat16", "convolutions", "expected", "computed"),
    [
        (None, "auto", "float32", ("float32", False)),
        (True, "auto", "mixed_bfloat16", ("bfloat16", False)),
        (True, "direct", "mixed_bfloat16", ("bfloat16", False)),
        (True, "winograd", "float32", ("float32", False)),
        (False, "auto", "tf32", ("float32", True)),
    ],
)
def test_the_machine_chooses_the_precision_if_the_settings_do_not(
    has_bfloat16, convolutions, expected, computed, settings, monkeypatch
):
    if has_bfloat16 is not None:
        pretend_gpu(monkeypatch, has_bfloat16)
    settings = changed(settings, convolutions=convolutions)
    assert settings.precision == "auto"
    network = open_network(settings)
    choices = choose(network, settings, 24, 32)
    assert choices.precision == expected
    for given in (choices, Choices()):
        assert precision_of(build_evaluator(network, settings, 24, 32, choices=given)) == computed
    assert choose(network, changed(settings, precision="float32"), 24, 32).precision == "float32"


def test_a_resumed_run_keeps_the_precision_of_the_machine_where_it_began(settings, photo, tmp_path, monkeypatch):
    """It began on a GPU and goes on without one."""
    built = []
    build = prepare.build_evaluator
    monkeypatch.setattr(prepare, "build_evaluator", lambda *a, **how: built.append(build(*a, **how)) or built[-1])
    with monkeypatch.context() as with_gpu:
        pretend_gpu(with_gpu, True)
        for _ in run(photo, settings, tmp_path / "run"):
            break
    assert json.loads((tmp_path / "run" / "run.json").read_text())["choices"]["precision"] == "mixed_bfloat16"
    list(resume(tmp_path / "run"))
    list(run(photo, settings, tmp_path / "here"))
    assert [precision_of(one) for one in built] == [("bfloat16", False)] * 2 + [("float32", False)]


def test_a_loss_takes_the_place_of_features_and_penalties(picture, ascent):
    settings = changed(
        ascent, jitter={}, octaves={"count": 1}, measure="mean", penalties={"continuity": 0.2, "dream_l2": 0}
    )
    (layer, feature), *_ = settings.features.items()
    loss = feature.weight * LayerMean(layer) + 0.2 * Continuity()
    others = changed(settings, features={"block1_conv1": 5.0}, penalties={"continuity": 0, "dream_l2": 3})
    for mine, theirs in zip(dream(picture, others, loss=loss), dream(picture, settings), strict=True):
        np.testing.assert_array_equal(mine.x, theirs.x)
        assert mine.terms == theirs.terms


def test_a_plain_function_is_a_loss_that_reads_the_settings_layers(picture, ascent):
    (layer, *_) = ascent.features

    def quieter(x, features, regions):
        return ops.sum(ops.square(features[layer]))

    first, *_, last = dream(picture, changed(ascent, octaves={"count": 1}), loss=quieter)
    assert set(last.terms) == {"quieter"}
    assert 0 < last.loss < first.loss
    with pytest.raises(SettingsError, match="a loss is a Loss, a Term or a function"):
        next(dream(picture, ascent, loss=3))


@pytest.mark.parametrize("kind", ["plain", "reinjected", "carried", "split"])
def test_a_dream_may_start_from_another_picture_than_the_photograph(kind, picture, ascent):
    settings = changed(ascent, octaves={"kind": kind, "count": 2})
    one = next(dream(picture, settings, start=picture[::-1]))
    assert one.x.shape == next(dream(picture, settings)).x.shape
    expected = bilinear(picture[::-1], one.x.shape[:2])
    np.testing.assert_allclose(one.picture, expected.clip(0, 255), atol=1e-3)
    *_, last = dream(picture, settings, start=picture[::-1])
    *_, resumed = dream(picture, settings, after=one)  # the iterate alone is enough
    np.testing.assert_array_equal(last.x, resumed.x)
    with pytest.raises(PictureError, match="a picture must be an array"):
        next(dream(picture, settings, start=picture[:, :, 0]))


def test_a_start_of_another_number_of_pictures_is_refused(out_of_noise):
    both = noise(20, count=2)
    with pytest.raises(PictureError, match="`start` and `picture` need the same number of pictures, not 1 and 2"):
        next(dream(both, out_of_noise, start=both[0]))


def test_two_threads_dream_at_once_as_each_would_alone(picture, ascent):
    several = [
        changed(ascent, seed=1, jitter={"noise": 4, "shift": 3}),
        changed(ascent, optimizer={"name": "adam"}, features={"block1_conv2": 1.0}, precision="tf32"),
    ]
    alone = [[iterate.x for iterate in dream(picture, settings)] for settings in several]
    with ThreadPoolExecutor(2) as pool:
        together = list(pool.map(lambda settings: [iterate.x for iterate in dream(picture, settings)], several))
    for mine, theirs in zip(together, alone, strict=True):
        for x, y in zip(mine, theirs, strict=True):
            np.testing.assert_array_equal(x, y)
