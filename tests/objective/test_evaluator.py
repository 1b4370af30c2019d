from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from threading import Barrier

import keras
import numpy as np
import pytest
from keras import ops
from noise import noise_of

from dreamscripts.backends import host
from dreamscripts.errors import Diverged
from dreamscripts.images.preprocessing import PREPROCESSINGS
from dreamscripts.losses.build import build_loss
from dreamscripts.losses.term import Term
from dreamscripts.networks.loading import load_network
from dreamscripts.objective import tiled_pass
from dreamscripts.objective import transforms as transforms
from dreamscripts.objective.evaluator import Evaluator
from dreamscripts.settings.schema import Settings
from dreamscripts.settings.tables import Jitter, Tiles

SHAPE = (16, 20, 3)


@pytest.fixture(scope="module")
def network():
    return load_network("pocket", layers=["block2_conv1"])


@pytest.fixture
def loss(network):
    return build_loss(Settings(features={"block2_conv1": 0.1}, penalties={"continuity": 0.1, "dream_l2": 0.5}), network)


@pytest.fixture
def evaluator(network, loss):
    return Evaluator(network, loss)


@pytest.fixture
def x(rng):
    return rng.normal(0, 50, SHAPE)


class HalfSquares(Term):
    """½Σx², whose gradient is the picture that the network saw."""

    name = "half_squares"

    def __call__(self, x, features, regions):
        return ops.sum(ops.square(x)) / 2


class Weighted(Term):
    """Σ weights·x: another loss for each place that a picture is shifted to."""

    name = "weighted"

    def __init__(self, weights):
        self.weights = weights.astype(np.float32)

    def __call__(self, x, features, regions):
        return ops.sum(ops.multiply(self.weights, x))


def test_one_pass_per_picture_in_whatever_order_its_values_are_read(evaluator, x):
    gradient = evaluator.gradient(x)
    loss = evaluator.loss(x)
    assert evaluator.passes == 1
    assert sum(evaluator.terms(x).values()) == pytest.approx(loss, rel=1e-12)
    other = x + 1
    assert evaluator.loss(other) != loss
    assert evaluator.passes == 2
    np.testing.assert_array_equal(evaluator.gradient(x), gradient)
    assert evaluator.passes == 3
    assert (gradient.dtype, gradient.shape) == (np.float32, SHAPE)


def test_a_picture_changed_in_place_is_another_picture(evaluator, x):
    before = evaluator.loss(x)
    x += 3
    assert evaluator.loss(x) != before
    assert evaluator.passes == 2


def test_pictures_may_change_their_size_from_one_to_the_next(evaluator, x):
    before = evaluator.loss(x)
    larger = np.pad(x, ((0, 6), (0, 1), (0, 0)))
    assert evaluator.gradient(larger).shape == (22, 21, 3)
    assert evaluator.loss(larger) != before
    assert evaluator.loss(x) == before


def test_the_gradient_agrees_with_finite_differences(evaluator, x, rng):
    gradient = evaluator.gradient(x).astype(float)
    for _ in range(3):
        direction = rng.normal(0, 1, x.shape)
        direction *= np.sign(gradient) * np.sign(direction)  # along the slope: differences well above float32's grain
        ahead, behind = (evaluator.loss(x + s * direction) for s in (0.05, -0.05))
        assert (ahead - behind) / 0.1 == pytest.approx((gradient * direction).sum(), rel=1e-3)


def test_every_pass_is_told(network, loss, x):
    told = []
    evaluator = Evaluator(network, loss, on_pass=lambda *what: told.append(what))
    losses = [evaluator.loss(x), evaluator.loss(x + 1), evaluator.loss(x + 1)]
    assert told == [(1, losses[0]), (2, losses[1])]


@pytest.mark.parametrize("preprocessing", ["caffe", "tf"])
def test_noise_is_in_pixel_values_whatever_the_network_calls_a_pixel(preprocessing, network, x):
    network = replace(network, preprocessing=PREPROCESSINGS[preprocessing])
    evaluator = Evaluator(network, HalfSquares(), jitter=Jitter(noise=5), seed=3)
    pixel = {"caffe": 1, "tf": 127.5}[preprocessing]
    x = x / pixel
    changes = []
    for number in (0, 7):
        evaluator.draw(number)
        changes.append(evaluator.gradient(x) - x)
        rng = np.random.default_rng([3, number])
        rng.uniform(-1, 1, 2)  # the turn
        expected = noise_of(int(rng.integers(-(2**31), 2**31)), *SHAPE[:2], 5 / pixel)
        np.testing.assert_allclose(changes[-1], expected, atol=1e-4 / pixel)
        assert 4.8 < np.abs(changes[-1] * pixel).max() <= 5.01
        assert evaluator.loss(x) == pytest.approx(((x + expected) ** 2).sum() / 2, rel=1e-5)
    assert np.abs(changes[0] - changes[1]).max() * pixel > 5


def test_under_a_shift_the_loss_is_the_shifted_pictures_and_the_gradient_the_pictures_own(network, x, rng):
    weights = rng.normal(0, 1, SHAPE)
    evaluator = Evaluator(network, Weighted(weights), jitter=Jitter(shift=3), seed=8)
    seen = set()
    for number in range(60):
        evaluator.draw(number)
        down, right = np.random.default_rng([8, number]).integers(-3, 4, 2)
        seen.add((down, right))
        shifted = np.roll(np.roll(x, down, axis=0), right, axis=1)
        assert evaluator.loss(x) == pytest.approx((weights * shifted).sum(), rel=1e-3, abs=0.1)
        back = np.roll(np.roll(weights, -down, axis=0), -right, axis=1)
        np.testing.assert_allclose(evaluator.gradient(x), back, rtol=1e-5)
    for axis in (0, 1):
        assert {shift[axis] for shift in seen} == {-3, -2, -1, 0, 1, 2, 3}


def test_noise_is_drawn_first_then_the_shift_then_the_tiles_roll(network, x):
    jitter, tiles = Jitter(noise=5, shift=3), Tiles(size=20)
    evaluator = Evaluator(network, HalfSquares(), jitter=jitter, tiles=tiles, seed=8)
    evaluator.draw(2)
    rng = np.random.default_rng([8, 2])
    shift, roll = rng.integers(-3, 4, 2), rng.integers(-20, 21, 2)
    rng.uniform(-1, 1, 2)  # the turn
    noise = noise_of(int(rng.integers(-(2**31), 2**31)), *SHAPE[:2], 5)
    # One tile holds the whole picture, and what was shifted is shifted back: the roll shows in the order of the draws.
    np.testing.assert_allclose(evaluator.gradient(x), x + noise, atol=1e-4)
    seen = []
    spied = evaluator._in_tiles._run
    evaluator._in_tiles._run = lambda tile: seen.append(tile[0]) or spied(tile)
    evaluator.loss(x + 1)
    np.testing.assert_allclose(seen[0], np.roll(x + 1 + noise, shift + roll, axis=(0, 1)), atol=1e-4)


@pytest.mark.parametrize(
    "transformed",
    [
        *({"jitter": Jitter(noise=1)}, {"jitter": Jitter(shift=4)}, {"tiles": Tiles(size=8)}),
        *({"jitter": Jitter(rotate=5)}, {"jitter": Jitter(scale=0.1)}),
    ],
)
def test_the_same_draw_is_the_same_loss_and_another_draw_another_pass(transformed, network, loss, x):
    evaluator = Evaluator(network, loss, **transformed)
    first = evaluator.loss(x)
    evaluator.draw(0)
    assert (evaluator.loss(x), evaluator.passes) == (first, 1)
    evaluator.draw(5)
    other, gradient = evaluator.loss(x), evaluator.gradient(x)
    assert (other != first, evaluator.passes) == (True, 2)
    evaluator.draw(9)
    evaluator.loss(x)
    evaluator.draw(5)  # whatever was drawn in between
    assert evaluator.loss(x) == other
    np.testing.assert_array_equal(evaluator.gradient(x), gradient)
    another = Evaluator(network, loss, seed=1, **transformed)
    another.draw(5)
    assert another.loss(x) != other


def test_without_a_jitter_a_draw_changes_nothing(evaluator, x):
    before = evaluator.loss(x)
    evaluator.draw(5)
    assert (evaluator.loss(x), evaluator.passes, evaluator.drawn) == (before, 1, 5)


@pytest.mark.parametrize("kind", ["tutorial", "notebook"])
@pytest.mark.parametrize("size", [20, 64])
def test_over_one_tile_that_holds_it_all_and_without_a_roll_tiled_is_untiled(kind, size, network, loss, x, monkeypatch):
    monkeypatch.setattr(transforms, "draw_shift", lambda rng, tiles: np.zeros(2, int))
    tiled, plain = Evaluator(network, loss, tiles=Tiles(kind=kind, size=size)), Evaluator(network, loss)
    assert tiled.terms(x) == plain.terms(x)
    np.testing.assert_array_equal(tiled.gradient(x), plain.gradient(x))


@pytest.mark.parametrize(
    ("kind", "rolls", "rows", "columns"),
    [("tutorial", (-12, 13), [0, 12], [0, 12]), ("notebook", (0, 12), [0, 12], [0, 12, 24])],
)
def test_loss_and_gradient_are_the_sums_over_the_tiles_in_one_pass(kind, rolls, rows, columns, network, loss, rng):
    x = rng.normal(0, 50, (30, 34, 3))
    evaluator = Evaluator(network, loss, tiles=Tiles(kind=kind, size=12), seed=4)
    plain = Evaluator(network, loss)
    for number in (0, 3):
        evaluator.draw(number)
        roll = np.random.default_rng([4, number]).integers(*rolls, 2)
        shifted = np.roll(x, roll, axis=(0, 1))
        terms, gradient = dict.fromkeys(loss.names, 0.0), np.zeros(x.shape)
        for row in rows:
            for column in columns:
                part = shifted[row : row + 12, column : column + 12]
                terms = {name: terms[name] + value for name, value in plain.terms(part).items()}
                gradient[row : row + 12, column : column + 12] = plain.gradient(part)
        assert evaluator.terms(x) == pytest.approx(terms, rel=1e-6)
        np.testing.assert_allclose(evaluator.gradient(x), np.roll(gradient, -roll, axis=(0, 1)), rtol=1e-6)
        assert 0 < (gradient == 0).mean() < 0.6  # what lies in no tile is left alone, this time
        assert all(terms.values())
    assert evaluator.passes == 2


TRANSFORMED = {
    "not": {},
    "in tiles": {"jitter": Jitter(shift=5), "tiles": Tiles(kind="notebook", size=12)},
    "in every way": {"jitter": Jitter(noise=4, shift=5, rotate=20, scale=0.2), "tiles": Tiles(size=10)},
}


@pytest.mark.parametrize("transformed", TRANSFORMED)
def test_the_loss_of_a_batch_is_the_sum_and_each_gradient_the_pictures_own(transformed, network, loss, rng):
    pictures = rng.normal(0, 50, (3, 24, 20, 3))
    evaluator, alone = (Evaluator(network, loss, seed=4, **TRANSFORMED[transformed]) for _ in range(2))
    for number in (0, 3):
        evaluator.draw(number), alone.draw(number)
        terms = [alone.terms(one) for one in pictures]
        expected = {name: sum(each[name] for each in terms) for name in loss.names}
        assert all(expected.values())
        assert evaluator.terms(pictures) == pytest.approx(expected, rel=1e-5)
        gradient = evaluator.gradient(pictures)
        assert (gradient.dtype, gradient.shape) == (np.float32, pictures.shape)
        for one, own in zip(pictures, gradient, strict=True):
            expected = alone.gradient(one)
            np.testing.assert_allclose(own, expected, atol=1e-5 * np.abs(expected).max())
    assert evaluator.passes == (1 if transformed == "not" else 2)


def test_of_a_turned_picture_too_the_gradient_agrees_with_finite_differences(network, loss, x, rng):
    evaluator = Evaluator(network, loss, jitter=Jitter(noise=3, shift=4, rotate=30, scale=0.3), seed=2)
    evaluator.draw(5)
    gradient = evaluator.gradient(x).astype(float)
    for _ in range(3):
        direction = rng.normal(0, 1, x.shape)
        direction *= np.sign(gradient) * np.sign(direction)
        ahead, behind = (evaluator.loss(x + s * direction) for s in (0.05, -0.05))
        assert (ahead - behind) / 0.1 == pytest.approx((gradient * direction).sum(), rel=1e-3)


class Scaled(Term):
    """factor · Σx, with a factor that may be assigned."""

    name = "scaled"

    def __init__(self):
        self.factor = keras.Variable(2.0, trainable=False)
        self.variables = [self.factor]
        self.called = 0

    def __call__(self, x, features, regions):
        self.called += 1
        return self.factor * ops.sum(x)


def test_what_a_term_reads_may_be_assigned_between_passes_without_compiling_anew(network, x):
    term = Scaled()
    evaluator = Evaluator(network, term)
    assert evaluator.loss(x) == pytest.approx(2 * x.sum(), rel=1e-3)
    called = term.called
    term.factor.assign(-3)
    evaluator.reset()
    assert evaluator.loss(x) == pytest.approx(-3 * x.sum(), rel=1e-3)
    np.testing.assert_allclose(evaluator.gradient(x), -3)
    if keras.backend.backend() != "torch":  # which compiles nothing
        assert term.called == called


def test_started_again_it_counts_from_nothing_and_answers_as_a_new_one(network, loss, x):
    evaluator, new = (Evaluator(network, loss, seed=4, **TRANSFORMED["in every way"]) for _ in range(2))
    evaluator.draw(8)
    evaluator.loss(x), evaluator.loss(x + 1)
    evaluator.reset()
    assert (evaluator.passes, evaluator.seconds, evaluator.drawn, evaluator.is_cached(x + 1)) == (0, 0, 0, False)
    assert evaluator.loss(x + 1) == new.loss(x + 1)
    assert evaluator.passes == 1


class Root(Term):
    """√ of the mean: NaN below 0, with an infinite slope at 0."""

    name = "root"

    def __call__(self, x, features, regions):
        return ops.sqrt(ops.mean(x))


@pytest.mark.parametrize(
    ("level", "says"), [(-1.0, "term 'root' of the loss became NaN"), (0.0, "gradient of the loss")]
)
def test_what_is_not_finite_is_refused_and_the_term_is_named(network, level, says):
    evaluator = Evaluator(network, Root())
    assert evaluator.loss(np.full(SHAPE, 4.0)) == pytest.approx(2)
    with pytest.raises(Diverged, match=f"{says}.* pass 2"):
        evaluator.loss(np.full(SHAPE, level))


def test_a_penalty_beyond_float32_is_refused(evaluator):
    with pytest.raises(Diverged, match=r"'continuity'|'block2_conv1'|'dream_l2'.*infinite"):
        evaluator.loss(np.where(np.arange(16 * 20 * 3) % 2, 1e30, -1e30).reshape(SHAPE))


@pytest.fixture
def crossings(monkeypatch):
    """The shapes of what comes from the device to the host."""
    shapes = []
    to_host = ops.convert_to_numpy

    def noted(x):
        shapes.append(tuple(x.shape))
        return to_host(x)

    monkeypatch.setattr(ops, "convert_to_numpy", noted)
    return shapes


@pytest.mark.parametrize("many", [(), (2,)])
@pytest.mark.parametrize("jitter", [Jitter(), Jitter(noise=4, shift=5)])
def test_a_tensor_has_a_tensor_as_its_gradient_and_only_its_terms_come_to_the_host(
    jitter, many, network, loss, rng, crossings
):
    x = rng.normal(0, 50, (*many, *SHAPE)).astype(np.float32)
    tensor, arrays = ops.convert_to_tensor(x), Evaluator(network, loss, jitter=jitter, seed=4)
    expected = arrays.terms(x), arrays.gradient(x)
    crossings.clear()
    evaluator = Evaluator(network, loss, jitter=jitter, seed=4)
    gradient = evaluator.gradient(tensor)
    assert evaluator.terms(tensor) == pytest.approx(expected[0], rel=1e-6)
    assert crossings == [(len(loss.names) + 1,)]  # and whether the gradient is finite
    assert ops.is_tensor(gradient)
    assert tuple(gradient.shape) == x.shape
    np.testing.assert_allclose(np.array(gradient), expected[1], rtol=1e-5, atol=1e-6 * np.abs(expected[1]).max())


@pytest.mark.parametrize("how", [{"tiles": Tiles(size=8)}, {"jitter": Jitter(noise=2, rotate=20, scale=0.2)}])
def test_with_tiles_and_rotation_a_tensor_gives_what_its_array_gives(how, network, loss, x):
    x = x.astype(np.float32)
    tensor, (arrays, tensors) = ops.convert_to_tensor(x), (Evaluator(network, loss, seed=4, **how) for _ in range(2))
    assert tensors.terms(tensor) == pytest.approx(arrays.terms(x), rel=1e-6)
    assert ops.is_tensor(tensors.gradient(tensor))
    expected = arrays.gradient(x)
    np.testing.assert_allclose(np.array(tensors.gradient(tensor)), expected, atol=1e-5 * np.abs(expected).max())
    assert tensors.passes == 1


@pytest.mark.parametrize("tiles", [Tiles(size=8), Tiles(kind="exact", size=24)])
def test_on_a_gpu_tiles_are_cut_out_of_the_tensor_and_give_the_same(tiles, network, loss, rng, monkeypatch):
    x = rng.normal(0, 50, (40, 44, 3)).astype(np.float32)
    how = {"jitter": Jitter(noise=4, shift=5, rotate=10), "tiles": tiles, "seed": 4}
    on_cpu, on_gpu = (Evaluator(network, loss, **how) for _ in range(2))
    expected, gradient = on_cpu.terms(x), on_cpu.gradient(x)
    monkeypatch.setattr(host, "on_gpu", lambda: True)
    monkeypatch.setattr(tiled_pass, "HostCanvas", None)
    tensor = ops.convert_to_tensor(x)
    assert on_gpu.terms(tensor) == pytest.approx(expected, rel=1e-5)
    np.testing.assert_allclose(on_gpu.gradient(tensor), gradient, atol=1e-5 * np.abs(gradient).max())


def test_a_tensor_is_recognized_by_its_values(evaluator, x):
    tensor = ops.convert_to_tensor(x.astype(np.float32))
    evaluator.loss(tensor)
    assert evaluator.is_cached(tensor)
    assert evaluator.is_cached(ops.convert_to_tensor(x.astype(np.float32)))
    assert evaluator.is_cached(x)
    assert not evaluator.is_cached(x + 1)
    assert not evaluator.is_cached(x[1:])


def test_a_tensor_whose_array_was_evaluated_is_cached(evaluator, x):
    """An optimizer on the device starts with a picture whose loss was computed before."""
    evaluator.loss(x)
    assert evaluator.is_cached(ops.convert_to_tensor(x.astype(np.float32)))
    assert not evaluator.is_cached(ops.convert_to_tensor(x.astype(np.float32) + 1))


def test_of_a_tensor_too_what_is_not_finite_is_refused(network):
    evaluator = Evaluator(network, Root())
    for level, says in ((-1.0, "term 'root'"), (0.0, "gradient of the loss")):
        with pytest.raises(Diverged, match=says):
            evaluator.loss(ops.full(SHAPE, level, dtype="float32"))


THREADS = {
    "noise": {"jitter": Jitter(noise=4, shift=5), "seed": 1},
    "tiles": {"tiles": Tiles(kind="notebook", size=12), "seed": 2},
    "exact tiles": {"tiles": Tiles(kind="exact", size=24)},
    "rotation": {"jitter": Jitter(rotate=20, scale=0.2), "seed": 3},
}


def test_evaluators_in_threads_compute_what_each_computes_alone(network, loss, rng):
    """Each has its own loss, transforms and sizes, and compiles while the others compute."""
    pictures = [rng.normal(0, 50, (side, 36, 3)).astype(np.float32) for side in (30, 36)]
    weights = {name: 1.0 + i for i, name in enumerate(THREADS)}
    start = Barrier(len(THREADS))

    def compute(name, together):
        if together:
            start.wait(60)
        evaluator, found = Evaluator(network, weights[name] * loss, **THREADS[name]), []
        for number in range(3):
            for x in pictures:
                evaluator.draw(number)
                found.append((list(evaluator.terms(x).values()), evaluator.gradient(x)))
        assert evaluator.passes == len(found)
        return found

    alone = {name: compute(name, together=False) for name in THREADS}
    with ThreadPoolExecutor(len(THREADS)) as pool:
        running = {name: pool.submit(compute, name, together=True) for name in THREADS}
        for name, future in running.items():
            for (terms, gradient), (expected, slope) in zip(future.result(), alone[name], strict=True):
                assert terms == pytest.approx(expected, rel=1e-5)
                np.testing.assert_allclose(gradient, slope, atol=1e-5 * np.abs(slope).max())
