"""Keras's configuration while networks are built, in one thread and in two."""

import threading
from concurrent.futures import ThreadPoolExecutor

import keras
import pytest

from dreamscripts.networks.layers import describe_layers
from dreamscripts.networks.loading import build, load_network
from dreamscripts.networks.plain_keras import plain_keras


def configuration():
    return keras.config.image_data_format(), keras.config.floatx()


@pytest.fixture
def configured():
    """A configuration of the user's own."""
    before = configuration()
    keras.config.set_image_data_format("channels_first")
    keras.config.set_floatx("float16")
    yield configuration()
    keras.config.set_image_data_format(before[0])
    keras.config.set_floatx(before[1])


def test_a_second_thread_builds_in_the_default_configuration_too(configured):
    entered, tried = threading.Event(), threading.Event()

    def first():
        with plain_keras():
            entered.set()
            tried.wait(10)
            threading.Event().wait(0.2)  # until the other thread is inside, or waits

    def second():
        entered.wait(10)
        tried.set()
        with plain_keras():
            threading.Event().wait(0.4)
            layer = keras.layers.Conv2D(2, 1)
            return layer.name, layer.data_format, layer.compute_dtype

    with ThreadPoolExecutor(2) as threads:
        threads.submit(first)
        assert threads.submit(second).result() == ("conv2d", "channels_last", "float32")
    assert configuration() == configured


def test_two_threads_load_networks_with_the_right_names_and_types(configured):
    with ThreadPoolExecutor(2) as threads:
        one, other = threads.map(build, ["inception_v3"] * 2)
        pocket, _ = threads.map(lambda layer: load_network("pocket", layers=[layer]), ["block1_conv1", "block2_conv1"])
    names = [[facts.name for facts in describe_layers(model)] for model in (one, other)]
    assert names[0] == names[1]
    assert {"conv2d", "conv2d_93"} <= set(names[0])
    assert {weight.dtype for model in (one, other, pocket.model) for weight in model.weights} == {"float32"}
    assert configuration() == configured
