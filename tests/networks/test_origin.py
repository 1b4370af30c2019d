"""The origin in the metadata of a model file: it survives, it names the preprocessing, and it may be damaged."""

import json
import zipfile

import keras
import numpy as np
import pytest
from small_teachers import chain

from dreamscripts.errors import NetworkError
from dreamscripts.networks.loading import build, load_network
from dreamscripts.networks.origin import read_origin, save_with_origin

ORIGIN = {"preprocessing": "torch", "teacher": "größer", "layers": ["conv2", "conv3"], "agreement": {"conv3": 0.5}}


@pytest.fixture
def file(tmp_path):
    save_with_origin(chain(), tmp_path / "small.keras", ORIGIN)
    return tmp_path / "small.keras"


def with_metadata(file, content):
    """Write the file again with other metadata, or without."""
    with zipfile.ZipFile(file) as archive:
        entries = {entry: archive.read(entry) for entry in archive.namelist() if entry != "metadata.json"}
    with zipfile.ZipFile(file, "w") as archive:
        for name, data in (entries | ({} if content is None else {"metadata.json": content})).items():
            archive.writestr(name, data)


def test_a_saved_model_has_its_origin_and_its_preprocessing(file):
    assert read_origin(file) == ORIGIN
    network = load_network(str(file), layers=["conv3"])
    assert network.preprocessing.name == "torch"
    expected = chain()
    assert np.array_equal(network.model.get_layer("conv3").kernel, expected.get_layer("conv3").kernel)


def test_settings_may_name_another_preprocessing(file):
    assert load_network(str(file), layers=["conv3"], preprocessing="tf").preprocessing.name == "tf"


def test_keras_itself_opens_the_file_and_forgets_the_origin(file, tmp_path):
    model = keras.saving.load_model(file, compile=False)
    model.save(tmp_path / "again.keras")
    assert read_origin(tmp_path / "again.keras") is None
    with pytest.raises(NetworkError, match="the preprocessing of this model is unknown"):
        load_network(str(tmp_path / "again.keras"), layers=["conv3"])


@pytest.mark.parametrize("content", [None, b"[1]", b"{", b'{"dreamscripts": 3}', b"[" * 100_000, b" " * 2_000_000])
def test_other_metadata_is_no_origin(file, content):
    with_metadata(file, content)
    assert read_origin(file) is None
    build(str(file))


@pytest.mark.parametrize("origin", [{}, {"preprocessing": "other"}, {"preprocessing": ["tf"]}])
def test_an_origin_without_a_known_preprocessing_is_refused(file, origin):
    with_metadata(file, json.dumps({"dreamscripts": origin}))
    with pytest.raises(NetworkError, match=r"small\.keras: its metadata is damaged"):
        load_network(str(file), layers=["conv3"])


def test_files_of_other_formats_have_no_origin(tmp_path):
    assert read_origin(tmp_path / "model.h5") is None


def test_a_file_that_cannot_be_written_is_an_error_and_changes_nothing(file):
    from dreamscripts.errors import OutputError

    with pytest.raises(OutputError):
        save_with_origin(chain(), file / "small.keras", ORIGIN)
    assert read_origin(file) == ORIGIN
