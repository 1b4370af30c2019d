"""What the tests share: small pictures, small networks, the photographs where there are any."""

import logging
import os
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path
from unittest.mock import patch

import numpy as np
import pytest
from backend_process import BackendProcess
from PIL import Image
from xdist.scheduler import LoadFileScheduling

from dreamscripts.backends import startup
from dreamscripts.benchmarks.process import SHARING
from dreamscripts.registry import OPTIMIZERS
from dreamscripts.scripts import main
from dreamscripts.settings.schema import Settings

BACKENDS = [name for name in ("tensorflow", "jax", "torch") if find_spec(name)]
os.environ.setdefault(startup.ONEDNN, "1")  # as in a command: some tests compare its bytes with those made here
os.environ.update(SHARING)  # the tests run in several processes, which may have one GPU
NO_KERAS = {"KERAS_BACKEND": "none of them"}  # with it in its environment, a process fails that imports Keras
SHARED = Path(__file__).parents[2] / "shared"  # real photographs and weights, on the project's own machines only


class FilesAndBackends(LoadFileScheduling):
    """Give a worker whole files, and give one of them all tests whose names speak of backends.

    Only that one then starts a process for each backend.
    """

    def _split_scope(self, nodeid):
        return "backends" if "backend" in nodeid.rpartition("::")[2] else super()._split_scope(nodeid)


def pytest_xdist_make_scheduler(config, log):
    return FilesAndBackends(config, log)


@pytest.fixture(autouse=True, scope="session")
def own_cache(tmp_path_factory):
    """Nothing that was measured on this machine before has a say, and nothing is kept beyond the tests."""
    with pytest.MonkeyPatch.context() as monkeypatch:
        monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.mktemp("cache")))
        yield


@pytest.fixture
def rng() -> np.random.Generator:
    return np.random.default_rng(0)


@pytest.fixture
def picture(rng) -> np.ndarray:
    """A small smooth picture: float32 (48, 64, 3)."""
    y, x = np.mgrid[0:48, 0:64]
    waves = [np.sin(x / 7 + phase) * np.cos(y / 5 - phase) for phase in (0, 1, 2)]
    return (127.5 + 90 * np.stack(waves, axis=2) + rng.normal(0, 5, (48, 64, 3))).clip(0, 255).astype(np.float32)


@pytest.fixture
def settings() -> Settings:
    """Four quick iterations on pocket's first layers."""
    return Settings(
        features={"block2_conv1": 0.05},
        penalties={"continuity": 0.1, "dream_l2": 0.02},
        jitter={"noise": 3},
        optimizer={"iterations": 4, "passes": 3},
    )


@pytest.fixture(scope="session")
def networks_and_passes():
    """What `compiled_once` shares."""
    return {}, {}


@pytest.fixture
def compiled_once(monkeypatch, networks_and_passes):
    """Dreams of the same network and loss share them and the compiled pass, which takes longer than a small dream."""
    from dreamscripts.dreams import prepare

    open_network, build_evaluator = prepare.open_network, prepare.build_evaluator
    networks, passes = networks_and_passes

    def key_of(settings):
        return settings.model_dump_json(exclude={"optimizer", "octaves", "jitter", "tiles", "size", "start"})

    def opened(settings, loss):
        assert loss is None  # one that is no part of the settings
        key = key_of(settings)
        if key not in networks:
            networks[key] = open_network(settings)
        return networks[key]

    def built(network, settings, *size, choices, **options):
        evaluator = build_evaluator(network, settings, *size, choices=choices, **options)
        evaluator._run = passes.setdefault((key_of(settings), repr(choices)), evaluator._run)
        return evaluator

    monkeypatch.setattr(prepare, "open_network", opened)
    monkeypatch.setattr(prepare, "build_evaluator", built)


@pytest.fixture
def photo(picture, tmp_path) -> Path:
    """The same picture, as a JPEG file in a folder of its own."""
    path = tmp_path / "pictures" / "photo.jpg"
    path.parent.mkdir()
    Image.fromarray(picture.astype(np.uint8)).save(path, quality=95)
    return path


@pytest.fixture(scope="session")
def googlenet_graph(tmp_path_factory) -> Path:
    """The file of GoogLeNet's frozen graph, with random weights."""
    import frozen_graph

    path = tmp_path_factory.mktemp("googlenet") / "tensorflow_inception_graph.pb"
    path.write_bytes(frozen_graph.build().SerializeToString())
    return path


@pytest.fixture(scope="session")
def on_backend(tmp_path_factory):
    """Run a function of a test module on a Keras backend: `on_backend("jax", function, *arguments)`.

    Each backend has one process, which is started when it is first needed.
    """
    processes = {}

    def run(backend, program, *arguments, silent=False):
        if backend not in processes:
            processes[backend] = BackendProcess(backend, tmp_path_factory.mktemp(backend))
        return processes[backend].run(program, *arguments, silent=silent)

    yield run
    for process in processes.values():
        process.end()


@pytest.fixture
def command(tmp_path):
    """Run `dreamscripts …` in a process of its own, in an empty working directory."""
    folder = tmp_path / "work"
    folder.mkdir(exist_ok=True)

    def run(*arguments, env=None, check=None, **options) -> subprocess.CompletedProcess:
        done = subprocess.run(
            [sys.executable, "-m", "dreamscripts", *map(str, arguments)],
            cwd=folder,
            env=os.environ | (env or {}),
            capture_output=True,
            text=True,
            **options,
        )
        return ended_with(check, done)

    run.folder = folder
    return run


@pytest.fixture
def command_here(tmp_path, monkeypatch, capsys):
    """Do as `command`, but in this process, and leave it as it was: a process would take seconds to import Keras."""
    folder = tmp_path / "work"
    folder.mkdir(exist_ok=True)
    log = logging.getLogger("dreamscripts")  # which a command makes its own
    monkeypatch.setattr(log, "handlers", [])
    monkeypatch.setattr(log, "propagate", log.propagate)

    def run(*arguments, check=None) -> subprocess.CompletedProcess:
        monkeypatch.chdir(folder)
        monkeypatch.setattr(sys, "argv", ["dreamscripts", *map(str, arguments)])
        with pytest.raises(SystemExit) as ended:
            main()
        done = subprocess.CompletedProcess(arguments, ended.value.code or 0, *capsys.readouterr())
        return ended_with(check, done)

    run.folder = folder
    with patch.dict(os.environ):
        yield run


@pytest.fixture
def asleep(monkeypatch):
    """A command that gets as far as starting Keras fails."""

    def start_keras(*arguments):
        raise AssertionError("started Keras")

    monkeypatch.setattr(startup, "start_keras", start_keras)


def changed(settings: Settings, **changes) -> Settings:
    """The same settings with other values in place of some; a table is changed key by key."""
    before = settings.model_dump(exclude_none=True)
    for key, value in changes.items():
        before[key] = before.get(key, {}) | value if isinstance(value, dict) and key != "features" else value
    optimizer = before["optimizer"]  # which may be another than before, with other keys
    own = OPTIMIZERS[optimizer["name"]].settings.model_fields
    before["optimizer"] = {key: value for key, value in optimizer.items() if key in own}
    return Settings.model_validate(before)


def ended_with(code: int | None, done: subprocess.CompletedProcess) -> subprocess.CompletedProcess:
    """A command that is done, with that exit code where one is asked for."""
    if code is not None:
        assert done.returncode == code, done.stderr + done.stdout
    return done


def mistake(done) -> str:
    """The one line that a mistake is answered with."""
    assert done.returncode == 2, done.stderr + done.stdout
    (line,) = done.stderr.splitlines()
    assert line.startswith("dreamscripts: ")
    return line


def shared(name: str) -> Path:
    """A file on the project's machines; the test is skipped elsewhere."""
    path = SHARED / name
    if not path.is_file():
        pytest.skip(f"{name} is not on this machine")
    return path
