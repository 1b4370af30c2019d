"""Registries: what settings can name, each in a file of its own.

A registry imports the modules of a room when it is first asked for a name. So a new file is a new entry, and nothing
else is touched. The modules must be light: they may use Keras (backends/lazy_keras.py), but not import it.
"""

import pkgutil
from collections.abc import Iterator, Mapping
from importlib import import_module
from threading import RLock
from typing import Any, Generic, Protocol, TypeVar


class Entry(Protocol):
    """What a registry holds."""

    @property
    def name(self) -> str:
        """The name in settings."""


E = TypeVar("E", bound=Entry)


class Registry(Mapping[str, E], Generic[E]):
    """The entries of one kind by name, in the order of their modules; `room` is the module or package that has them."""

    def __init__(self, kind: str, room: str):
        self.kind = kind
        self._room = room
        self._entries: dict[str, E] = {}
        self._lock = RLock()
        self._discovered = False

    def add(self, entry: E) -> E:
        """Add an entry, in place of one of the same name that was added by the same module before.

        Raises ValueError if another module has the name.
        """
        if not _origin(entry).startswith(self._room):
            self._all()  # so that a name that is taken is refused here, and not later
        before = self._entries.get(entry.name)
        if before is not None and _origin(before) != _origin(entry):
            raise ValueError(f"there is another {self.kind} called '{entry.name}', in {_origin(before)}")
        self._entries[entry.name] = entry
        return entry

    def remove(self, name: str) -> None:
        """Remove an entry. Raises KeyError if there is none of this name."""
        del self._entries[name]

    def __getitem__(self, name: str) -> E:
        return self._all()[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._all())

    def __len__(self) -> int:
        return len(self._all())

    def _all(self) -> dict[str, E]:
        with self._lock:
            if not self._discovered:
                self._discovered = True  # before the imports, which may read the registry, too
                try:
                    self._discover()
                except BaseException:
                    self._discovered = False
                    raise
        return self._entries

    def _discover(self) -> None:
        room = import_module(self._room)
        modules = pkgutil.iter_modules(getattr(room, "__path__", []))
        names = [self._room, *(f"{self._room}.{module.name}" for module in modules)]
        for name in names:
            import_module(name)
        # Some of the modules may have been imported before, in another order.
        order = {name: number for number, name in enumerate(names)}
        for entry in sorted(self._entries.values(), key=lambda entry: order.get(_origin(entry), len(order))):
            del self._entries[entry.name]
            self._entries[entry.name] = entry


def _origin(entry: Any) -> str:
    return getattr(entry, "module", "")


MEASURES: Registry[Any] = Registry("measure", "dreamscripts.losses")
PENALTIES: Registry[Any] = Registry("penalty", "dreamscripts.losses")
OPTIMIZERS: Registry[Any] = Registry("optimizer", "dreamscripts.optimizers")
SCHEDULES: Registry[Any] = Registry("schedule of octaves", "dreamscripts.dreams.octaves")
FAMILIES: Registry[Any] = Registry("family of networks", "dreamscripts.networks.zoo")
