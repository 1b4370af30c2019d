"""Start Keras in the process of a command: set the environment, hide start-up messages, check the backend.

Only commands use this module. The library does not change the process.
"""

import hashlib
import importlib.metadata
import os
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager

from dreamscripts.backends import cache, host
from dreamscripts.errors import DreamError

BACKENDS = ("tensorflow", "jax", "torch")
KEPT = 90 * 24 * 3600  # seconds after which compiled code is deleted, because every picture size adds a file
ONEDNN = "TF_ENABLE_ONEDNN_OPTS"  # TensorFlow reads it only when it is imported


def start_keras(onednn: bool | None = None) -> None:
    """Import Keras and its backend and find the device, without messages on stderr unless the import fails.

    `onednn` switches TensorFlow's oneDNN on or off. With None, the faster setting is used if `bench` measured it on
    this machine. Otherwise oneDNN is on. Raises DreamError if KERAS_BACKEND names a backend that cannot be used.
    """
    _prepare(measured_onednn() if onednn is None else onednn)
    try:
        with _hidden_stderr():
            import keras

            if keras.backend.backend() not in BACKENDS:
                raise ValueError(f"it gives no gradients; use {', '.join(BACKENDS)}")
            from dreamscripts.backends import host

            host.device()
    except (ImportError, ValueError) as error:
        chosen = os.environ.get("KERAS_BACKEND", "tensorflow")
        raise DreamError(f"Keras cannot use the backend '{chosen}': {error}") from None


def measured_onednn() -> bool:
    """Return whether TensorFlow is faster with oneDNN on this machine. True if `bench` has not measured it."""
    return cache.recall(_onednn_key()) is not False


def keep_onednn(faster: bool) -> None:
    """Save whether TensorFlow is faster with oneDNN, for later starts on this machine."""
    cache.keep(_onednn_key(), faster)


def _onednn_key() -> cache.Key:
    return {"what": "oneDNN", **host.machine(), "tensorflow": installed("tensorflow")}


def installed(package: str) -> str:
    """Return the version of a package without importing it, or "unknown" if it is installed under another name."""
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return "unknown"


def _prepare(onednn: bool) -> None:
    """Set the variables that the backends read when they are imported. Values that the user has set are not changed."""
    os.environ.setdefault(ONEDNN, str(int(onednn)))
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    _set_jax_cache()


def _set_jax_cache() -> None:
    """Let JAX save its compiled code, which more than halves the time of the first pass in later runs.

    TensorFlow's XLA can save its code, too, but then prints pages of warnings on stderr that cannot be turned off.
    """
    try:
        # One folder per processor type: machines that share a home directory may not run each other's code.
        kind = hashlib.sha256(host.processor().encode()).hexdigest()[:8]
        folder = cache.cache_folder() / f"compiled-{kind}"
        folder.mkdir(parents=True, exist_ok=True)
        for path in folder.iterdir():
            if time.time() - path.stat().st_mtime > KEPT:
                path.unlink(missing_ok=True)
    except (OSError, RuntimeError):  # no home directory, or one that cannot be written
        return
    os.environ.setdefault("JAX_COMPILATION_CACHE_DIR", str(folder))


@contextmanager
def _hidden_stderr() -> Iterator[None]:
    """Hide messages of native code on stderr, and print them if an unexpected error is raised.

    TensorFlow prints lines about CUDA and oneDNN at every start, some marked as errors, before its own log level takes
    effect.
    """
    sys.stderr.flush()
    stderr = os.dup(2)
    with tempfile.TemporaryFile() as messages:
        os.dup2(messages.fileno(), 2)
        try:
            yield
        except (ImportError, ValueError):
            raise  # becomes a one-line message
        except Exception:
            messages.seek(0)
            os.write(stderr, messages.read())
            raise
        finally:
            os.dup2(stderr, 2)
            os.close(stderr)
