"""Fixtures for all tests: small pictures, settings, processes and the command."""

import logging
import os
import signal
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path
from unittest.mock import patch

import numpy as np
import pytest
from backend_process import BackendProcess
from hypothesis import settings as examples
from PIL import Image
from xdist.scheduler import LoadFileScheduling

from dreamscripts.backends import startup
from dreamscripts.registry import OPTIMIZERS
from dreamscripts.scripts import main
from dreamscripts.scripts.signals import STOPS
from dreamscripts.settings.schema import Settings

# The same tree gives the same answer every time. --hypothesis-profile=random tries other examples. There is no
# deadline, because the time of an example says little on a busy machine.
examples.register_profile("random", deadline=None)
examples.register_profile("same", deadline=None, derandomize=True)
examples.load_profile("same")

BACKENDS = [name for name in ("tensorflow", "jax", "torch") if find_spec(name)]
os.environ.setdefault(startup.ONEDNN, "1")  # as in a command: some tests compare the bytes of both
os.environ.update(startup.SHARING)  # the tests run in several processes, which may share a GPU
NO_KERAS = {"KERAS_BACKEND": "none of them"}  # with this environment, a process that imports Keras fails
SHARED = Path(__file__).parents[2] / "shared"  # real photographs and weights, only on some machines


class FilesAndBackends(LoadFileScheduling):
    """Give each worker whole files. Give one worker all tests with "backend" in their names.

    Only this worker then starts a process for each backend.
    """

    def _split_scope(self, nodeid):
        return "backends" if "backend" in nodeid.rpartition("::")[2] else super()._split_scope(nodeid)


def pytest_xdist_make_scheduler(config, log):
    return FilesAndBackends(config, log)


@pytest.fixture(autouse=True, scope="session")
def own_cache(tmp_path_factory):
    """Use an empty cache, so that the tests neither read nor change the measurements of this machine."""
    with pytest.MonkeyPatch.context() as monkeypatch:
        monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.mktemp("cache")))
        yield


@pytest.fixture(autouse=True)
def own_signals():
    """Let signals do what they usually do. A command changes this for its process, and nohup for those it starts."""
    for number in STOPS:
        signal.signal(number, signal.default_int_handler if number == signal.SIGINT else signal.SIG_DFL)


@pytest.fixture
def rng() -> np.random.Generator:
    return np.random.default_rng(0)


@pytest.fixture
def picture(rng) -> np.ndarray:
    """Return a small smooth picture: float32 (48, 64, 3)."""
    y, x = np.mgrid[0:48, 0:64]
    waves = [np.sin(x / 7 + phase) * np.cos(y / 5 - phase) for phase in (0, 1, 2)]
    return (127.5 + 90 * np.stack(waves, axis=2) + rng.normal(0, 5, (48, 64, 3))).clip(0, 255).astype(np.float32)


@pytest.fixture
def settings() -> Settings:
    """Return settings for four fast iterations on the first layers of pocket."""
    return Settings(
        features={"block2_conv1": 0.05},
        penalties={"continuity": 0.1, "dream_l2": 0.02},
        jitter={"noise": 3},
        optimizer={"iterations": 4, "passes": 3},
    )


@pytest.fixture(scope="session")
def networks_and_passes():
    """Return the networks and the compiled passes that `compiled_once` shares."""
    return {}, {}


@pytest.fixture
def compiled_once(monkeypatch, networks_and_passes):
    """Let dreams with the same network, loss and jitter share compiled functions, because compiling takes seconds."""
    from dreamscripts.dreams import prepare

    open_network, build_evaluator = prepare.open_network, prepare.build_evaluator
    networks, passes = networks_and_passes

    def key_of(settings):
        return settings.model_dump_json(exclude={"optimizer", "octaves", "size", "start"})

    def opened(settings, loss):
        assert loss is None  # the loss must be that of the settings
        key = key_of(settings)
        if key not in networks:
            networks[key] = open_network(settings)
        return networks[key]

    def built(network, settings, *size, choices, **options):
        evaluator = build_evaluator(network, settings, *size, choices=choices, **options)
        key = key_of(settings), repr(choices)
        evaluator._functions = passes.setdefault(key, evaluator._functions)
        if evaluator._in_tiles:
            evaluator._in_tiles._run = passes.setdefault((*key, "tiles"), evaluator._in_tiles._run)
        return evaluator

    monkeypatch.setattr(prepare, "open_network", opened)
    monkeypatch.setattr(prepare, "build_evaluator", built)


@pytest.fixture
def photo(picture, tmp_path) -> Path:
    """Save the picture as a JPEG file in a separate folder, and return its path."""
    path = tmp_path / "pictures" / "photo.jpg"
    path.parent.mkdir()
    Image.fromarray(picture.astype(np.uint8)).save(path, quality=95)
    return path


@pytest.fixture(scope="session")
def googlenet_graph(tmp_path_factory) -> Path:
    """Write GoogLeNet's frozen graph with random weights, and return its path."""
    import frozen_graph

    path = tmp_path_factory.mktemp("googlenet") / "tensorflow_inception_graph.pb"
    path.write_bytes(frozen_graph.build().SerializeToString())
    return path


@pytest.fixture(scope="session")
def on_backend(tmp_path_factory):
    """Run a function of a test module on a Keras backend: `on_backend("jax", function, *arguments)`.

    Each backend has one process, which is started at its first use.
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
    """Return a function that runs `dreamscripts …` in a new process, in an empty working directory."""
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
    """Return a function like `command` that runs in this process, without the seconds to import Keras."""
    folder = tmp_path / "work"
    folder.mkdir(exist_ok=True)
    log = logging.getLogger("dreamscripts")  # a command changes its handlers
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
    """Make every command fail that starts Keras."""

    def start_keras(*arguments):
        raise AssertionError("started Keras")

    monkeypatch.setattr(startup, "start_keras", start_keras)


def changed(settings: Settings, **changes) -> Settings:
    """Return the settings with some values replaced. Tables other than `features` are changed key by key."""
    before = settings.model_dump(exclude_none=True)
    for key, value in changes.items():
        before[key] = before.get(key, {}) | value if isinstance(value, dict) and key != "features" else value
    optimizer = before["optimizer"]  # remove keys of the old optimizer if the name has changed
    own = OPTIMIZERS[optimizer["name"]].settings.model_fields
    before["optimizer"] = {key: value for key, value in optimizer.items() if key in own}
    return Settings.model_validate(before)


def ended_with(code: int | None, done: subprocess.CompletedProcess) -> subprocess.CompletedProcess:
    """Return a finished command, after checking its exit code unless `code` is None."""
    if code is not None:
        assert done.returncode == code, done.stderr + done.stdout
    return done


def mistake(done) -> str:
    """Check that a command ended with a user error, and return its one-line message."""
    assert done.returncode == 2, done.stderr + done.stdout
    (line,) = done.stderr.splitlines()
    assert line.startswith("dreamscripts: ")
    return line


def shared(name: str) -> Path:
    """Return the path of a shared file, or skip the test if the file does not exist."""
    path = SHARED / name
    if not path.is_file():
        pytest.skip(f"{name} is not on this machine")
    return path
