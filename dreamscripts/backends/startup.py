"""Start Keras in the process of a command: set the environment, hide start-up messages, check the backend.

Only commands use this module. The library does not change the process.
"""

import hashlib
import importlib.metadata
import logging
import os
import sys
import tempfile
import threading
import time
import traceback
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext, suppress
from pathlib import Path

from dreamscripts.backends import cache, host
from dreamscripts.errors import DreamError

BACKENDS = ("tensorflow", "jax", "torch")
KEPT = 90 * 24 * 3600  # seconds after which compiled code is deleted, because every picture size adds a file
# For processes that share a GPU. TensorFlow and JAX would otherwise reserve all of its memory.
SHARING = {"TF_FORCE_GPU_ALLOW_GROWTH": "true", "XLA_PYTHON_CLIENT_PREALLOCATE": "false"}
ONEDNN = "TF_ENABLE_ONEDNN_OPTS"  # TensorFlow reads it only when it is imported

# Bytes of address space that a small dream needs, measured. It is far more than the memory in use.
ADDRESSES = {"tensorflow": 2_500_000_000, "jax": 2_000_000_000, "torch": 1_450_000_000}
THREADS = 16
# Keras and TensorFlow import these libraries if they are installed, which takes a second or more for each, but no
# command needs what they are imported for.
UNUSED = ("matplotlib", "IPython", "cv2", "jax", "tensorflow")
# With a wrong value of these variables, the backend ends the process. Its message must not be hidden.
FLAGS = {"tensorflow": "TF_XLA_FLAGS", "jax": "XLA_FLAGS"}
XLA_CACHE = "--tf_xla_persistent_cache_directory"  # the first of our own flags


def start_keras(onednn: bool | None = None) -> None:
    """Import Keras and its backend and find the device, without messages on stderr unless the import fails.

    `onednn` switches TensorFlow's oneDNN on or off. With None, the faster setting is used if `bench` measured it on
    this machine. Otherwise oneDNN is on. Raises DreamError if the backend cannot be started, or if this process may
    not use the memory or the threads that it needs.
    """
    backend = os.environ.get("KERAS_BACKEND") or "tensorflow"
    _check_limits(backend)
    has_flags = not os.environ.get(FLAGS.get(backend, ""), XLA_CACHE).startswith(XLA_CACHE)  # of the user
    _prepare(measured_onednn() if onednn is None else onednn)
    unused = [library for library in UNUSED if library != backend] if backend in BACKENDS else []
    try:
        with nullcontext() if has_flags else hidden_stderr(), _as_if_missing(unused):
            import keras
            from keras.src.utils import module_utils

            _ = module_utils.tensorflow.available  # Keras remembers it; otherwise a layer's config imports TensorFlow
            if keras.backend.backend() not in BACKENDS:
                raise ValueError(f"it gives no gradients; use {', '.join(BACKENDS)}")
            host.device()
    except Exception as error:  # of Keras, the backend, or a library that they import
        problem = " ".join(str(error).split()) or type(error).__name__
        chosen_by = "; the variable KERAS_BACKEND names this backend" if os.environ.get("KERAS_BACKEND") else ""
        raise DreamError(f"Keras cannot use the backend '{backend}': {_place(error, problem)}{chosen_by}") from None


def _place(error: Exception, problem: str) -> str:
    """Add the name of the library that raised an error or, if it was Keras itself, the file that configures Keras."""
    modules = [frame.f_globals.get("__name__", "") for frame, _ in traceback.walk_tb(error.__traceback__)]
    libraries = [name.partition(".")[0] for name in modules]
    *_, last = [name for name in libraries if name not in sys.stdlib_module_names]
    if last == "keras":
        return problem + _configuration()
    return problem if last == "dreamscripts" else f"{last}: {problem}"


def _configuration() -> str:
    """Name Keras's configuration file if there is one, because it can be the cause."""
    try:
        home = Path(os.environ.get("KERAS_HOME") or Path.home() / ".keras")
        return f"; see also {home / 'keras.json'}" if (home / "keras.json").exists() else ""
    except (OSError, RuntimeError):  # no home directory
        return ""


def _check_limits(backend: str) -> None:
    """Raise DreamError if this process may not use the memory or the threads that a backend needs.

    The backends then end the process in native code, or hang.
    """
    limit, needed = host.address_space(), ADDRESSES.get(backend, 0)
    if limit is not None and limit < needed:
        raise DreamError(
            f"this process may use {limit / 1e9:.1f} GB of address space, but {backend} needs {needed / 1e9:.1f} GB; "
            "raise the limit (ulimit -v)"
        )
    done = threading.Event()
    threads = [threading.Thread(target=done.wait, daemon=True) for _ in range(THREADS)]
    try:
        for thread in threads:
            thread.start()
    except RuntimeError:
        raise DreamError(
            f"this process cannot start {THREADS} threads; raise the limit of processes (ulimit -u, or that of the "
            "container)"
        ) from None
    finally:
        done.set()


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
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")  # what stops TensorFlow is also an exception
    os.environ["MPLBACKEND"] = "agg"  # Matplotlib refuses unknown names; no command has a window
    logging.getLogger("matplotlib").setLevel(logging.ERROR)  # a home that cannot be written does no harm to plots
    warnings.filterwarnings("ignore", ".*persistent compilation cache")  # a cache that cannot be written does no harm
    if folder := _compiled_code():
        os.environ.setdefault("JAX_COMPILATION_CACHE_DIR", str(folder))
        os.environ.setdefault("JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS", "0")  # small programs add up to a second
        os.environ.setdefault("TORCHINDUCTOR_CACHE_DIR", str(folder / "torch"))
        xla = (folder / f"tensorflow-{installed('tensorflow')}").as_posix()
        flags = f'{XLA_CACHE}="{xla}" --tf_xla_persistent_cache_read_only=false'
        if '"' not in xla:
            os.environ.setdefault("TF_XLA_FLAGS", flags)


def _compiled_code() -> Path | None:
    """Return the folder where backends save compiled code, without old files, or None if it cannot be written.

    It more than halves the time of the first pass in later runs. Machines that share a home directory may not run each
    other's code, so there is a folder for each type of processor.
    """
    try:
        kind = hashlib.sha256(host.processor().encode()).hexdigest()[:8]
        top = cache.cache_folder() / f"compiled-{kind}"
        top.mkdir(parents=True, exist_ok=True)
        if top.is_symlink():  # the files that it leads to are not ours
            return None
        for folder, _, names in os.walk(top):
            for path in (Path(folder, name) for name in names):
                with suppress(FileNotFoundError):  # another process may delete files, too
                    if time.time() - path.lstat().st_mtime > KEPT:
                        path.unlink()
    except (OSError, RuntimeError):  # no home directory, or one that cannot be written
        return None
    return top


@contextmanager
def _as_if_missing(libraries: Sequence[str]) -> Iterator[None]:
    """Let imports of libraries that are not loaded yet fail, as if they were not installed."""
    hidden = [library for library in libraries if library not in sys.modules]
    sys.modules.update(dict.fromkeys(hidden))  # type: ignore[arg-type]  # None: the import raises ModuleNotFoundError
    try:
        yield
    finally:
        for library in hidden:
            if sys.modules[library] is None:
                del sys.modules[library]


@contextmanager
def hidden_stderr() -> Iterator[None]:
    """Hide messages of native code on stderr, in the whole process.

    TensorFlow prints lines about CUDA and oneDNN at every start, some marked as errors, before its own log level takes
    effect.
    """
    sys.stderr.flush()
    stderr = os.dup(2)
    with tempfile.TemporaryFile() as messages:
        os.dup2(messages.fileno(), 2)
        try:
            yield
        finally:
            os.dup2(stderr, 2)
            os.close(stderr)
