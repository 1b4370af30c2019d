import numpy as np
import pytest
from keras import ops

from dreamscripts.errors import Diverged
from dreamscripts.evaluator import Evaluator
from dreamscripts.losses import Loss, build_loss
from dreamscripts.networks import load_network
from dreamscripts.settings import Settings


@pytest.fixture(scope="module")
def network():
    return load_network("pocket", layers=["block2_conv1"])


@pytest.fixture
def evaluator(network):
    settings = Settings(features={"block2_conv1": 0.1}, penalties={"continuity": 0.1, "dream_l2": 0.5})
    return Evaluator(network, build_loss(settings), (16, 20, 3))


@pytest.fixture
def x(rng):
    return rng.normal(0, 50, (16, 20, 3))


def test_one_pass_per_picture_however_often_and_in_whatever_order_it_is_asked(evaluator, x):
    gradient = evaluator.gradient(x.ravel())
    loss = evaluator.loss(x)
    assert evaluator.passes == 1
    assert sum(evaluator.terms(x).values()) == pytest.approx(loss, rel=1e-12)
    other = x + 1
    assert evaluator.loss(other) != loss
    assert evaluator.passes == 2
    np.testing.assert_array_equal(evaluator.gradient(x), gradient)
    assert evaluator.passes == 3
    assert (gradient.dtype, gradient.shape) == (np.float64, (16 * 20 * 3,))


def test_a_picture_changed_in_place_is_another_picture(evaluator, x):
    before = evaluator.loss(x)
    x += 3
    assert evaluator.loss(x) != before
    assert evaluator.passes == 2


def test_the_gradient_agrees_with_finite_differences(evaluator, x, rng):
    gradient = evaluator.gradient(x)
    for _ in range(3):
        direction = rng.normal(0, 1, x.size)
        direction *= np.sign(gradient) * np.sign(direction)  # along the slope: differences well above float32's grain
        ahead, behind = (evaluator.loss(x.ravel() + s * direction) for s in (0.05, -0.05))
        assert (ahead - behind) / 0.1 == pytest.approx(gradient @ direction, rel=1e-3)


def test_every_pass_is_told(network, x):
    told = []
    settings = Settings(features={"block2_conv1": 0.1})
    evaluator = Evaluator(network, build_loss(settings), x.shape, on_pass=lambda *what: told.append(what))
    losses = [evaluator.loss(x), evaluator.loss(x + 1), evaluator.loss(x + 1)]
    assert told == [(1, losses[0]), (2, losses[1])]


class Root:
    """√ of the mean: NaN below 0, with an infinite slope at 0."""

    name = "root"

    def __call__(self, x, features):
        return ops.sqrt(ops.mean(x))


@pytest.mark.parametrize(
    ("level", "says"), [(-1.0, "term 'root' of the loss became NaN"), (0.0, "gradient of the loss")]
)
def test_what_is_not_finite_is_refused_and_the_term_is_named(network, level, says):
    evaluator = Evaluator(network, Loss(((1.0, Root()),)), (16, 20, 3))
    assert evaluator.loss(np.full((16, 20, 3), 4.0)) == pytest.approx(2)
    with pytest.raises(Diverged, match=f"{says}.* pass 2"):
        evaluator.loss(np.full((16, 20, 3), level))


def test_a_penalty_beyond_float32_is_refused(evaluator):
    with pytest.raises(Diverged, match=r"'continuity'|'block2_conv1'|'dream_l2'.*infinite"):
        evaluator.loss(np.where(np.arange(16 * 20 * 3) % 2, 1e30, -1e30))
