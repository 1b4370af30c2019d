"""What the machine tells, also if it tells nonsense."""

import sys
from types import SimpleNamespace
from unittest.mock import patch

import keras
import psutil
import pytest
from conftest import BACKENDS

from dreamscripts.backends import host


@pytest.fixture
def without_cgroups(monkeypatch):
    monkeypatch.setattr(host, "CGROUPS", ())


@pytest.mark.parametrize("error", [FileNotFoundError("/proc/meminfo"), KeyError(b"MemTotal:"), RuntimeError("?")])
def test_without_a_word_of_the_system_memory_is_not_limited(without_cgroups, monkeypatch, error):
    def unknown():
        raise error

    monkeypatch.setattr(psutil, "virtual_memory", unknown)
    monkeypatch.setattr(host, "address_space", lambda: None)
    assert host.free_memory() == sys.maxsize


def test_a_limit_of_the_address_space_counts(without_cgroups, monkeypatch):
    monkeypatch.setattr(host, "address_space", lambda: host._address_space_in_use() + 5_000_000)
    assert 0 <= host.free_memory() <= 6_000_000
    monkeypatch.setattr(host, "address_space", lambda: 1)
    assert host.free_memory() == 0


def test_the_limit_is_that_of_the_process(monkeypatch):
    resource = pytest.importorskip("resource")
    monkeypatch.setattr(resource, "getrlimit", lambda which: (123, resource.RLIM_INFINITY))
    assert host.address_space() == 123
    monkeypatch.setattr(resource, "getrlimit", lambda which: (resource.RLIM_INFINITY,) * 2)
    assert host.address_space() is None


@pytest.mark.parametrize("content", [b"", b"\xac\x00\xff: x\n", b"no colon\n\n", b"flags"])
def test_a_damaged_description_of_the_processor_is_no_error(tmp_path, monkeypatch, content):
    (tmp_path / "cpuinfo").write_bytes(content)
    monkeypatch.setattr(host, "Path", lambda name: tmp_path / "cpuinfo")
    assert host.machine()["processor"] == host.processor() == (host.platform.processor() or host.platform.machine())


def has_bfloat16_by_capability():
    """What a backend says of GPUs with these compute capabilities, and of one without."""
    found = []
    if keras.backend.backend() == "tensorflow":
        import tensorflow as tf

        for details in ({"compute_capability": (9, 0)}, {"compute_capability": (7, 5)}, {}):
            with (
                patch.object(tf.config, "list_physical_devices", lambda kind: ["a GPU"]),
                patch.object(tf.config.experimental, "get_device_details", lambda gpu, found=details: found),
            ):
                found.append(host.backend().has_bfloat16())
    elif keras.backend.backend() == "jax":
        import jax

        for details in ({"compute_capability": "9.0"}, {"compute_capability": "7.5"}, {}):
            with patch.object(jax, "devices", lambda found=details: [SimpleNamespace(**found)]):
                found.append(host.backend().has_bfloat16())
    else:
        import torch

        for capability in ((9, 0), (7, 5), (0, 0)):
            with patch.object(torch.cuda, "get_device_capability", lambda found=capability: found):
                found.append(host.backend().has_bfloat16())
    return found


@pytest.mark.parametrize("backend", BACKENDS)
def test_bfloat16_needs_a_gpu_that_has_it(backend, on_backend):
    assert on_backend(backend, has_bfloat16_by_capability) == [True, False, False]
