"""The smaller parts of a training: the schedule, the unfinished dreams, the projections and the checkpoint."""

from dataclasses import replace

import numpy as np
import pytest
from small_teachers import as_network, chain, save_photographs

from dreamscripts.errors import NetworkError
from dreamscripts.images.preprocessing import PREPROCESSINGS
from dreamscripts.settings.recipe import Recipe
from dreamscripts.training import schedule
from dreamscripts.training.checkpoint import Checkpoint, check_same, digest, place_of
from dreamscripts.training.photographs import Photographs, find_photographs
from dreamscripts.training.projections import channel_sizes, make_projections, solve
from dreamscripts.training.student import narrow
from dreamscripts.training.unfinished import UnfinishedDreams, pixel_gradient


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ((0, 0, None, 20), 0),
        ((7, 600, None, 20), 0.5),
        ((50, 600, 200, None), 0.25),
        ((50, 600, 200, 20), 0.5),
        ((190, 600, 200, 20), 0.95),
        ((500, 0, 200, None), 1),
    ],
)
def test_the_position_is_that_of_the_steps_or_the_time_whichever_ends_first(arguments, expected):
    assert schedule.position(*arguments) == expected


def test_the_learning_rate_rises_and_falls():
    rates = [schedule.learning_rate(1.0, position) for position in np.linspace(0, 1, 101)]
    top = int(np.argmax(rates))
    assert rates[0] == pytest.approx(0.02)
    assert 0.95 < max(rates) <= 1
    assert 2 <= top <= 5
    assert (np.diff(rates[: top + 1]) > 0).all()
    assert (np.diff(rates[top:-3]) < 0).all()
    assert schedule.learning_rate(1.0, 0.5) == pytest.approx(0.5)
    assert rates[-1] == schedule.FINAL


def test_a_dream_moves_along_its_gradient_by_some_pixel_values(rng):
    start = np.full((8, 12, 12, 3), 128, np.float32)
    dreams = UnfinishedDreams(start)
    chosen = dreams.choose(4, rng)
    assert len(set(chosen)) == 4
    gradients = rng.normal(0, 5, (4, 12, 12, 3))
    gradients[0] = 0.001  # each gradient is divided by its own mean size
    fresh = np.full((2, 12, 12, 3), 7, np.float32)
    dreams.grow(chosen, fresh, gradients, rng)
    changes = np.abs(dreams.pixels.astype(float) - 128).mean(axis=(1, 2, 3))
    replaced = [i for i in range(8) if (dreams.pixels[i] == 7).all()]
    assert len(replaced) == 1
    for i in set(range(8)) - set(replaced):
        assert changes[i] == 0 if i not in chosen else 0.5 <= changes[i] <= 8.5
    if chosen[0] not in replaced:
        assert len(np.unique(dreams.pixels[chosen[0]])) == 1


def test_the_gradient_of_pixels_is_in_the_order_of_the_pixels():
    gradient = np.zeros((1, 2, 2, 3))
    gradient[..., 0] = 3.0
    gradient[0, 0, 0, 1] = np.nan
    converted = pixel_gradient(gradient, PREPROCESSINGS["caffe"])
    assert (converted[..., 2] == 3).all()  # the first channel of the network is blue
    assert np.isfinite(converted).all()


def test_projections_are_the_least_squares_solution(rng):
    teacher = as_network(chain(), "conv2", "conv3")
    student = replace(teacher, model=narrow(teacher, 0.5, 0, normalised=False))
    batches = [rng.normal(0, 60, (2, 32, 32, 3)).astype(np.float32) for _ in range(3)]
    sizes = channel_sizes(teacher, batches)
    projections = make_projections(teacher, student)
    solve(projections, teacher, student, sizes, batches)
    for layer in ("conv2", "conv3"):
        own, theirs = (
            np.concatenate([np.asarray(network.features(x)[layer]).reshape(-1, channels) for x in batches])
            for network, channels in ((student, student.model.output[layer].shape[-1]), (teacher, len(sizes[layer])))
        )
        rms = np.sqrt((theirs.astype(float) ** 2).mean(axis=0))
        np.testing.assert_allclose(sizes[layer], rms + 0.03 * np.sqrt((rms**2).mean()), rtol=1e-3)
        a = np.concatenate([own, np.ones((len(own), 1))], axis=1)
        best, *_ = np.linalg.lstsq(a, theirs / sizes[layer], rcond=None)
        kernel, bias = projections[layer].get_weights()
        errors = [((a @ solution - theirs / sizes[layer]) ** 2).mean() for solution in (best, [*kernel, bias])]
        assert errors[0] <= errors[1] <= 1.05 * errors[0] < 0.9


def test_a_checkpoint_is_read_as_it_was_written(tmp_path):
    arrays = {"variable0": np.arange(6, dtype=np.float32).reshape(2, 3), "dreams": np.zeros((1, 2, 2, 3), np.uint8)}
    Checkpoint(arrays, {"step": 3, "curve": [1.5]}).write(tmp_path / "small.checkpoint.npz")
    read = Checkpoint.read(place_of(tmp_path / "small.keras"))
    assert read.record == {"step": 3, "curve": [1.5]}
    assert read.arrays.keys() == arrays.keys()
    for name, value in arrays.items():
        assert np.array_equal(read.arrays[name], value)
        assert read.arrays[name].dtype == value.dtype


def test_a_missing_or_damaged_checkpoint_is_refused(tmp_path):
    path = tmp_path / "small.checkpoint.npz"
    with pytest.raises(NetworkError, match="there is no such checkpoint file"):
        Checkpoint.read(path)
    Checkpoint({"a": np.zeros(1000)}, {}).write(path)
    content = path.read_bytes()
    path.write_bytes(content[:500])
    with pytest.raises(NetworkError, match="is not a checkpoint of dreamscripts distil, or is damaged"):
        Checkpoint.read(path)
    np.savez(path, a=np.zeros(3))
    with pytest.raises(NetworkError, match="is not a checkpoint"):
        Checkpoint.read(path)


def test_a_training_goes_on_only_with_the_same_recipe_and_photographs(tmp_path):
    photographs = Photographs(find_photographs(save_photographs(tmp_path, 3)))
    recipe = Recipe(network="vgg16", minutes=10.0)
    started = Checkpoint({}, {"recipe": recipe.model_dump(), "photographs": digest(photographs)})
    check_same(started, recipe, photographs)
    check_same(started, recipe.model_copy(update={"minutes": 40.0, "rate": 1e-4}), photographs)
    with pytest.raises(NetworkError, match="started with batch = 24, not 32"):
        check_same(started, recipe.model_copy(update={"batch": 32}), photographs)
    save_photographs(tmp_path, 4)
    with pytest.raises(NetworkError, match="other photographs; give the same folder"):
        check_same(started, recipe, Photographs(find_photographs(tmp_path)))
