import os
import subprocess
import sys
import time

import pytest
from conftest import BACKENDS, mistake

COMPILE = """
from dreamscripts import waking
waking.wake()
import numpy as np
from keras import ops
from dreamscripts import backends
run = backends.compile_pass(lambda x: ops.stack([ops.sum(ops.exp(x @ np.ones((3, 3), "float32")))]), [], True)
print(float(run(np.ones((1, 8, 8, 3), "float32"))[0][0]))
"""


@pytest.mark.parametrize("backend", [name for name in BACKENDS if name != "torch"])
def test_what_xla_compiles_is_kept(backend, tmp_path):
    """A second process finds it and adds nothing to it."""
    env = os.environ | {"KERAS_BACKEND": backend, "XDG_CACHE_HOME": str(tmp_path / "a home")}
    env |= {"JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS": "0"}
    for variable in ("JAX_COMPILATION_CACHE_DIR", "TF_XLA_FLAGS"):
        env.pop(variable, None)
    answers, kept = [], []
    for _ in range(2):
        done = subprocess.run([sys.executable, "-c", COMPILE], env=env, capture_output=True, text=True, check=True)
        answers.append(float(done.stdout))
        kept.append(sorted(path.name for path in tmp_path.rglob("*") if path.is_file() and "atime" not in path.name))
    assert answers[0] == answers[1]
    assert kept[0] == kept[1] != []


def test_a_backend_without_gradients_is_refused(command):
    done = command("layers", "pocket", env={"KERAS_BACKEND": "numpy"})
    assert "Keras cannot use the backend 'numpy': it gives no gradients" in mistake(done)


def test_what_the_user_has_set_stays(monkeypatch, tmp_path):
    from dreamscripts import waking

    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setenv("TF_XLA_FLAGS", "--tf_xla_auto_jit=2")
    monkeypatch.delenv("JAX_COMPILATION_CACHE_DIR", raising=False)
    waking._keep_what_is_compiled()
    assert os.environ["TF_XLA_FLAGS"] == "--tf_xla_auto_jit=2"
    assert os.environ.pop("JAX_COMPILATION_CACHE_DIR").startswith(str(tmp_path))


def test_what_was_compiled_long_ago_goes(monkeypatch, tmp_path):
    from dreamscripts import waking

    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    waking._keep_what_is_compiled()
    (folder,) = tmp_path.glob("dreamscripts/compiled-*")
    for days in (1, 89, 91, 1000):
        (folder / str(days)).touch()
        os.utime(folder / str(days), (time.time() - days * 86_400,) * 2)
    waking._keep_what_is_compiled()
    assert sorted(path.name for path in folder.iterdir()) == ["1", "89"]


def test_a_home_that_cannot_be_written_is_no_hindrance(monkeypatch, tmp_path):
    from dreamscripts import waking

    (tmp_path / "file").write_text("in the way")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))
    monkeypatch.delenv("JAX_COMPILATION_CACHE_DIR", raising=False)
    waking._keep_what_is_compiled()
    assert "JAX_COMPILATION_CACHE_DIR" not in os.environ
