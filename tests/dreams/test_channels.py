"""The engine of galleries, on pocket and pictures of a few pixels."""

import gc
import tracemalloc

import numpy as np
import pytest
from keras import ops

from dreamscripts.backends import compiling
from dreamscripts.dreams import channels
from dreamscripts.dreams.channels import choose_layers, visualize_channels
from dreamscripts.dreams.dream import dream
from dreamscripts.dreams.prepare import open_network
from dreamscripts.errors import NetworkError
from dreamscripts.images.resizing import noise
from dreamscripts.networks.loading import build
from dreamscripts.settings.schema import Settings

LAYER = "block4_conv3_pre_relu"


def small(size: int = 28, **changes) -> Settings:
    """The gallery's own settings for quick pictures of pocket."""
    quick = {"network": "pocket", "size": size, "octaves.count": 2, "optimizer.passes": 4}
    return Settings.load("gallery", **quick | {"features": {LAYER: 1}} | changes)


@pytest.fixture(scope="module")
def network():
    return open_network(small())


@pytest.fixture(scope="module")
def pocket():
    return build("pocket")


def collected(batches) -> dict[int, np.ndarray]:
    return {channel: picture for batch in batches for channel, picture in batch.items()}


def test_pictures_made_in_a_batch_are_those_made_one_after_another_and_those_of_a_dream(network):
    settings, channels = small(), [3, 17, 40, 41, 99]
    batches = list(visualize_channels(network, settings, channels, together=2))
    assert [list(batch) for batch in batches] == [[3, 17], [40, 41], [99]]
    together, alone = collected(batches), collected(visualize_channels(network, settings, channels, together=1))
    for channel, picture in together.items():
        assert (picture.dtype, picture.shape) == (np.float32, (28, 28, 3))
        np.testing.assert_allclose(picture, alone[channel], atol=1)
        differences = [np.abs(picture - other).mean() for other in together.values() if other is not picture]
        assert min(differences) > 5
    *_, last = dream(noise(28), small(features={LAYER: {"weight": 1, "channels": [99]}}))
    np.testing.assert_allclose(together[99], last.picture, atol=1)


@pytest.mark.parametrize("optimizer", [{"optimizer.name": "lbfgs"}, {"optimizer.max_score": 30.0}])
def test_what_looks_at_the_loss_of_a_whole_batch_makes_one_picture_at_a_time(optimizer, network):
    assert [len(batch) for batch in visualize_channels(network, small(24, **optimizer), [3, 17], together=2)] == [1, 1]


def test_batches_are_as_even_as_can_be_and_of_about_as_many_pixels_whatever_the_size(network, monkeypatch):
    monkeypatch.setattr(channels, "dream", lambda start, *_, **__: iter([Painted(start)]))
    monkeypatch.setattr(channels, "PIXELS", 8 * 24 * 24)

    def lengths(channels, size):
        return [len(batch) for batch in visualize_channels(network, small(size), range(channels))]

    assert lengths(0, 24) == []
    assert lengths(3, 24) == [3]
    assert lengths(8, 24) == [8]
    assert lengths(9, 24) == [5, 4]
    assert lengths(18, 24) == [6, 6, 6]
    assert lengths(5, 48) == [2, 2, 1]
    assert lengths(2, 500) == [1, 1]


class Painted:
    """An iterate whose picture is as it was."""

    def __init__(self, picture):
        self.picture = picture


def test_what_is_compiled_serves_all_batches_in_as_many_passes_as_one_picture_takes(network, monkeypatch):
    compiled, traced, passes = [], [], []
    compile_with_gradient = compiling.compile_with_gradient

    def counted(function, terms_of, *what, **how):
        compiled.append(function)
        run = compile_with_gradient(function, lambda *x: traced.append(1) or terms_of(*x), *what, **how)
        return lambda x, *others: passes.append(tuple(x.shape)) or run(x, *others)

    monkeypatch.setattr(compiling, "compile_with_gradient", counted)
    batches = visualize_channels(network, small(), range(7), together=3)
    next(batches)
    of_one, traces = passes.copy(), len(traced)
    assert len(of_one) == 2 * (1 + 4)  # in each octave before the first step and after every one
    assert {shape[1:] for shape in of_one} == {(20, 20, 3), (28, 28, 3)}
    assert len(list(batches)) == 2
    assert passes == 3 * of_one
    assert len(compiled) == 1
    assert len(traced) == traces


def test_each_picture_excites_its_own_channel_more_than_the_others_do(network):
    channels = range(20, 40)
    made = collected(visualize_channels(network, small(48, **{"optimizer.passes": 10}), channels))
    x = network.preprocessing.normalise(np.stack([*made.values()])).astype("float32")
    f = ops.convert_to_numpy(network.features(ops.convert_to_tensor(x))[LAYER])
    excited = f.mean((1, 2))[:, channels]  # one row for each picture
    own = excited.argmax(axis=0) == np.arange(20)
    assert own.mean() >= 0.9


def test_memory_does_not_grow_with_the_number_of_channels(network):
    def peak(channels):
        batches = visualize_channels(network, small(48, **{"optimizer.passes": 1}), range(channels), together=2)
        next(batches)  # which compiles
        tracemalloc.start()
        try:
            for _ in batches:
                gc.collect()  # of TensorFlow's own cycles, which otherwise wait for a while
            return tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()

    assert peak(32) == pytest.approx(peak(8), rel=0.2)


# Which layers ---------------------------------------------------------------------------------------------------------


def test_without_a_wish_every_convolution_is_chosen(pocket, googlenet_graph):
    chosen = choose_layers(pocket, [], "pocket")
    assert len(chosen) == 13
    assert chosen == {layer: f"{layer}_pre_relu" for layer in chosen}
    assert [*chosen][:3] == ["block1_conv1", "block1_conv2", "block2_conv1"]
    googlenet = build("googlenet", str(googlenet_graph))
    channels = [googlenet.get_layer(layer).output.shape[-1] for layer in choose_layers(googlenet, [], "googlenet")]
    assert (len(channels), sum(channels)) == (59, 7548)  # as the feature-visualisation notebook counts them
    notebooks = "mixed4d_3x3_bottleneck_pre_relu"
    assert choose_layers(googlenet, [notebooks], "googlenet") == {notebooks: notebooks}


def test_layers_are_chosen_by_name_or_by_pattern_each_once_in_the_order_asked_for(pocket):
    chosen = choose_layers(pocket, ["block3_pool", "block[12]_conv2", "block2_*", "block4_conv1_pre_relu"], "pocket")
    assert list(chosen.items()) == [
        ("block3_pool", "block3_pool"),  # which ends in no ReLU
        ("block1_conv2", "block1_conv2_pre_relu"),
        ("block2_conv2", "block2_conv2_pre_relu"),
        ("block2_conv1", "block2_conv1_pre_relu"),
        ("block2_pool", "block2_pool"),
        ("block4_conv1", "block4_conv1_pre_relu"),
    ]


def test_what_a_block_joins_is_seen_before_the_relus_too():
    chosen = choose_layers(build("squeezenet"), ["fire[56]", "fire2_expand1x1"], "squeezenet")
    # The last has its ReLU in a layer of its own.
    assert chosen == {"fire5": "fire5_pre_relu", "fire6": "fire6_pre_relu", "fire2_expand1x1": "fire2_expand1x1"}


@pytest.mark.parametrize(
    ("wanted", "says"),
    [
        ("block4_conv", r"pocket has no layer 'block4_conv' \(did you mean 'block4_conv1'\?\); `dreamscripts layers"),
        ("fire*", r"pocket has no layer 'fire\*'; `dreamscripts layers pocket` lists them"),
        ("BLOCK4_CONV3", "did you mean 'block4_conv3'"),
    ],
)
def test_a_layer_that_is_not_there_is_refused_with_the_nearest(wanted, says, pocket):
    with pytest.raises(NetworkError, match=says):
        choose_layers(pocket, ["block1_conv1", wanted], "pocket")


# The whole ------------------------------------------------------------------------------------------------------------
