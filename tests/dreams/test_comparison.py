import logging

import numpy as np
import pytest
from conftest import changed

from dreamscripts.dreams import run_trial
from dreamscripts.dreams.comparison import FACTOR, MOST_TRIALS, _search, compare
from dreamscripts.dreams.dream import dream
from dreamscripts.dreams.prepare import build_evaluator, open_network
from dreamscripts.dreams.trial import Trial, moments_of
from dreamscripts.errors import DreamError
from dreamscripts.optimizers.protocol import OptimizerResult
from dreamscripts.optimizers.registry import optimizer
from dreamscripts.registry import OPTIMIZERS
from dreamscripts.settings.schema import Settings

PASSES = 12
BUDGETS = (2, 3, 6, 12)
CALM = Settings(features={"block2_conv1": 0.005}, penalties={"dream_l2": 0.02}, optimizer={"passes": 3, "step": 1.5})
EXPLOSIVE = changed(CALM, penalties={"continuity": 1, "dream_l2": 0.02})


@pytest.fixture(scope="module")
def small():
    y, x = np.mgrid[0:24, 0:32]
    return (127.5 + 90 * np.stack([np.sin(x / 7 + p) * np.cos(y / 5 - p) for p in (0, 1, 2)], axis=2)).astype("f")


@pytest.fixture(scope="module")
def compared(small):
    return compare(small, CALM, ["adam", "lbfgs", "gradient_ascent"], PASSES)


def judge(settings):
    """What gives the loss of a picture, unshaken."""
    network = open_network(settings)
    evaluator = build_evaluator(network, settings, 24, 32)
    return lambda picture: evaluator.loss(network.preprocessing.normalise(picture))


def assert_whole(trial, passes=PASSES):
    assert [p.number for p in trial.passes] == list(range(1, passes + 1))
    assert trial.ended_by == ""


def test_every_trial_has_exactly_the_passes_of_the_budget_from_the_same_loss(compared):
    assert {trial.optimizer for trial in compared.trials} == {"adam", "lbfgs", "gradient_ascent"}
    for trial in compared.trials:
        assert_whole(trial)
        assert trial.passes[0].loss == compared.start_loss
        assert trial.passes[0].terms.keys() == trial.terms.keys() == {"block2_conv1", "dream_l2"}
        assert trial.seconds_per_pass > 0
        assert (trial.mebibytes is None) is (trial.optimizer != "lbfgs")  # SciPy's pictures are not on the device
        assert trial.overhead < 1
        seconds = [p.seconds for p in trial.passes]
        assert seconds == sorted(seconds)


def test_a_box_is_the_same_for_all_optimizers(small):
    settings = changed(CALM, optimizer={"max_change": 2})
    compared = compare(small, settings, ["lbfgs", "gradient_ascent"], PASSES)
    assert [trial.restart for trial in compared.trials if trial.optimizer == "lbfgs"] == [3]
    for trial in compared.trials:
        table = trial.table(settings)
        assert (table.max_change, table.passes) == (2, 3)
        assert np.abs(trial.pictures[3] - small).max() <= 2 + 1e-3


def test_a_picture_is_kept_at_each_budget(compared, small):
    assert (compared.budgets, compared.passes) == (BUDGETS, PASSES)
    np.testing.assert_array_equal(compared.start, small)
    for trial in compared.trials:
        assert tuple(sorted(trial.pictures)) == BUDGETS
        for picture in trial.pictures.values():
            assert (picture.dtype, picture.shape) == (np.float32, (24, 32, 3))
            assert 0 <= picture.min() <= picture.max() <= 255
        assert np.abs(trial.pictures[PASSES] - small).max() > 1


def test_the_lowest_loss_never_rises_and_is_what_was_seen(compared):
    for trial in compared.trials:
        losses = [p.loss for p in trial.passes]
        assert [p.lowest for p in trial.passes] == [min(losses[: i + 1]) for i in range(PASSES)]
        assert trial.loss == pytest.approx(min(losses), rel=1e-6)
        assert trial.reaches(trial.passes[5].lowest) == 1 + losses.index(min(losses[:6]))
        assert trial.reaches(min(losses) - 1) is None


def test_the_best_is_the_lowest_of_each_optimizer_the_lowest_first(compared):
    assert [trial.loss for trial in compared.best] == sorted(trial.loss for trial in compared.best)
    assert sorted(trial.optimizer for trial in compared.best) == ["adam", "gradient_ascent", "lbfgs"]
    for best in compared.best:
        assert best.loss == min(trial.loss for trial in compared.trials if trial.optimizer == best.optimizer)


def test_lbfgs_is_tried_with_the_settings_passes_in_an_iteration_and_with_all(compared):
    tried = [trial for trial in compared.trials if trial.optimizer == "lbfgs"]
    assert [(trial.restart, trial.step) for trial in tried] == [(3, None), (PASSES, None)]
    assert [trial.name for trial in tried] == ["L-BFGS, 3 passes per iteration", "L-BFGS, 12 passes per iteration"]


@pytest.mark.parametrize("jitter", [{}, {"noise": 4, "shift": 2}])
def test_the_loss_of_a_trial_is_that_of_its_unshaken_picture(jitter, compared, small):
    if jitter:
        compared = compare(small, changed(CALM, jitter=jitter), ["lbfgs", "gradient_ascent"], PASSES)
        assert all(trial.passes[0].loss != compared.start_loss for trial in compared.trials)
    judged = judge(CALM)
    assert compared.start_loss == pytest.approx(judged(small), rel=1e-5)
    for trial in compared.trials:
        assert_whole(trial)
        assert trial.loss == pytest.approx(judged(trial.pictures[PASSES]), rel=1e-5)
        assert sum(trial.terms.values()) == pytest.approx(trial.loss, rel=1e-9)


def test_octaves_are_left_out_with_a_warning_and_every_pixel_is_clipped(small, caplog):
    several = changed(CALM, octaves={"count": 3, "kind": "carried"}, size=24)
    with caplog.at_level(logging.WARNING, "dreamscripts"):
        compared = compare(small, several, ["lbfgs"], 4)
    assert [record.getMessage() for record in caplog.records] == [
        "octaves are ignored, because losses at different sizes cannot be compared"
    ]
    assert (compared.settings.octaves.count, compared.settings.optimizer.clip) == (1, True)
    assert compared.start.shape == (18, 24, 3)
    for trial in compared.trials:
        assert_whole(trial, 4)


def test_whoever_watches_is_told_of_every_trial_and_of_its_passes(small):
    told = []
    compared = compare(
        small,
        CALM,
        ["lbfgs", "gradient_ascent"],
        3,
        on_trial=lambda trial: told.append([trial.name]),
        on_pass=lambda number, loss: told and told[-1].append((number, loss)),
    )
    assert len(told) == len(compared.trials)
    by_name = {trial.name: trial for trial in compared.trials}
    for name, *passes in told:
        assert passes[:3] == [(p.number, p.loss) for p in by_name[name].passes]


@pytest.mark.parametrize(("name", "step"), [("gradient_ascent", 60), ("gradient_ascent", 200), ("adam", 200)])
def test_a_trial_that_diverges_is_kept_with_what_it_came_by(name, step, small):
    settings = changed(EXPLOSIVE, optimizer={"name": name, "step": step, "normalise": "std"})
    compared = compare(small, settings, [name], PASSES)
    judged = judge(settings)
    diverged = [trial for trial in compared.trials if trial.ended_by]
    assert diverged
    assert step in [trial.step for trial in diverged]
    for trial in diverged:
        assert trial.ended_by.startswith("the loss diverged")
        assert tuple(trial.snapshots) == moments_of(compared.passes)
        assert len(trial.passes) < compared.passes
        np.testing.assert_array_equal(trial.snapshots[compared.passes], np.rint(trial.pictures[compared.passes]))
        assert 1 < len(trial.passes) < PASSES
        assert tuple(sorted(trial.pictures)) == BUDGETS
        assert trial.loss <= compared.start_loss + 1e-6 * abs(compared.start_loss)
        assert trial.loss == pytest.approx(judged(trial.pictures[PASSES]), rel=1e-5)


@pytest.mark.parametrize("name", ["lbfgs", "gradient_ascent", "adam"])
def test_an_optimizer_with_nothing_left_to_descend_ends(name):
    flat = changed(CALM, features={"block2_conv1": 1e-30}, penalties={"dream_l2": 0, "continuity": 0.1})
    compared = compare(np.full((16, 16, 3), 90, np.float32), flat, [name], PASSES)
    for trial in compared.trials:
        assert 1 <= len(trial.passes) < PASSES
        assert tuple(sorted(trial.pictures)) == BUDGETS
        np.testing.assert_allclose(trial.pictures[PASSES], 90, atol=1e-4)


def test_a_picture_too_small_is_refused(small):
    with pytest.raises(DreamError, match="at least 10 pixels"):
        compare(small[:8], CALM, ["lbfgs"], 4)


@pytest.mark.parametrize(("passes", "budgets"), [(2, (1, 2)), (3, (1, 2, 3)), (24, (3, 6, 12, 24))])
def test_budgets_double_up_to_all_of_the_passes(passes, budgets, small):
    assert compare(small[:12, :12], CALM, ["lbfgs"], passes).budgets == budgets


def searched(loss_of):
    """The steps that were tried from 1 on, in the order of the trials that come back, and in which they were made."""
    made = []

    def attempt(step):
        made.append(step)
        return Trial("adam", step, loss=loss_of(step))

    trials = _search(attempt, 1.0)
    assert sorted(made) == [trial.step for trial in trials]
    return [trial.step for trial in trials], made


@pytest.mark.parametrize("power", [-3, -2, -1, 0, 1, 2, 3])
def test_the_search_of_the_step_brackets_the_best(power):
    steps, made = searched(lambda step: abs(np.log(step) / np.log(FACTOR) - power))
    losses = [abs(np.log(step) / np.log(FACTOR) - power) for step in steps]
    assert 0 < int(np.argmin(losses)) < len(steps) - 1
    assert len(made) <= MOST_TRIALS
    assert made[0] == 1
    np.testing.assert_allclose(np.diff(np.log(steps)), np.log(FACTOR))


@pytest.mark.parametrize("sign", [1, -1])
def test_the_search_gives_up_after_the_most_trials(sign):
    steps, made = searched(lambda step: -sign * np.log(step))
    assert len(made) == MOST_TRIALS
    assert made[-1] == (steps[-1] if sign > 0 else steps[0])


def test_on_a_plateau_it_looks_to_both_sides_once():
    steps, made = searched(lambda step: 7.0)
    assert made == pytest.approx([1, FACTOR, 1 / FACTOR])
    steps, made = searched(lambda step: 7.0 if step < 2 else 3.0)
    assert steps == pytest.approx([1, FACTOR, FACTOR**2])


def test_with_fourier_parameters_every_optimizer_changes_coefficients(small):
    """Each trial's losses are those of a dream with its settings, pass by pass."""
    settings = changed(CALM, optimizer={"name": "adam", "parameters": "fourier", "step": 0.05, "passes": 1})
    compared = compare(small, settings, ["adam", "gradient_ascent", "lbfgs"], 4)
    for trial in compared.best:
        table = trial.table(compared.settings)
        assert table.parameters == "fourier"
        as_a_dream = compared.settings.model_copy(update={"optimizer": table})
        losses: list[float] = []
        list(dream(small, as_a_dream, on_pass=lambda number, loss, losses=losses: losses.append(loss)))
        seen = [p.loss for p in trial.passes]
        assert seen[:4] == pytest.approx(losses[1:5], rel=1e-3)  # after the loss of the photograph itself
        pixels = changed(as_a_dream, optimizer={"parameters": "pixels"})
        *_, other = dream(small, pixels)
        assert np.abs(trial.pictures[4] - other.picture).max() > 1


def test_an_optimizer_without_a_step_is_tried_once(small):
    @optimizer(title="half way")
    def half_way(objective, x, settings, start, state):
        for _ in range(5):
            x = x / 2
            yield OptimizerResult(x, objective.loss(x), objective.terms(x))

    try:
        compared = compare(small, CALM, ["half_way", "lbfgs"], 4)
    finally:
        OPTIMIZERS.remove("half_way")
    (trial,) = [trial for trial in compared.trials if trial.optimizer == "half_way"]
    assert (trial.step, trial.restart, len(trial.passes)) == (None, None, 4)


def test_a_value_that_some_optimizer_lacks_is_named_in_a_warning(small, caplog):
    ascent = changed(CALM, optimizer={"name": "gradient_ascent", "normalise": "std", "laplacian": 2, "step": 2})
    with caplog.at_level(logging.WARNING, "dreamscripts"):
        compare(small, ascent, ["gradient_ascent", "adam", "lbfgs"], 2)
    assert [record.getMessage() for record in caplog.records] == [
        "laplacian of gradient_ascent is ignored for lbfgs, which has no such setting"
    ]


def test_lbfgs_on_the_device_is_measured_as_well(small):
    settings = changed(CALM, optimizer={"name": "lbfgs", "where": "device"})
    for trial in compare(small, settings, ["lbfgs"], PASSES).trials:
        assert_whole(trial)
        assert trial.loss == pytest.approx(min(p.loss for p in trial.passes), rel=1e-6)
        assert trial.mebibytes is None


def test_small_snapshots_are_kept_at_the_same_passes_of_every_trial(compared):
    assert moments_of(105)[:3] == (1, 5, 10)
    assert moments_of(105)[-1] == 105
    assert len(moments_of(105)) == len(set(moments_of(105))) == 25
    assert moments_of(2) == (1, 2)
    for trial in compared.trials:
        assert tuple(trial.snapshots) == moments_of(PASSES) == tuple(range(1, PASSES + 1))
        for budget in BUDGETS:
            np.testing.assert_array_equal(trial.snapshots[budget], np.rint(trial.pictures[budget]))
        assert {snapshot.dtype for snapshot in trial.snapshots.values()} == {np.dtype(np.uint8)}
        assert np.abs(trial.snapshots[1] - compared.start).max() <= 0.51


def test_snapshots_of_a_large_picture_are_made_smaller(small, monkeypatch):
    monkeypatch.setattr(run_trial, "SIDE", 16)
    trial = compare(small, CALM, ["adam", "lbfgs"], 2).trials[0]
    assert {snapshot.shape for snapshot in trial.snapshots.values()} == {(12, 16, 3)}
