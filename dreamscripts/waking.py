"""Importing Keras and its backend, which takes seconds, without their chatter."""

import os
import sys
import tempfile

from dreamscripts.errors import DreamError


def wake() -> None:
    """Import Keras and find its device, keeping what native code prints on stderr unless that fails.

    TensorFlow greets every start with lines about CUDA and oneDNN, some marked as errors, before its own log level
    takes effect. Raises DreamError where KERAS_BACKEND names a backend that is not to be had.
    """
    sys.stderr.flush()
    stderr = os.dup(2)
    with tempfile.TemporaryFile() as kept:
        os.dup2(kept.fileno(), 2)
        try:
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
