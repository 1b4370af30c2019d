import keras
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from keras import layers

from dreamscripts.errors import SettingsError
from dreamscripts.networks.layers import describe_layers
from dreamscripts.networks.loading import load_network
from dreamscripts.networks.receptive_field import receptive_fields

sides = st.integers(90, 107)


def plain(x):
    x = layers.Conv2D(2, 3, padding="same")(x)
    return layers.Conv2D(2, 3, padding="same")(layers.MaxPooling2D(2)(x))


def same_with_strides(x):
    x = layers.Conv2D(2, 3, strides=2, padding="same")(x)
    x = layers.DepthwiseConv2D(5, padding="same")(x)
    return layers.MaxPooling2D(3, strides=2, padding="same")(x)


def valid(x):
    x = layers.Conv2D(2, 7, strides=2)(x)
    return layers.AveragePooling2D(3, strides=2)(layers.SeparableConv2D(2, 3)(x))


def dilated(x):
    return layers.Conv2D(2, 3, dilation_rate=3, padding="same")(layers.Conv2D(2, 2, strides=3)(x))


def padded_and_cropped(x):
    x = layers.ZeroPadding2D(((3, 1), (0, 2)))(x)
    return layers.Conv2D(2, 3, strides=2)(layers.Cropping2D(((1, 2), (3, 0)))(x))


def joined(x):
    wide = layers.Conv2D(2, 7, strides=2, padding="same")(x)
    narrow = layers.Conv2D(2, 1)(layers.MaxPooling2D(2, padding="same")(x))
    return layers.Concatenate()([layers.Add()([wide, narrow]), wide + narrow, 2.0 * narrow])


GRAPHS = [plain, same_with_strides, valid, dilated, padded_and_cropped, joined]


def built(graph, shape=(None, None, 3)) -> keras.Model:
    """All of its weights one, so that whatever is seen shows."""
    inputs = keras.Input(shape)
    model = keras.Model(inputs, {"end": graph(inputs)})
    for weight in model.weights:
        weight.assign(np.ones(weight.shape))
    return model


MODELS = {graph.__name__: built(graph) for graph in GRAPHS}


def seen(model, axis, side):
    """Of each position along an axis the first and the last pixel that it depends on, found by lighting them up."""
    lit = np.ones((side, side, 30, 3) if axis == 0 else (side, 30, side, 3), np.float32)  # a picture for each
    for pixel in range(side):
        lit[(pixel, pixel) if axis == 0 else (pixel, slice(None), pixel)] = 1e3
    dark = np.ones_like(lit[:1])
    f, before = (keras.ops.convert_to_numpy(model(x)["end"]) for x in (lit, dark))
    changed = (f != before).any(axis=(2, 3) if axis == 0 else (1, 3))  # (pixels, positions)
    return [(int(p.argmax()), side - 1 - int(p[::-1].argmax())) for p in changed.T]


@pytest.mark.parametrize("name", MODELS)
@settings(max_examples=4)
@given(side=sides, axis=st.sampled_from([0, 1]))
def test_a_position_depends_on_the_pixels_of_its_receptive_field_and_no_others(name, side, axis):
    _, field = receptive_fields(MODELS[name], axis, side, name)
    field, depends = field["end"], seen(MODELS[name], axis, side)
    assert len(depends) == field.size
    inner = range(field.size // 3, 2 * field.size // 3)
    for p, (first, last) in enumerate(depends):
        assert first >= p * field.stride - field.before
        assert last < (p + 1) * field.stride + field.after
        if p in inner:
            assert last - first + 1 == field.field
    if name != "padded_and_cropped":  # there a crop must begin with what is cropped from it
        assert max(p * field.stride - depends[p][0] for p in inner) == max(field.before, 0)


def test_what_is_cut_off_at_the_end_belongs_to_the_margin():
    """A crop lacks, as the picture does, the last pixels that no window reads, and what a Cropping takes."""
    _, field = receptive_fields(built(layers.Cropping2D(((0, 9), (0, 0)))), 0, 100, "cropped")
    assert (field["end"].size, field["end"].before, field["end"].after) == (91, 0, 9)


@pytest.mark.parametrize(("name", "layer"), [("vgg16", "block4_conv3"), ("squeezenet", "fire6")])
def test_fields_and_strides_are_those_of_the_usual_recursion(name, layer):
    model = load_network(name, "random", [layer]).model
    (facts,) = (facts for facts in describe_layers(model) if facts.name == layer)
    _, field = receptive_fields(model, 0, 300, name)
    assert (field[layer].field, field[layer].stride) == (facts.receptive_field, facts.stride)


def test_the_stride_of_crops_suits_every_branch():
    def branches(x):
        threes = layers.Conv2D(2, 1, strides=3)(x)
        return layers.Conv2D(2, 1, strides=2)(x), threes

    inputs = keras.Input((None, None, 3))
    twos, threes = branches(inputs)
    stride, field = receptive_fields(keras.Model(inputs, {"two": twos, "three": threes}), 0, 60, "branched")
    assert stride == 6
    assert (field["two"].stride, field["three"].stride) == (2, 3)


class Squares(layers.Layer):
    def call(self, x):
        return x * x


def squeezed(x):
    gate = layers.GlobalAveragePooling2D(keepdims=True, name="squeeze")(x)
    return layers.Multiply()([x, gate])


@pytest.mark.parametrize(
    ("graph", "shape", "says"),
    [
        (squeezed, (None, None, 3), r"the layer 'squeeze' \(GlobalAveragePooling2D\) may depend on the whole picture"),
        (Squares(name="own"), (None, None, 3), r"the layer 'own' \(Squares\) may depend on"),
        (layers.LayerNormalization(axis=(1, 2), name="ln"), (16, 16, 3), r"the layer 'ln' \(LayerNormalization\)"),
        (layers.PReLU(shared_axes=(1,), name="prelu"), (16, 16, 3), r"the layer 'prelu' \(PReLU\) may depend on"),
        (layers.Dense(4, name="dense"), (3, 16, 16), r"the layer 'dense' \(Dense\) may depend on"),
        (layers.Activation("softmax", name="rows"), (3, 16, 16), "the layer 'rows' depends on whole rows"),
        (layers.Activation(lambda x: x[:, ::-1], name="turn"), (16, 16, 3), "the layer 'turn' has a custom activation"),
        (lambda x: x * np.ones((16, 16, 3)), (16, 16, 3), r"\(Multiply\) may depend on"),
        (
            layers.Conv2D(2, 1, data_format="channels_first", name="c"),
            (3, 3, 3),
            "'c' has its channels along another",
        ),
    ],
)
def test_what_may_see_more_than_a_part_is_refused_by_name(graph, shape, says):
    with pytest.raises(SettingsError, match=f"mine: exact tiles are not supported: .*{says}"):
        receptive_fields(built(graph, shape), 0, 16, "mine")


def test_a_gate_behind_the_layers_in_use_is_in_nobodys_way():
    receptive_fields(load_network("efficientnet_b0", "random", ["block1a_activation"]).model, 0, 100, "efficientnet_b0")
    with pytest.raises(
        SettingsError, match="efficientnet_b0: exact tiles are not supported: the layer 'block1a_se_squee"
    ):
        receptive_fields(
            load_network("efficientnet_b0", "random", ["block1a_project_conv"]).model, 0, 100, "efficientnet_b0"
        )


def test_channels_may_come_first():
    def graph(x):
        x = layers.Conv2D(2, 3, strides=2, padding="same", data_format="channels_first")(x)
        return layers.BatchNormalization(axis=1)(x)

    _, field = receptive_fields(built(graph, (3, None, None)), 1, 101, "first")
    _, last = receptive_fields(built(lambda x: layers.Conv2D(2, 3, strides=2, padding="same")(x)), 1, 101, "last")
    assert field == last
