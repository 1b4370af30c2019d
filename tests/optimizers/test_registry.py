"""An optimizer of a notebook: registered, named in settings, run, stopped and resumed like any other."""

from itertools import islice

import numpy as np
import pytest
from conftest import changed
from landscapes import Bowl, Slope

from dreamscripts import Settings, dream
from dreamscripts.errors import SettingsError
from dreamscripts.images.preprocessing import PREPROCESSINGS
from dreamscripts.optimizers.optimize import optimize
from dreamscripts.optimizers.protocol import OptimizerResult
from dreamscripts.optimizers.registry import optimizer
from dreamscripts.optimizers.update_rule import UpdateRuleSettings, update_rule
from dreamscripts.registry import OPTIMIZERS
from dreamscripts.settings.tables import OptimizerSettings


@pytest.fixture
def registered():
    """Optimizers of the test, removed afterwards."""
    before = dict(OPTIMIZERS)
    yield
    for name in set(OPTIMIZERS) - set(before):
        OPTIMIZERS.remove(name)


@pytest.fixture
def heavy_ball(registered):
    @update_rule(title="heavy_ball", colour="#2a9d8f")
    def heavy_ball(x, gradient, state, settings):
        velocity = 0.9 * state.get("velocity", 0) + gradient / np.abs(gradient).mean()
        return x - settings.step * velocity, {"velocity": velocity}

    return OPTIMIZERS["heavy_ball"]


@pytest.mark.parametrize("name", ["none", "caffe", "tf", "torch"])
def test_an_update_rule_works_on_pixel_values(name, heavy_ball, rng):
    """By hand: two updates of momentum, whatever the network's preprocessing."""
    p, g = PREPROCESSINGS[name], rng.choice([-1.0, 1.0], (4, 5, 3))
    picture = rng.uniform(100, 150, (4, 5, 3))
    slope = Slope(g * p.scale, name)  # so that the gradient by pixel values is g
    results = islice(optimize(slope, p.normalise(picture), heavy_ball.settings(passes=1, step=2)), 2)
    moved = [p.denormalise(result.x) for result in results]
    sign = p.denormalise((picture * 0 + g - p.mean) / p.scale * 0) * 0 + p._reorder(g)
    np.testing.assert_allclose(moved[0], picture - 2 * sign, atol=1e-3)
    np.testing.assert_allclose(moved[1], picture - 2 * sign - 2 * 1.9 * sign, atol=1e-3)


def test_a_dream_by_an_optimizer_of_a_notebook_resumes(heavy_ball, picture, settings, compiled_once):
    settings = changed(settings, optimizer={"name": "heavy_ball", "step": 2, "iterations": 3})
    unbroken = list(dream(picture, settings))
    assert unbroken[-1].loss < unbroken[0].loss
    assert unbroken[2].state.keys() == {"first", "velocity"}
    resumed = list(dream(picture, settings, after=unbroken[2]))
    np.testing.assert_array_equal(resumed[-1].x, unbroken[-1].x)
    assert Settings.model_validate(settings.model_dump()) == settings


def test_its_settings_are_checked_like_any_other(heavy_ball):
    settings = Settings.load("bad_trip", **{"optimizer.name": "heavy_ball", "optimizer.step": 3})
    assert (settings.optimizer.step, settings.optimizer.name) == (3, "heavy_ball")
    with pytest.raises(SettingsError, match=r"heavy_ball has no setting 'optimizer\.where'; lbfgs has it"):
        Settings.load("bad_trip", **{"optimizer.name": "heavy_ball", "optimizer.where": "device"})
    with pytest.raises(SettingsError, match="did you mean 'heavy_ball'"):
        Settings.load("bad_trip", **{"optimizer.name": "heavy_bal"})


def test_an_optimizer_may_be_a_generator_with_settings_of_its_own(registered, rng):
    class Mine(OptimizerSettings):
        shrink: float = 0.5
        """Factor of the distance to the minimum."""

    @optimizer(settings=Mine)
    def my_own(objective, x, settings, start, state):
        while True:
            for _ in range(settings.passes):
                x = x - (1 - settings.shrink) * objective.gradient(x)
            yield OptimizerResult(x, objective.loss(x), objective.terms(x), {"made": np.array(start)})

    chosen = Settings(features={"a": 1}, optimizer={"name": "my_own", "shrink": 0.25, "passes": 2}).optimizer
    bowl = Bowl(rng.normal(0, 50, (4, 5, 3)))
    first = next(optimize(bowl, np.zeros((4, 5, 3)), chosen))
    np.testing.assert_allclose(first.x, bowl.centre * (1 - 0.25**2))
    entry = OPTIMIZERS["my_own"]
    assert (entry.title, entry.searches) == ("my own", None)
    assert entry.colour.startswith("#")
    assert len(entry.colour) == 7


def test_a_cell_may_run_again_but_a_name_cannot_be_taken(heavy_ball):
    @update_rule(name="heavy_ball", title="again")
    def other(x, gradient, state, settings):
        return x, state

    assert OPTIMIZERS["heavy_ball"].title == "again"
    with pytest.raises(ValueError, match="another optimizer called 'adam'"):
        update_rule(name="adam")(other)


@pytest.mark.parametrize(
    ("rule", "says"),
    [
        (lambda x, g, state, settings: (x[:1], state), r"of shape \(4, 5, 3\), not ndarray of shape \(1, 5, 3\)"),
        (lambda x, g, state, settings: (x, {"first": x}), "cannot keep 'first' in its state"),
        (lambda x, g, state, settings: x, "must return the next picture and a state, not ndarray"),
        (lambda x, g, state, settings: (x, state, 1), r"not \(ndarray, dict, int\)"),
        (lambda x, g, state, settings: (x, None), r"not \(ndarray, NoneType\)"),
        (lambda x, g, state, settings: ("x", state), r"a picture of shape \(4, 5, 3\), not str"),
        (lambda x, g, state, settings: (x, {"a": "b"}), "has numbers only, but 'a' is str"),
    ],
)
def test_a_rule_that_would_be_computed_wrongly_is_refused(rule, says, registered):
    update_rule(name="wrong")(rule)
    with pytest.raises(SettingsError, match=says):
        next(optimize(Bowl(np.zeros((4, 5, 3))), np.ones((4, 5, 3)), OPTIMIZERS["wrong"].settings()))


def test_optax_is_ten_lines(registered, rng):
    optax, jax = pytest.importorskip("optax"), pytest.importorskip("jax")

    @update_rule()
    def optax_adam(x, gradient, state, settings):
        rule = optax.adam(settings.step)
        leaves, tree = jax.tree.flatten(rule.init(x))
        leaves = [state[str(number)] for number in range(len(leaves))] if state else leaves
        update, kept = rule.update(gradient, jax.tree.unflatten(tree, leaves))
        return x + np.asarray(update), {str(number): leaf for number, leaf in enumerate(jax.tree.leaves(kept))}

    x, bowl = rng.normal(0, 50, (4, 5, 3)), Bowl(np.zeros((4, 5, 3)))
    by_optax, by_keras = (
        list(islice(optimize(bowl, x, OPTIMIZERS[name].settings(step=5)), 3)) for name in ("optax_adam", "adam")
    )
    np.testing.assert_allclose(by_optax[-1].x, by_keras[-1].x, atol=0.05)
    resumed = next(optimize(bowl, by_optax[1].x, OPTIMIZERS["optax_adam"].settings(step=5), 2, by_optax[1].state))
    np.testing.assert_array_equal(resumed.x, by_optax[2].x)


def test_settings_of_another_optimizer_keep_the_common_values():
    ascent = OPTIMIZERS["gradient_ascent"].settings(step=3, normalise="std", passes=2)
    assert ascent.switched_to("adam") == OPTIMIZERS["adam"].settings(step=3, passes=2)
    assert isinstance(ascent.switched_to("adam"), UpdateRuleSettings)


def test_an_update_rule_needs_no_parentheses(registered):
    @update_rule
    def plain_steps(x, gradient, state, settings):
        return x - settings.step * gradient, {}

    assert OPTIMIZERS["plain_steps"].title == "plain steps"
    assert plain_steps(1.0, 2.0, {}, OPTIMIZERS["plain_steps"].settings(step=3)) == (-5.0, {})
