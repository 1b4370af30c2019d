from concurrent.futures import ThreadPoolExecutor
from types import SimpleNamespace

import pytest

import dreamscripts
from dreamscripts.registry import OPTIMIZERS, SCHEDULES, Registry


@pytest.fixture
def room(tmp_path, monkeypatch):
    """A package whose module `first` adds an entry to a registry; returns the registry."""
    package = tmp_path / "furnished"
    package.mkdir()
    (package / "__init__.py").write_text(
        "from dreamscripts.registry import Registry\nROOM = Registry('thing', __name__)\n"
    )
    (package / "first.py").write_text(
        "from types import SimpleNamespace\nfrom furnished import ROOM\n"
        "ROOM.add(SimpleNamespace(name='one', module=__name__))\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    for name in ("furnished", "furnished.first", "furnished.second"):
        monkeypatch.delitem(__import__("sys").modules, name, raising=False)
    yield package
    for name in ("furnished", "furnished.first", "furnished.second"):
        __import__("sys").modules.pop(name, None)


def test_a_new_file_is_a_new_entry(room):
    (room / "second.py").write_text((room / "first.py").read_text().replace("one", "two"))
    from furnished import ROOM

    assert list(ROOM) == ["one", "two"]
    ROOM.remove("two")
    assert list(ROOM) == ["one"]


def test_a_module_that_fails_does_not_leave_half_a_registry(room):
    (room / "second.py").write_text("raise ImportError('not today')")
    from furnished import ROOM

    for _ in range(2):
        with pytest.raises(ImportError, match="not today"):
            len(ROOM)


def test_a_thread_that_asks_during_discovery_gets_every_entry(room):
    slow = (room / "first.py").read_text().replace("one", "two")
    (room / "second.py").write_text(f"import time\ntime.sleep(0.1)\n{slow}")
    from furnished import ROOM

    with ThreadPoolExecutor(2) as threads:
        assert list(threads.map(lambda _: list(ROOM), range(2))) == [["one", "two"]] * 2


def test_a_name_that_is_taken_is_refused_when_it_is_added(room):
    from furnished import ROOM

    with pytest.raises(ValueError, match=r"there is another thing called 'one', in furnished\.first"):
        ROOM.add(SimpleNamespace(name="one", module="elsewhere"))
    again = ROOM.add(SimpleNamespace(name="mine", module="elsewhere"))
    assert ROOM.add(SimpleNamespace(name="mine", module="elsewhere")) is ROOM["mine"] is not again  # a cell run again


def test_the_registries_hold_what_settings_name():
    assert {"lbfgs", "gradient_ascent", "adam"} <= set(OPTIMIZERS)
    assert next(iter(SCHEDULES)) == "plain"
    assert "adam" in OPTIMIZERS
    assert "adm" not in OPTIMIZERS
    assert isinstance(OPTIMIZERS, Registry)


def test_every_public_name_is_there():
    for name in dreamscripts.__all__:
        assert getattr(dreamscripts, name) is not None
    with pytest.raises(AttributeError, match="no attribute 'dreem'"):
        dreamscripts.dreem  # noqa: B018
