"""Importing Keras and its backend, which takes seconds, without their chatter, and not to compile again what was."""

import hashlib
import os
import platform
import sys
import tempfile
import time
from pathlib import Path

from dreamscripts.errors import DreamError

BACKENDS = ("tensorflow", "jax", "torch")
KEPT = 90 * 24 * 3600  # seconds: every size of picture is compiled by itself, and nobody else clears up


def wake() -> None:
    """Import Keras and find its device, keeping what native code prints on stderr unless that fails.

    TensorFlow greets every start with lines about CUDA and oneDNN, some marked as errors, before its own log level
    takes effect. Raises DreamError where KERAS_BACKEND names a backend that is not to be had.
    """
    _keep_what_is_compiled()
    sys.stderr.flush()
    stderr = os.dup(2)
    with tempfile.TemporaryFile() as kept:
        os.dup2(kept.fileno(), 2)
        try:
            import keras

            if keras.backend.backend() not in BACKENDS:
                raise ValueError(f"it gives no gradients; there are {', '.join(BACKENDS)}")
            from dreamscripts import backends

            backends.device()
        except (ImportError, ValueError) as error:
            chosen = os.environ.get("KERAS_BACKEND", "tensorflow")
            raise DreamError(f"Keras cannot use the backend '{chosen}': {error}") from None
        except Exception:
            kept.seek(0)
            os.write(stderr, kept.read())
            raise
        finally:
            os.dup2(stderr, 2)
            os.close(stderr)


def _keep_what_is_compiled() -> None:
    """Have what XLA compiles kept from run to run: the first pass of a network then takes less than half the time.

    Both backends read their variables when they are imported; what the user has set stays as it is.
    """
    home = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    # Of each kind of processor by itself: code for one may not run on another that shares the home.
    folder = home / "dreamscripts" / f"compiled-{hashlib.sha256(processor().encode()).hexdigest()[:8]}"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for path in folder.iterdir():
            if time.time() - path.stat().st_mtime > KEPT:
                path.unlink(missing_ok=True)
    except OSError:
        return
    os.environ.setdefault("JAX_COMPILATION_CACHE_DIR", str(folder))
    os.environ.setdefault("TF_XLA_FLAGS", f"--tf_xla_persistent_cache_directory='{folder}'")


def processor() -> str:
    """The processor of this machine, in its maker's words where they can be had."""
    try:
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    except OSError:
        pass  # not Linux
    return platform.processor() or platform.machine()
