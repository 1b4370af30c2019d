import os
import subprocess
import sys
import time

import pytest
from conftest import BACKENDS, mistake

from dreamscripts.backends import startup
from dreamscripts.errors import DreamError

CACHES = (
    "JAX_COMPILATION_CACHE_DIR",
    "JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS",
    "TORCHINDUCTOR_CACHE_DIR",
    "TF_XLA_FLAGS",
)

COMPILE = """
from dreamscripts.backends import startup
startup.start_keras()
import numpy as np
from keras import ops
from dreamscripts.backends import compiling
run = compiling.compile_pass(lambda x: ops.stack([ops.sum(ops.exp(x @ np.ones((3, 3), "float32")))]), [], True)
print(float(run(np.ones((1, 8, 8, 3), "float32"))[0][0]))
"""


def compile_in_a_process(backend, home):
    """What a process that compiles with XLA prints, the answer and its stderr; and the files that are kept then."""
    env = os.environ | {"KERAS_BACKEND": backend, "XDG_CACHE_HOME": str(home)}
    for name in (*CACHES, "TF_CPP_MIN_LOG_LEVEL"):
        env.pop(name, None)
    done = subprocess.run([sys.executable, "-c", COMPILE], env=env, capture_output=True, text=True, check=True)
    files = (path for path in home.glob("dreamscripts/**/*") if path.is_file())
    kept = sorted(path.name for path in files if "atime" not in path.name)
    return float(done.stdout), done.stderr, kept


@pytest.mark.parametrize("backend", [name for name in BACKENDS if name != "torch"])
def test_what_is_compiled_is_loaded_by_the_next_process_without_a_word(backend, tmp_path):
    """The second process adds nothing to what is kept. The folder has a blank and a quote in its name."""
    first = compile_in_a_process(backend, tmp_path / "a person's home")
    assert compile_in_a_process(backend, tmp_path / "a person's home") == first
    _, stderr, kept = first
    assert stderr == ""
    assert kept


def test_a_process_started_by_a_command_is_as_silent(command_start):
    """It inherits the variables, and must not take them for those of the user, whose mistakes must be seen."""
    command_start()
    program = "from dreamscripts.backends import startup; startup.start_keras()"
    for flags, silent in ((os.environ["TF_XLA_FLAGS"], True), ("--tf_xla_no_such_flag=1", False)):
        env = os.environ | {"KERAS_BACKEND": "tensorflow", "TF_XLA_FLAGS": flags}
        done = subprocess.run([sys.executable, "-c", program], env=env, capture_output=True, text=True)
        assert (done.stderr == "") == silent


def test_a_backend_without_gradients_is_refused(command):
    done = command("layers", "pocket", env={"KERAS_BACKEND": "numpy"})
    assert "Keras cannot use the backend 'numpy': it gives no gradients" in mistake(done)
    assert "; the variable KERAS_BACKEND names this backend" in mistake(done)


IMPORT = """
import os, sys
before = dict(os.environ)
from dreamscripts import Evaluator, run
changed = {key for key in os.environ if os.environ[key] != before.get(key)}
print(sorted(key for key in changed if key.startswith(("TF_ENABLE", "TF_XLA", "JAX", "TORCH"))))
"""


def test_the_library_leaves_its_process_as_it_is():
    env = {key: value for key, value in os.environ.items() if not key.startswith(("TF_", "JAX"))}
    done = subprocess.run([sys.executable, "-c", IMPORT], env=env, capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"


@pytest.fixture
def command_start(monkeypatch, tmp_path):
    """What the start of a command sets: a function of what the run says of oneDNN."""
    for variable in (startup.ONEDNN, "TF_CPP_MIN_LOG_LEVEL", *CACHES):
        monkeypatch.setenv(variable, "to be restored")
        monkeypatch.delenv(variable)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))

    def start(onednn=None):
        startup.start_keras(onednn)
        return os.environ.pop(startup.ONEDNN)

    return start


def test_onednn_is_as_the_run_began_or_as_was_measured_or_on(command_start):
    assert command_start() == "1"
    startup.keep_onednn(False)
    assert command_start() == "0"
    assert command_start(True) == "1"
    startup.keep_onednn(True)
    assert command_start() == "1"
    assert command_start(False) == "0"


def test_what_the_user_has_set_stays(command_start, monkeypatch):
    monkeypatch.setenv(startup.ONEDNN, "0")
    assert command_start(True) == "0"


def test_what_was_compiled_long_ago_goes(command_start, tmp_path):
    command_start()
    (folder,) = tmp_path.glob("dreamscripts/compiled-*")
    assert os.environ["JAX_COMPILATION_CACHE_DIR"] == str(folder)
    for days in (1, 89, 91, 1000):
        (folder / str(days)).touch()
        os.utime(folder / str(days), (time.time() - days * 86_400,) * 2)
        (folder / "torch").mkdir(exist_ok=True)
        (folder / "torch" / f"inner {days}").touch()
        os.utime(folder / "torch" / f"inner {days}", (time.time() - days * 86_400,) * 2)
    command_start()
    kept = {path.name for path in folder.rglob("*") if path.is_file()}
    assert kept == {"1", "89", "inner 1", "inner 89"}


def test_a_cache_that_is_a_link_is_not_used(command_start, tmp_path):
    command_start()
    (folder,) = tmp_path.glob("dreamscripts/compiled-*")
    folder.rmdir()
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "old").touch()
    os.utime(tmp_path / "mine" / "old", (0, 0))
    folder.symlink_to(tmp_path / "mine")
    for variable in CACHES:
        del os.environ[variable]
    command_start()
    assert (tmp_path / "mine" / "old").exists()
    assert not os.environ.keys() & {*CACHES}


def test_a_library_that_fails_is_named_in_one_line(command_start, monkeypatch):
    def device():
        raise RuntimeError("Unable to initialize\n  the backend")

    monkeypatch.delenv("KERAS_BACKEND", raising=False)
    monkeypatch.setattr(startup.host, "device", device)
    with pytest.raises(DreamError, match=r"^Keras cannot use the backend '.*': .*Unable to initialize the backend$"):
        command_start()


def test_a_limit_of_memory_is_said_before_the_backend_ends_the_process(command_start, monkeypatch):
    monkeypatch.setenv("KERAS_BACKEND", "tensorflow")
    monkeypatch.setattr(startup.host, "address_space", lambda: 2_000_000_000)
    with pytest.raises(
        DreamError, match=r"may use 2\.0 GB of address space, but tensorflow needs 2\.5 GB; raise the lim"
    ):
        command_start()


def test_a_limit_of_threads_is_said_before_the_backend_ends_the_process(command_start, monkeypatch):
    def start(self):
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(startup.threading.Thread, "start", start)
    with pytest.raises(DreamError, match=r"cannot start 16 threads; raise the limit of processes \(ulimit -u"):
        command_start()


def test_a_home_that_cannot_be_written_is_no_hindrance(command_start, monkeypatch, tmp_path):
    (tmp_path / "file").write_text("in the way")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))
    assert command_start() == "1"
    assert not os.environ.keys() & {*CACHES}


LIBRARIES = """
import sys
from dreamscripts.backends import startup
startup.start_keras()
import keras
keras.layers.Conv2D(3, 3).get_config()
print(sorted({"matplotlib", "IPython", "cv2", "jax", "tensorflow", "torch"} & sys.modules.keys()))
import matplotlib.pyplot
"""


@pytest.mark.parametrize("backend", BACKENDS)
def test_a_command_imports_one_backend_and_nothing_that_it_does_not_use(backend):
    """Also if all of them are installed. Later imports work."""
    env = os.environ | {"KERAS_BACKEND": backend}
    done = subprocess.run([sys.executable, "-c", LIBRARIES], env=env, capture_output=True, text=True, check=True)
    assert done.stdout == f"{[backend]}\n"
