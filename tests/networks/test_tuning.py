import json
from dataclasses import replace

import keras
import pytest
from conftest import BACKENDS, changed

from dreamscripts.dreams import prepare
from dreamscripts.networks import tuning
from dreamscripts.networks.loading import load_network
from dreamscripts.networks.rewrite.winograd import WinogradConv2D
from dreamscripts.networks.tuning import Choices, Kind, Trial, choose, decide, kinds_of
from dreamscripts.runs.run import resume, run

SIZE = 400, 400
ENOUGH = 2 * tuning.LONG


@pytest.fixture(autouse=True)
def home(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return tmp_path / "cache"


@pytest.fixture(scope="module")
def network():
    return load_network("pocket", layers=["block3_conv1"])


@pytest.fixture
def timed(monkeypatch):
    """What is timed on a machine on which Winograd gains from 10 on."""
    kinds = []

    def time_layer(kind):
        kinds.append(kind)
        return 1.0, 0.5 if kind.gain >= 10 else 2.0

    monkeypatch.setattr(tuning, "time_layer", time_layer)
    return kinds


def passes_of(network):
    return int(ENOUGH / network.multiplications(*SIZE))


VGG16 = [
    Kind(c, o, 100, 100) for c, o in ((3, 64), (64, 64), (64, 128), (128, 128), (128, 256), (256, 256), (512, 512))
]


@pytest.mark.parametrize("least", [0, 2.9, 33, 43, 80, 200, 1000])
def test_few_layers_are_timed_to_find_where_winograd_gains(least):
    timed = []

    def time_layer(kind):
        timed.append(kind)
        return 1.0, 0.5 if kind.gain >= least else 2.0

    choices = decide(VGG16[::-1], time_layer)
    assert choices.winograd_from == min((kind.gain for kind in VGG16 if kind.gain >= least), default=None)
    assert not choices.xla  # which compiles for longer than a trial may take
    assert 2 <= len(timed) == len(set(timed)) <= 3
    assert [trial.winograd for trial in choices.trials] == [0.5 if kind.gain >= least else 2.0 for kind in timed]


def test_kinds_are_the_networks_own_at_the_size_where_they_come_first():
    network = load_network("vgg16", "random", ["block3_conv3"])
    assert kinds_of(network, 400, 300) == [
        Kind(3, 64, 400, 300),
        Kind(64, 64, 400, 300),
        Kind(64, 128, 200, 150),
        Kind(128, 128, 200, 150),
        Kind(128, 256, 100, 75),
        Kind(256, 256, 100, 75),
    ]


def test_a_long_run_tries_once_and_later_runs_know(network, timed):
    first = choose(network, *SIZE, passes_of(network))
    assert first.winograd_from >= 10
    assert timed
    timed.clear()
    assert choose(network, *SIZE, passes_of(network)) == choose(network, *SIZE, 1) == first
    assert not timed


def test_a_short_run_tries_nothing(network, timed):
    assert choose(network, *SIZE, 1) == tuning.safe()
    assert not timed


def test_only_a_long_run_takes_xla(network, timed):
    kept = Choices(True, 32.0, (Trial("a layer", 1.0, 0.5),))
    tuning.keep(network, kinds_of(network, *SIZE), kept)
    assert choose(network, *SIZE, passes_of(network)) == kept
    assert choose(network, *SIZE, 1) == replace(kept, xla=False)


def test_an_answer_is_for_one_network_backend_and_version(network, timed, monkeypatch):
    choose(network, *SIZE, passes_of(network))
    for name, value in (("network", replace(network, name="other")), ("version", network), ("kinds", None)):
        timed.clear()
        if name == "version":
            monkeypatch.setattr(tuning, "installed", lambda package: "99.0")
        other = value or load_network("pocket", layers=["block2_conv1"])
        choose(other, *SIZE, int(ENOUGH / other.multiplications(*SIZE)))
        assert timed, name


@pytest.mark.parametrize("damaged", [None, [], {}, {"xla": 1}, {"xla": False, "winograd_from": "x", "trials": []}])
def test_a_damaged_answer_is_tried_again(damaged, network, timed, home):
    kinds = kinds_of(network, *SIZE)
    tuning.keep(network, kinds, Choices())
    (path,) = (path for path in home.rglob("*") if path.is_file())
    path.write_text(json.dumps(json.loads(path.read_text()) | {"answer": damaged}))
    assert tuning.recall(network, kinds) is None
    assert choose(network, *SIZE, passes_of(network)).trials


def test_on_a_gpu_nothing_is_tried(network, timed, monkeypatch):
    monkeypatch.setattr(tuning.host, "on_gpu", lambda: True)
    assert choose(network, *SIZE, passes_of(network)) == Choices()
    assert not timed


def test_a_network_without_such_layers_needs_no_trial(timed):
    inputs = keras.Input((None, None, 3))
    model = keras.Model(inputs, {"conv": keras.layers.Conv2D(8, 5, name="conv")(inputs)})
    network = replace(load_network("pocket", layers=["block1_conv1"]), model=model)
    assert not choose(network, *SIZE, 10**9).trials
    assert not timed


def test_a_layer_is_timed_by_the_best_of_a_few_passes_each_way():
    ticks = iter([0, 0, *(0, 5, 0, 9), *(0, 3, 0, 8), *(0, 4, 0, 7)])  # the first of each compiles and is not timed
    assert tuning.time_layer(Kind(4, 6, 20, 24), lambda: next(ticks)) == (3, 7)


def test_choices_survive_the_record():
    choices = Choices(True, 42.5, (Trial("64→128 at 200×200", 0.05, 0.04),))
    for one in (choices, Choices(), Choices(precision="tf32")):
        assert Choices.read(json.loads(json.dumps(one.record()))) == one


def test_a_resumed_run_computes_as_it_began(photo, settings, tmp_path, monkeypatch, home, timed):
    """Whatever the cache says by then: its bytes are those of a run without a break."""
    settings = changed(settings, optimizer={"iterations": 2})
    computed = []
    build = prepare.build_evaluator

    def built(*arguments, **options):
        evaluator = build(*arguments, **options)
        layers = evaluator.network.model.layers
        computed.append([layer.name for layer in layers if isinstance(layer, WinogradConv2D)])
        return evaluator

    monkeypatch.setattr(prepare, "build_evaluator", built)
    network = prepare.open_network(settings)
    kinds = kinds_of(network, *SIZE)
    every, none = Choices(winograd_from=0.0), Choices()
    tuning.keep(network, kinds, every)
    list(run(photo, settings, tmp_path / "whole"))
    for _ in run(photo, settings, tmp_path / "broken"):
        break
    tuning.keep(network, kinds, none)
    list(resume(tmp_path / "broken"))
    list(run(photo, settings, tmp_path / "other"))
    assert computed[0] == computed[1] == computed[2] != computed[3] == []
    whole, broken = ((tmp_path / name / "iteration_002.png").read_bytes() for name in ("whole", "broken"))
    assert whole == broken
    recorded = [json.loads((tmp_path / name / "run.json").read_text())["choices"] for name in ("whole", "broken")]
    assert recorded[0] == recorded[1]
    assert Choices.read(recorded[0]) == replace(every, precision="float32")  # which "auto" is on a CPU


def time_some():
    """Seconds of one layer each way, after which others are decided by their times."""
    seconds = tuning.time_layer(Kind(8, 12, 40, 48))
    decide([Kind(8, filters, 40, 48) for filters in range(2, 10)], tuning.time_layer)
    return seconds


@pytest.mark.parametrize("backend", BACKENDS)
def test_every_backend_can_be_tried_without_a_word(backend, on_backend):
    assert all(seconds > 0 for seconds in on_backend(backend, time_some, silent=True))


@pytest.mark.parametrize(
    "change",
    [
        {"xla": "false"},
        {"xla": 0},
        {"winograd_from": True},
        {"winograd_from": -1},
        {"winograd_from": float("nan")},
        {"winograd_from": "50"},
        {"trials": [{"layer": 3, "direct": 1.0, "winograd": 1.0}]},
        {"trials": [{"layer": "a", "direct": "1", "winograd": 1.0}]},
        {"trials": [{"layer": "a", "direct": 1.0, "winograd": float("inf")}]},
        {"trials": [{"layer": "a"}]},
        {"trials": 5},
        {"precision": "float16"},
        {"precision": ["tf32"]},
    ],
)
def test_choices_of_other_types_in_the_cache_are_ignored(network, change, monkeypatch):
    saved = Choices(True, 5.0, (Trial("a", 1.0, 2.0),)).record()
    monkeypatch.setattr(tuning.cache, "recall", lambda key: saved | change)
    assert tuning.recall(network, []) is None
    monkeypatch.setattr(tuning.cache, "recall", lambda key: saved)
    assert tuning.recall(network, []).record() == saved
