"""Model and weights files from strangers: they run no code, open no other file and fill no memory."""

import json
import os
import pickle
import sys
import zipfile

import h5py
import keras
import numpy as np
import pytest
from keras import layers

from dreamscripts.errors import NetworkError
from dreamscripts.networks.family import check_name
from dreamscripts.networks.loading import build
from dreamscripts.networks.model_files import load_whole
from dreamscripts.networks.weights import load_file

MB = 2**20


@pytest.fixture(scope="module")
def good(tmp_path_factory):
    """Return a folder with one small model in every format."""
    folder = tmp_path_factory.mktemp("good")
    inputs = keras.Input((16, 16, 3), name="picture")
    model = keras.Model(inputs, layers.Conv2D(4, 3, name="conv")(inputs))
    for name in ("model.keras", "model.h5"):
        model.save(folder / name)
    model.save_weights(folder / "model.weights.h5")
    np.savez(folder / "model.npz", **{f"conv/{weight.name}": np.asarray(weight) for weight in model.weights})
    return folder


def parts_of(path):
    with zipfile.ZipFile(path) as archive:
        return json.loads(archive.read("config.json")), archive.read("model.weights.h5")


@pytest.fixture
def keras_file(good, tmp_path):
    """Return a function that writes a `.keras` with another config, other weights or other entries."""
    config, weights = parts_of(good / "model.keras")

    def write(changed=None, content=weights, compression=zipfile.ZIP_STORED, **entries):
        with zipfile.ZipFile(tmp_path / "own.keras", "w", compression) as archive:
            changed = json.dumps(config if changed is None else changed) if not isinstance(changed, str) else changed
            for name, data in ({"config.json": changed, "model.weights.h5": content} | entries).items():
                if data is not None:
                    archive.writestr(name.replace("__", "/"), data)
        return tmp_path / "own.keras"

    return write


def with_layer(path, kind, config, module="keras.layers"):
    """Return the config of a model with another layer before its convolution."""
    changed, _ = parts_of(path)
    conv = changed["config"]["layers"][1]
    layer = {"class_name": kind, "config": {"name": "mid", **config}, "name": "mid"}
    changed["config"]["layers"].insert(1, {"module": module, **layer, "inbound_nodes": conv["inbound_nodes"]})
    return changed


def with_activation(path, module, function):
    changed, _ = parts_of(path)
    called = {"module": module, "class_name": "function", "config": function, "registered_name": function}
    changed["config"]["layers"][1]["config"]["activation"] = called
    return changed


def refusal(path, act=load_whole):
    """Return the message for a file, after checking that no other file was opened and no program was started."""
    opened = []
    watching.append(lambda event, arguments: opened.append((event, str(arguments[0]))))
    try:
        with pytest.raises(NetworkError) as refused:
            act(path)
    finally:
        watching.clear()
    others = [name for event, name in opened if event != "open" or name.startswith(("/etc", "/tmp"))]
    assert [name for name in others if name != str(path)] == []
    message = str(refused.value)
    assert message.startswith(f"{path}: ")
    assert len(message.splitlines()) == 1
    assert len(message) < 500 + len(str(path))
    assert not any(word in message for word in ("safe_mode", "unsafe", "deserializ", "<class"))
    return message.removeprefix(f"{path}: ")


watching: list = []


@pytest.fixture(scope="module", autouse=True)
def audit():
    """Pass what Python opens and starts to the functions in `watching`. An audit hook cannot be removed."""

    def hook(event, arguments):
        if event in ("open", "subprocess.Popen", "os.system", "socket.connect"):
            for watch in watching:
                watch(event, arguments)

    sys.addaudithook(hook)


@pytest.mark.parametrize(
    ("kind", "config"),
    [
        ("StringLookup", {"vocabulary": "/etc/hostname"}),
        ("TextVectorization", {"vocabulary": "/etc/hostname"}),
        ("IntegerLookup", {"vocabulary": "/etc/hostname"}),
        ("TFSMLayer", {"filepath": "/etc"}),
        ("TorchModuleWrapper", {"module": ""}),
        ("JaxLayer", {"call_fn": {"class_name": "__lambda__", "config": {"value": "x"}}}),
    ],
)
def test_a_layer_that_reads_files_or_runs_code_is_refused_by_name(kind, config, keras_file, good):
    said = f"the layer 'mid' is a {kind}, which could open other files or run code"
    assert said in refusal(keras_file(with_layer(good / "model.keras", kind, config)))
    assert refusal(keras_file(with_layer(good / "model.keras", kind, config, "keras.src.layers")))


@pytest.mark.parametrize("module", ["keras.layers", "keras.src.layers.core.lambda_layer", None])
def test_a_lambda_is_refused_and_nobody_learns_how_to_run_it(module, keras_file, good):
    function = {"class_name": "__lambda__", "config": {"code": "4wEA", "defaults": None, "closure": None}}
    said = "the layer 'mid' is a Lambda: Python code in a file is not run; use operators instead"
    assert refusal(keras_file(with_layer(good / "model.keras", "Lambda", {"function": function}, module))) == said
    assert "Lambda" in refusal(keras_file(with_layer(good / "model.keras", "Dense", {"activation": function})))


@pytest.mark.parametrize(
    ("module", "function"),
    [
        *(("os", "system"), ("builtins.x", "eval"), ("keras.utils", "get_file"), ("keras.models", "load_model")),
        *(("keras.applications", "VGG16"), ("keras.utils", "plot_model"), ("keras.config", "enable_interactive")),
    ],
)
def test_only_functions_of_networks_are_called(module, function, keras_file, good):
    path = keras_file(with_activation(good / "model.keras", module, function))
    assert f"it calls {module}.{function}, which is not a function of a network" in refusal(path)


def test_keras_own_activations_and_operators_are_accepted(keras_file, good):
    assert load_whole(keras_file(with_activation(good / "model.keras", "builtins", "gelu")))
    assert load_whole(keras_file(with_activation(good / "model.keras", "keras.activations", "gelu")))


def test_a_class_of_another_package_is_unknown(keras_file, good, tmp_path):
    path = keras_file(with_layer(good / "model.keras", "Popen", {"args": f"touch {tmp_path}/x"}, "subprocess"))
    assert "the layer 'mid' is of the class Popen, which is unknown to Keras" in refusal(path)
    assert not (tmp_path / "x").exists()


def change_h5(path, change):
    """Replace the kernel in an HDF5 file by `change(group, name, array)`."""
    with h5py.File(path, "r+") as file:
        found = []
        file.visititems(lambda name, part: found.append(part) if getattr(part, "shape", ()) == (3, 3, 3, 4) else None)
        group, name, array = found[0].parent, found[0].name.rpartition("/")[2], found[0][()]
        del group[name]
        change(group, name, array)


def external_link(group, name, array):
    group[name] = h5py.ExternalLink("/etc/hostname", "/x")


def soft_link(group, name, array):
    group.file["elsewhere"] = array
    group[name] = h5py.SoftLink("/elsewhere")


def external_storage(group, name, array):
    group.create_dataset(name, array.shape, array.dtype, external=[("/etc/hostname", 0, array.nbytes)])


def virtual(group, name, array):
    layout = h5py.VirtualLayout(array.shape, array.dtype)
    layout[...] = h5py.VirtualSource("/etc/hostname", "x", array.shape)
    group.create_virtual_dataset(name, layout)


def second_name(group, name, array):
    group[name] = array
    group["again"] = group


def bomb(group, name, array):
    group.create_dataset(name, (30_000, 30_000, 10), "f4", chunks=(1000, 1000, 1), compression="gzip")


def text(group, name, array):
    group.create_dataset(name, data=["a", "b"])


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (external_link, "is a link to another place"),
        (soft_link, "is a link to another place"),
        (external_storage, "may be in other files"),
        (virtual, "may be in other files"),
        (second_name, "has a second name"),
        (bomb, "unpacks to 36.0 GB"),
        (text, "is not an array of numbers"),
    ],
)
def test_hdf5_refers_to_nothing_outside_and_unpacks_to_nothing_large(change, says, good, keras_file, tmp_path):
    own = {}
    for name in ("model.h5", "model.weights.h5"):
        (tmp_path / name).write_bytes((good / name).read_bytes())
        change_h5(tmp_path / name, change)
        own[name] = tmp_path / name
    model = load_whole(good / "model.keras")
    assert says in refusal(own["model.h5"])
    assert says in refusal(own["model.weights.h5"], lambda path: load_file(model, path))
    assert says in refusal(own["model.h5"], lambda path: load_file(model, path))
    assert says in refusal(keras_file(content=own["model.weights.h5"].read_bytes()))


def test_a_list_of_layers_that_repeats_one_is_damaged(good, tmp_path):
    (tmp_path / "own.h5").write_bytes((good / "model.h5").read_bytes())
    with h5py.File(tmp_path / "own.h5", "r+") as file:
        conv = file["model_weights/conv"]
        conv.attrs["weight_names"] = [*conv.attrs["weight_names"]] * 1000
    assert refusal(tmp_path / "own.h5") == "its list of weight_names is damaged"


def test_archives_unpack_to_nothing_large(keras_file, good, tmp_path):
    zeros = bytes(200 * MB)
    assert "unpacks to 0.2 GB" in refusal(keras_file(content=zeros, compression=zipfile.ZIP_DEFLATED))
    assert "unpacks to 0.2 GB" in refusal(keras_file(" " * 200 * MB, compression=zipfile.ZIP_DEFLATED))
    assert "another file, '../evil', which is not part" in refusal(keras_file(**{"..__evil": b"x"}))
    model = load_whole(good / "model.keras")
    np.savez_compressed(tmp_path / "own.npz", np.zeros(50 * MB, np.float32))
    assert "unpacks to 0.2 GB" in refusal(tmp_path / "own.npz", lambda path: load_file(model, path))


def test_an_archive_that_is_larger_than_the_memory_is_refused(good, monkeypatch):
    monkeypatch.setattr("dreamscripts.networks.file_checks.free_memory", lambda: 1000)
    assert "GB of memory, and 0.0 GB are free" in refusal(good / "model.keras")


def test_a_header_that_promises_too_much_costs_no_memory(good, tmp_path):
    header = b"{'descr': '<f8', 'fortran_order': False, 'shape': (1000000000000,), }".ljust(117) + b"\n"
    data = b"\x93NUMPY\x01\x00v\x00" + header
    model = load_whole(good / "model.keras")
    with zipfile.ZipFile(tmp_path / "own.npz", "w") as archive:
        archive.writestr("conv/kernel.npy", data)
    assert "is damaged" in refusal(tmp_path / "own.npz", lambda path: load_file(model, path))
    (tmp_path / "own.npz").write_bytes(data)
    assert "is damaged" in refusal(tmp_path / "own.npz", lambda path: load_file(model, path))


class Code:
    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return os.system, (f"touch {self.path}",)


def test_pickles_are_not_opened(good, tmp_path):
    model = load_whole(good / "model.keras")
    np.savez(tmp_path / "own.npz", np.array([Code(tmp_path / "ran")], object))
    assert "is damaged" in refusal(tmp_path / "own.npz", lambda path: load_file(model, path))
    (tmp_path / "own.npz").write_bytes(pickle.dumps(Code(tmp_path / "ran")))
    assert "is damaged" in refusal(tmp_path / "own.npz", lambda path: load_file(model, path))
    assert not (tmp_path / "ran").exists()


def test_layers_with_more_weights_than_the_file_are_never_built(keras_file, good):
    path = keras_file(with_layer(good / "model.keras", "Dense", {"units": 10**9}))
    assert refusal(path) == "its layers have more weights than the file, which has 112 numbers"


@pytest.mark.parametrize(
    ("config", "says"),
    [
        ("{", "its config is damaged"),
        ("[1, 2]", "its config is damaged"),
        ('"text"', "its config is damaged"),
        ('{"class_name": 5, "config": {}}', "its config is damaged: class_name = 5"),
        ('{"a":' * 90_000 + "1" + "}" * 90_000, "its config is damaged"),
        ('{"a":' * 300 + "1" + "}" * 300, "its config is nested too deeply"),
        ('{"module": "keras.layers", "class_name": "Dense", "config": {"units": 3}}', "contains a Dense, not a model"),
        ('{"module": "keras", "class_name": "Functional", "config": {}}', "the class Functional, which is unknown"),
    ],
)
def test_a_damaged_config_is_one_line(config, says, keras_file):
    assert says in refusal(keras_file(config))


@pytest.mark.parametrize("value", ["many", -3, 10**400, None, [1], {"a": 1}])
def test_a_wrong_value_in_a_config_is_one_line(value, keras_file, good):
    config, _ = parts_of(good / "model.keras")
    config["config"]["layers"][1]["config"]["filters"] = value
    assert "cannot be loaded as a Keras model: " in (said := refusal(keras_file(config))) or "more weights" in said


def test_an_archive_without_its_parts_is_no_model(keras_file):
    assert refusal(keras_file(content=None)) == "is not a model that Keras saved as .keras, or is damaged"
    assert refusal(keras_file(content=b"abc")) == "is not a model that Keras saved as .keras, or is damaged"


def test_what_is_no_plain_file_is_refused_at_once(tmp_path, good):
    model = load_whole(good / "model.keras")
    (tmp_path / "folder.keras").mkdir()
    os.mkfifo(tmp_path / "pipe.h5")
    (tmp_path / "empty.keras").touch()
    for name, says in (("folder.keras", "is a folder"), ("pipe.h5", "is a pipe"), ("empty.keras", "empty")):
        assert says in refusal(tmp_path / name)
        assert says in refusal(tmp_path / name, lambda path: check_name(str(path)))
        assert says in refusal(tmp_path / name, lambda path: load_file(model, path))


@pytest.mark.parametrize("name", ["model.keras", "model.h5", "model.weights.h5", "model.npz"])
def test_a_file_that_was_cut_is_damaged(name, good, tmp_path):
    model = load_whole(good / "model.keras")
    whole = (good / name).read_bytes()
    for length in (4, len(whole) // 2, len(whole) - 1):
        path = tmp_path / name
        path.write_bytes(whole[:length])
        act = (lambda path: load_file(model, path)) if ".weights" in name or "npz" in name else build
        assert "damaged" in refusal(str(path), act)
