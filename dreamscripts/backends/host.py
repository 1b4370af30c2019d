"""Facts about the machine: device, memory, processor and versions."""

import hashlib
import importlib
import os
import platform
import sys
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from dreamscripts.backends.lazy_keras import keras

CGROUPS = (  # limit, usage and its parts, of cgroup v2 and v1
    [Path("/sys/fs/cgroup") / name for name in ("memory.max", "memory.current", "memory.stat")],
    [Path("/sys/fs/cgroup/memory") / f"memory.{name}" for name in ("limit_in_bytes", "usage_in_bytes", "stat")],
)


@cache
def backend() -> Any:
    """Return the module for Keras's backend: on_tensorflow, on_jax or on_torch."""
    return importlib.import_module(f"dreamscripts.backends.on_{keras.backend.backend()}")


def device() -> str:
    """Return the device that computes the passes, as text: `GPU: …` or `CPU: …`."""
    gpu = backend().gpu_name()
    return f"CPU: {processor()}" if gpu is None else f"GPU: {gpu}"


@cache
def on_gpu() -> bool:
    """Return whether passes run on a GPU. If not, tensors are in main memory, and NumPy reads them without a copy."""
    return device().startswith("GPU")


def fetch(value: Any) -> Callable[[], Any]:
    """Start to copy a tensor to the host, and return a function that waits for the array.

    The function does not wait for what a GPU begins later. Other values than tensors are returned as they are.
    """
    if not keras.ops.is_tensor(value):
        return lambda: value
    return backend().fetch(value) if on_gpu() else lambda: keras.ops.convert_to_numpy(value)


def free_on_gpu() -> int:
    """Return the bytes of GPU memory that this process can still allocate."""
    return backend().free_on_gpu()


def free_memory() -> int:
    """Return the bytes of main memory that this process can still allocate, within its cgroup and its own limit."""
    free = _available()
    for limit, usage, parts in CGROUPS:
        try:
            # The file cache, which the system can free.
            cached = dict(line.split() for line in parts.read_text().splitlines())["inactive_file"]
            free = min(free, int(limit.read_text()) - int(usage.read_text()) + int(cached))
        except (OSError, ValueError, KeyError):  # another cgroup version, another system, or "max" (no limit)
            continue
    own = address_space()
    if own is not None:
        free = min(free, own - _address_space_in_use())
    return max(free, 0)


def address_space() -> int | None:
    """Return the limit of this process's address space in bytes (ulimit -v), or None if there is none."""
    try:
        import resource
    except ImportError:  # Windows has no such limit
        return None
    limit, _ = resource.getrlimit(resource.RLIMIT_AS)
    return None if limit == resource.RLIM_INFINITY else limit


def _address_space_in_use() -> int:
    try:
        return int(Path("/proc/self/statm").read_text().split()[0]) * os.sysconf("SC_PAGE_SIZE")
    except (OSError, ValueError, IndexError):  # not on Linux
        return 0


def _available() -> int:
    """Return the bytes of memory that are free on this machine. If the system does not tell, it is as if all were."""
    try:
        from psutil import virtual_memory  # slow to import, and not needed to load settings

        return virtual_memory().available
    except Exception:  # psutil raises errors of many kinds if /proc is missing or different
        return sys.maxsize


def machine() -> dict[str, Any]:
    """Return the processor, a hash of its features, and the number of cores.

    Machines with equal values are assumed to be equally fast.
    """
    core = _cpuinfo()
    facts = " ".join(core.get(key, "") for key in ("cpu family", "model", "stepping", "flags"))
    return {
        "processor": processor(),
        "features": hashlib.sha256(facts.encode()).hexdigest()[:8],  # some virtual machines hide the name
        "cores": os.cpu_count(),
    }


def processor() -> str:
    """Return the name of this machine's processor, or its architecture if the name is unknown."""
    return _cpuinfo().get("model name") or platform.processor() or platform.machine()


def _cpuinfo() -> dict[str, str]:
    """Return Linux's description of the first core. It is empty on other systems."""
    try:
        first = Path("/proc/cpuinfo").read_text("utf-8", errors="replace").split("\n\n")[0]
    except OSError:
        return {}
    return {key.strip(): value.strip() for key, _, value in (line.partition(":") for line in first.splitlines())}


def versions() -> dict[str, str]:
    """Return the versions of Python, the backend, and the libraries that affect the numbers, for a run's record."""
    import PIL
    import scipy

    from dreamscripts import __version__

    name = keras.backend.backend()
    return {
        "dreamscripts": __version__,
        "python": platform.python_version(),
        "keras": keras.version(),
        name: importlib.import_module(name).__version__,
        "numpy": np.__version__,
        "scipy": scipy.__version__,
        "pillow": PIL.__version__,
    }
