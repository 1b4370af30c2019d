"""What the machine tells, also if it tells nonsense."""

import sys

import psutil
import pytest

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
