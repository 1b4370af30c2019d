"""The start of Keras in the command's own process: environment, messages, the backend.

Only commands call this. The library leaves its process as it is.
"""

import hashlib
import importlib.metadata
import os
import sys
import tempfile
import time
from contextlib import contextmanager

from dreamscripts.backends import cache, host
from dreamscripts.errors import DreamError

BACKENDS = ("tensorflow", "jax", "torch")
KEPT = 90 * 24 * 3600  # seconds: every size of picture is compiled by itself, and nobody else clears up
ONEDNN = "TF_ENABLE_ONEDNN_OPTS"  # TensorFlow reads it when it is imported, and never again


def start_keras(onednn: bool | None = None) -> None:
    """Import Keras and its backend and find the device, without messages on stderr unless the import fails.

    `onednn` switches TensorFlow's oneDNN on or off. None takes what `bench` measured on this machine; it is on if
    nothing was measured. Raises DreamError if KERAS_BACKEND names a backend that cannot be used.
    """
    _prepare(measured_onednn() if onednn is None else onednn)
    try:
        with _hushed():
            import keras

            if keras.backend.backend() not in BACKENDS:
                raise ValueError(f"it gives no gradients; there are {', '.join(BACKENDS)}")
            from dreamscripts.backends import host

            host.device()
    except (ImportError, ValueError) as error:
        chosen = os.environ.get("KERAS_BACKEND", "tensorflow")
        raise DreamError(f"Keras cannot use the backend '{chosen}': {error}") from None


def measured_onednn() -> bool:
    """Whether TensorFlow is faster with oneDNN, as `bench` measured on this machine; True where it did not."""
    return cache.recall(_onednn_key()) is not False


def keep_onednn(faster: bool) -> None:
    """Keep whether TensorFlow is faster with oneDNN, for every start on this machine from now on."""
    cache.keep(_onednn_key(), faster)


def _onednn_key() -> cache.Key:
    return {"what": "oneDNN", **host.machine(), "tensorflow": installed("tensorflow")}


def installed(package: str) -> str:
    """The version of a package, without importing it; "unknown" where it was installed under another name."""
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return "unknown"


def _prepare(onednn: bool) -> None:
    """Set what the backends read when they are imported; what the user has set stays as it is."""
    os.environ.setdefault(ONEDNN, str(int(onednn)))
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    _keep_what_jax_compiles()


def _keep_what_jax_compiles() -> None:
    """Have JAX keep what it compiles: the first pass of a network then takes less than half the time.

    What TensorFlow's XLA keeps is not worth having: it is loaded with pages of warnings on stderr, which nothing turns
    off.
    """
    # Of each kind of processor by itself: code for one may not run on another that shares the home.
    kind = hashlib.sha256(host.processor().encode()).hexdigest()[:8]
    try:
        folder = cache.cache_folder() / f"compiled-{kind}"
        folder.mkdir(parents=True, exist_ok=True)
        for path in folder.iterdir():
            if time.time() - path.stat().st_mtime > KEPT:
                path.unlink(missing_ok=True)
    except OSError:
        return
    os.environ.setdefault("JAX_COMPILATION_CACHE_DIR", str(folder))


@contextmanager
def _hushed():
    """Keep what native code prints on stderr, unless something unexpected is raised.

    TensorFlow greets every start with lines about CUDA and oneDNN, some marked as errors, before its own log level
    takes effect.
    """
    sys.stderr.flush()
    stderr = os.dup(2)
    with tempfile.TemporaryFile() as kept:
        os.dup2(kept.fileno(), 2)
        try:
            yield
        except (ImportError, ValueError):
            raise  # said in a line
        except Exception:
            kept.seek(0)
            os.write(stderr, kept.read())
            raise
        finally:
            os.dup2(stderr, 2)
            os.close(stderr)
