"""The machine: its device, memory and processor, and the versions of what computes on it."""

import hashlib
import importlib
import os
import platform
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from psutil import virtual_memory

from dreamscripts.backends.lazy_keras import keras

CGROUPS = (  # limit, usage and its parts, of cgroup v2 and v1, as a container sees its own
    [Path("/sys/fs/cgroup") / name for name in ("memory.max", "memory.current", "memory.stat")],
    [Path("/sys/fs/cgroup/memory") / f"memory.{name}" for name in ("limit_in_bytes", "usage_in_bytes", "stat")],
)


def device() -> str:
    """The device that passes run on, in words: `GPU: …` or `CPU: …`."""
    backend = keras.backend.backend()
    if backend == "tensorflow":
        import tensorflow as tf

        if gpus := tf.config.list_physical_devices("GPU"):
            return f"GPU: {tf.config.experimental.get_device_details(gpus[0]).get('device_name', gpus[0].name)}"
    elif backend == "jax":
        import jax

        first = jax.devices()[0]
        if first.platform != "cpu":
            return f"GPU: {first.device_kind}"
    elif backend == "torch":
        import torch

        if torch.cuda.is_available():
            return f"GPU: {torch.cuda.get_device_name()}"
    return f"CPU: {processor()}"


@cache
def on_gpu() -> bool:
    """Whether passes run on a GPU; if not, tensors are in main memory, where NumPy sees them without copying."""
    return device().startswith("GPU")


def free_on_gpu() -> int:
    """Bytes of the GPU's memory that this process may still take."""
    backend = keras.backend.backend()
    if backend == "tensorflow":
        import tensorflow as tf
        from tensorflow.python.client import device_lib  # TensorFlow says its own limit nowhere else

        limit = next(one.memory_limit for one in device_lib.list_local_devices() if one.device_type == "GPU")
        return limit - tf.config.experimental.get_memory_info("GPU:0")["current"]
    if backend == "jax":
        import jax

        stats = jax.devices()[0].memory_stats()
        return stats["bytes_limit"] - stats["bytes_in_use"]
    import torch

    free, _ = torch.cuda.mem_get_info()
    return free + torch.cuda.memory_reserved() - torch.cuda.memory_allocated()


def free_memory() -> int:
    """Bytes of main memory that this process may still take, under its cgroup."""
    free = virtual_memory().available
    for limit, usage, parts in CGROUPS:
        try:
            cached = dict(line.split() for line in parts.read_text().splitlines())["inactive_file"]  # given up at need
            free = min(free, int(limit.read_text()) - int(usage.read_text()) + int(cached))
        except (OSError, ValueError, KeyError):  # another version, no Linux, or "max": no limit
            continue
    return max(free, 0)


def machine() -> dict[str, Any]:
    """What makes one machine as fast as another: the processor, what it can do, and its number of cores."""
    about = _cpuinfo()
    facts = " ".join(about.get(key, "") for key in ("cpu family", "model", "stepping", "flags"))
    return {
        "processor": processor(),
        "features": hashlib.sha256(facts.encode()).hexdigest()[:8],  # some machines hide the name
        "cores": os.cpu_count(),
    }


def processor() -> str:
    """The processor of this machine, in its maker's words where they can be had."""
    return _cpuinfo().get("model name") or platform.processor() or platform.machine()


def _cpuinfo() -> dict[str, str]:
    """What Linux says of the first core; nothing elsewhere."""
    try:
        first = Path("/proc/cpuinfo").read_text().split("\n\n")[0]
    except OSError:
        return {}
    return {key.strip(): value.strip() for key, _, value in (line.partition(":") for line in first.splitlines())}


def versions() -> dict[str, str]:
    """What a record of a run names: Python, the backend, and the libraries that touch the numbers."""
    import PIL
    import scipy

    from dreamscripts import __version__

    backend = keras.backend.backend()
    return {
        "dreamscripts": __version__,
        "python": platform.python_version(),
        "keras": keras.version(),
        backend: importlib.import_module(backend).__version__,
        "numpy": np.__version__,
        "scipy": scipy.__version__,
        "pillow": PIL.__version__,
    }
