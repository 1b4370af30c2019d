"""GoogLeNet, layer by layer against a frozen graph that TensorFlow itself runs."""

import zipfile

import frozen_graph
import keras
import numpy as np
import pytest
from conftest import BACKENDS
from PIL import Image
from typer.testing import CliRunner

from dreamscripts import Settings, dream
from dreamscripts.backends import compiling
from dreamscripts.errors import NetworkError
from dreamscripts.networks.layers import describe_layers
from dreamscripts.networks.loading import build, load_network
from dreamscripts.networks.zoo import googlenet
from dreamscripts.scripts import app

LAYERS = keras.layers
CLASSIFIER = ("avgpool0", "softmax2_pre_activation", "softmax2", "output2")


@pytest.fixture(scope="module")
def model(googlenet_graph):
    return build("googlenet", str(googlenet_graph))


@pytest.fixture(scope="module")
def graph(googlenet_graph):
    return frozen_graph.v1.GraphDef.FromString(googlenet_graph.read_bytes())


@pytest.fixture
def thin():
    """A graph of the same structure with an eighth of the channels, to be changed."""
    return frozen_graph.build(thin=8)


@pytest.fixture
def written(tmp_path):
    """The path of a file with that content: a graph, or bytes."""

    def write(content, name="tensorflow_inception_graph.pb"):
        path = tmp_path / name
        path.write_bytes(content if isinstance(content, bytes) else content.SerializeToString())
        return str(path)

    return write


@pytest.fixture
def pictures(rng):
    """Of a size, as the network sees them: (1, H, W, 3)."""
    return lambda height, width: rng.uniform(-117, 138, (1, height, width, 3)).astype(np.float32)


def names_of(model):
    return [layer.name for layer in model.layers if not isinstance(layer, LAYERS.InputLayer)]


def assert_close(ours, theirs, name):
    """The same to a ten-thousandth of the largest; the graph lays the maps of its classifier out in rows."""
    ours = keras.ops.convert_to_numpy(ours).reshape(theirs.shape)
    assert np.abs(ours - theirs).max() <= 1e-4 * np.abs(theirs).max(), name


def assert_same(model, graph, x, names):
    """What the layers of those names give is what the nodes give."""
    part = keras.Model(model.inputs[0], {name: model.get_layer(name).output for name in names})
    ours, theirs = part.predict(x, verbose=0), frozen_graph.ask(graph, x, names)
    for name in names:
        assert_close(ours[name], theirs[name], name)


@pytest.mark.parametrize(("height", "width"), [(224, 224), (130, 161)])
def test_every_layer_gives_what_the_graph_gives(height, width, model, graph, pictures):
    names = [name for name in names_of(model) if height >= 193 or name not in CLASSIFIER]
    assert_same(model, graph, pictures(height, width), names)


def test_classes_are_found_at_every_position_of_a_larger_picture(thin, written, pictures):
    model = build("googlenet", written(thin))
    assert_same(model, thin, pictures(300, 260), list(CLASSIFIER))
    classes = keras.Model(model.inputs[0], model.get_layer("softmax2").output)
    assert classes.compute_output_shape((1, 300, 260, 3)) == (1, 4, 3, 1008)


def test_there_are_59_convolutions_with_7548_channels(model):
    convolutions = [layer for layer in model.layers if isinstance(layer, LAYERS.Conv2D)]
    assert (len(convolutions), sum(layer.filters for layer in convolutions)) == (59, 7548)
    channels = {layer.name: layer.output.shape[-1] for layer in model.layers}
    assert [channels[f"conv2d{i}"] for i in range(3)] == [64, 64, 192]
    for block, expected in frozen_graph.CHANNELS.items():
        parts = ("1x1", "3x3_bottleneck", "3x3", "5x5_bottleneck", "5x5", "pool_reduce")
        assert tuple(channels[f"{block}_{part}"] for part in parts) == expected
        assert tuple(channels[f"{block}_{part}_pre_relu"] for part in parts) == expected
    blocks = [channels[block] for block in frozen_graph.CHANNELS]
    assert blocks == [256, 480, 508, 512, 512, 528, 832, 832, 1024]
    assert [channels[f"head{i}_bottleneck"] for i in range(2)] == [128, 128]
    assert channels["softmax2"] == 1008


def test_the_layers_are_the_graphs_nodes_but_for_the_ends_of_the_training_heads(model, graph):
    nodes = {node.name for node in graph.node if node.op not in ("Placeholder", "Const", "Conv2D", "MatMul", "Reshape")}
    flat = {f"{name}{i}" for name in ("nn", "softmax") for i in range(2)}
    flat |= {"nn0_pre_relu", "nn1_pre_relu", "softmax0_pre_activation", "softmax1_pre_activation", "output", "output1"}
    assert flat < nodes
    assert set(names_of(model)) == nodes - flat


def test_what_each_layer_sees(model):
    facts = {facts.name: (facts.stride, facts.receptive_field) for facts in describe_layers(model)}
    assert facts.keys() == set(names_of(model))
    # 7; 7 + 2·2 = 11; 11 + 2·4 = 19; 19 + 2·4 = 27; 27 + 4·8 = 59
    seen = [(2, 7), (4, 11), (4, 11), (4, 11), (4, 19), (4, 19), (8, 27), (8, 59)]
    path = ("conv2d0", "maxpool0", "localresponsenorm0", "conv2d1", "conv2d2", "localresponsenorm1", "maxpool1")
    assert [facts[name] for name in (*path, "mixed3a")] == seen
    assert [facts[f"mixed{block}"][0] for block in ("3b", "4a", "4e", "5a", "5b")] == [8, 16, 16, 32, 32]


def test_the_zip_gives_the_same_as_the_graph_in_it(thin, written, tmp_path):
    path = written(thin)
    with zipfile.ZipFile(tmp_path / "download", "w") as archive:  # known by its content, whatever it is called
        archive.writestr("__MACOSX/._tensorflow_inception_graph.pb", b"a Mac's")
        archive.writestr("imagenet_comp_graph_label_strings.txt", "dummy\nkit fox\n")
        archive.write(path, "inception5h/tensorflow_inception_graph.pb")
        archive.writestr("LICENSE", "Apache")
    one, other = build("googlenet", path), build("googlenet", str(tmp_path / "download"))
    assert names_of(one) == names_of(other)
    for mine, theirs in zip(one.get_weights(), other.get_weights(), strict=True):
        np.testing.assert_array_equal(mine, theirs)


def test_what_a_node_says_holds(thin, written, pictures):
    """Also where another writer of graphs would have said it otherwise, or left it to TensorFlow's defaults."""
    for node in thin.node:
        if node.op == "BiasAdd" and "mixed" in node.name:
            node.op = "AddV2"
        elif node.op == "BiasAdd" and "conv2d" in node.name:
            node.op = "Add"
        elif node.op == "Concat":
            node.op = "ConcatV2"
            node.input.append(node.input.pop(0))
            node.attr["Tidx"].type = frozen_graph.tf.int32.as_datatype_enum
        elif node.name == "head0_pool" and keras.backend.backend() != "torch":  # where Keras averages otherwise
            node.attr["padding"].s = b"SAME"
        elif node.name == "conv2d1_pre_relu/conv":
            node.input[0] += ":0"
            node.attr["padding"].s = b"VALID"
            node.attr["strides"].list.i[1:3] = [2, 1]
        elif node.name == "conv2d2_pre_relu/conv":
            node.input[1] = "conv2d2_w/read"
        elif node.name == "localresponsenorm0":
            for name in ("depth_radius", "bias", "alpha", "beta"):
                del node.attr[name]
        elif node.name == "localresponsenorm1":
            node.attr["depth_radius"].i = 2
            for name, value in {"bias": 2.0, "alpha": 0.3, "beta": 0.75}.items():
                node.attr[name].f = value
    read = thin.node.add(name="conv2d2_w/read", op="Identity", input=["conv2d2_w", "^conv2d0"])
    read.attr["T"].type = frozen_graph.tf.float32.as_datatype_enum
    thin.node.sort(key=lambda node: node.name)  # in no order
    model = build("googlenet", written(thin))
    assert_same(model, thin, pictures(230, 202), [name for name in names_of(model) if name not in CLASSIFIER])


def test_a_network_cut_from_it_has_the_graphs_gradient(googlenet_graph, graph, pictures):
    wanted = ["conv2d2", "mixed3b_5x5_pre_relu", "mixed4a"]
    network = load_network("googlenet", str(googlenet_graph), wanted)
    assert network.name == "googlenet"
    assert "maxpool4" in names_of(network.model)
    assert not {"mixed4b", "head0_pool", "softmax2"} & set(names_of(network.model))
    assert network.least_side == 65  # mixed4a, at stride 16, has five positions a side

    def terms(x):
        return keras.ops.stack([keras.ops.sum(keras.ops.square(f)) / 2 for f in network.features(x).values()])

    x = pictures(80, 97)
    answer, gradient = compiling.compile_pass(terms, network.model.variables, False)(x)
    features = frozen_graph.ask(graph, x, wanted)
    np.testing.assert_allclose(answer, [(features[name] ** 2).sum() / 2 for name in wanted], rtol=1e-4)
    assert_close(gradient, frozen_graph.gradient(graph, x, wanted), "gradient")


def test_pictures_enter_as_rgb_less_117(thin, written, picture):
    preprocessing = load_network("googlenet", written(thin), ["conv2d0"]).preprocessing
    np.testing.assert_array_equal(preprocessing.normalise(picture), picture.astype(float) - 117)


def test_it_dreams(thin, written, picture):
    settings = Settings(
        network="googlenet",
        weights=written(thin),
        features={"mixed3b": 1},
        optimizer={"name": "gradient_ascent", "iterations": 1},
    )
    before, after = dream(picture, settings)
    assert after.loss < before.loss
    assert np.isfinite(after.picture).all()


def features_and_gradient(path, names, x):
    """Features of the layers of these names, and the gradient of half the squares of mixed3a."""
    features = load_network("googlenet", path, names).features(x)
    shallow = load_network("googlenet", path, ["mixed3a"])

    def terms(x):
        return keras.ops.reshape(keras.ops.sum(keras.ops.square(shallow.features(x)["mixed3a"])) / 2, (1,))

    _, gradient = compiling.compile_pass(terms, shallow.model.variables, False)(x)
    return keras.tree.map_structure(keras.ops.convert_to_numpy, (features, gradient))


@pytest.mark.parametrize("backend", [name for name in BACKENDS if name != keras.backend.backend()])
def test_other_backends_give_what_the_graph_gives(backend, thin, written, pictures, on_backend):
    names = ["localresponsenorm1", "mixed3a", "head0_bottleneck", "softmax2"]
    x = pictures(210, 230)
    features, gradient = on_backend(backend, features_and_gradient, written(thin), names, x)
    theirs = frozen_graph.ask(thin, x, names)
    for name in names:
        assert_close(features[name], theirs[name], name)
    assert_close(gradient, frozen_graph.gradient(thin, x, ["mixed3a"]), "gradient")


def test_it_is_copied_saved_and_loaded_as_any_keras_model(thin, written, pictures, tmp_path):
    network = load_network("googlenet", written(thin), ["conv2d2"])
    keras.Model(network.model.inputs[0], network.model.output["conv2d2"]).save(tmp_path / "own.keras")
    saved = load_network(str(tmp_path / "own.keras"), layers=["conv2d2"], preprocessing="none")
    clone = keras.models.clone_model(network.model)
    clone.set_weights(network.model.get_weights())
    x = pictures(40, 48)
    expected = keras.ops.convert_to_numpy(network.features(x)["conv2d2"])
    for features in (saved.features(x), clone(x)):
        np.testing.assert_array_equal(keras.ops.convert_to_numpy(features["conv2d2"]), expected)
    config = network.model.get_layer("localresponsenorm0").get_config()
    assert {name: config[name] for name in frozen_graph.LRN} == pytest.approx(frozen_graph.LRN)


def refusal(weights, layers=()):
    with pytest.raises(NetworkError) as error:
        load_network("googlenet", weights, layers)
    assert "\n" not in str(error.value)
    return str(error.value)


def test_another_file_is_refused_with_the_right_ones_name(thin, written, tmp_path):
    Image.new("RGB", (40, 30)).save(tmp_path / "picture.png")
    build("pocket").save_weights(tmp_path / "other.weights.h5")
    content = thin.SerializeToString()
    others = [
        str(tmp_path / "picture.png"),
        str(tmp_path / "other.weights.h5"),
        written(b'node {\n  name: "input"\n}\n', "text.pb"),
        written(content[: len(content) // 2], "half.pb"),
    ]
    for path in others:
        said = refusal(path)
        assert said.startswith(f"{path}: is not a TensorFlow graph, or is damaged")
        assert "built from tensorflow_inception_graph.pb, or the inception5h.zip" in said
    empty = written(b"", "empty.pb")
    assert refusal(empty) == f"{empty}: is an empty file"
    assert "there is no such weights file" in refusal(str(tmp_path / "none.pb"))
    assert "did you mean 'imagenet'" in refusal("imagenett")
    assert "did you mean 'imagenet'" in refusal(str(tmp_path / "imagenett"))
    assert "there is no such weights file" in refusal("g" * 300)
    (tmp_path / "saved_model").mkdir()
    assert "is a folder" in refusal(str(tmp_path / "saved_model"))


def test_a_zip_without_a_graph_or_a_damaged_one_is_refused(thin, written, tmp_path):
    path = tmp_path / "inception5h.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("LICENSE", "Apache")
    assert "is a zip without a .pb" in refusal(str(path))
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("tensorflow_inception_graph.pb", thin.SerializeToString())
    whole = path.read_bytes()
    assert "cannot be unzipped" in refusal(written(whole[: len(whole) // 2], path.name))
    assert "cannot be unzipped" in refusal(written(whole[:1000] + b"damage" + whole[1006:], path.name))


def test_another_graph_is_refused_with_the_node_that_is_not_there(thin, written):
    content = thin.SerializeToString()
    imported, short, unread, strange, odd = (frozen_graph.v1.GraphDef.FromString(content) for _ in range(5))
    for node in imported.node:
        node.name = f"import/{node.name}"
    assert "no node 'conv2d0_pre_relu/conv'" in refusal(written(imported))
    del short.node[[node.name for node in short.node].index("mixed5b") :]
    assert "is incomplete: it has no node 'mixed5b'" in refusal(written(short))
    unread.node.remove(next(node for node in unread.node if node.name == "mixed4c_3x3_w"))
    assert "'mixed4c_3x3_pre_relu/conv' reads 'mixed4c_3x3_w', which is not in it" in refusal(written(unread))
    next(node for node in strange.node if node.name == "maxpool4").op = "FractionalMaxPool"
    assert "'maxpool4' is of an unknown kind: FractionalMaxPool" in refusal(written(strange))
    next(node for node in odd.node if node.name == "mixed3a_1x1_pre_relu/conv").input[1] = "conv2d2_w"
    assert "the node 'mixed3a_1x1_pre_relu' (BiasAdd) does not fit" in refusal(written(odd))


def test_random_weights_are_refused_with_the_way_to_give_a_file():
    said = refusal("random")
    assert "--weights FILE" in said
    assert "tensorflow_inception_graph.pb" in said


def test_a_layer_that_it_has_not_is_refused(thin, written):
    assert "did you mean 'mixed4c'" in refusal(written(thin), ["mixed4_c"])
    assert "no layer 'nn0'" in refusal(written(thin), ["nn0"])


@pytest.mark.parametrize("weights", [None, "imagenet"])
def test_the_published_zip_is_downloaded_where_no_file_is_given(weights, thin, written, monkeypatch):
    path = written(thin)

    def fetched(file, address, file_hash, cache_subdir):
        assert (file, cache_subdir) == ("inception5h.zip", "models")
        assert (address, file_hash) == (googlenet.ADDRESS, googlenet.SHA256)
        return path

    monkeypatch.setattr(keras.utils, "get_file", fetched)
    assert "mixed5b" in names_of(load_network("googlenet", weights, ["mixed5b"]).model)


def test_its_layers_are_listed_from_its_file(thin, written):
    done = CliRunner().invoke(app, ["layers", "googlenet", "--weights", written(thin)], catch_exceptions=False)
    rows = {line.split()[0]: line.split()[1:] for line in done.stdout.splitlines()}
    assert rows["localresponsenorm0"] == ["LocalResponseNorm", "8", "4", "11", "px"]
    assert rows["mixed4c"][:3] == ["Concatenate", "64", "16"]
