"""Registries of the measures, penalties, optimizers, schedules and network families that settings can name.

A registry imports all modules of a package when a name is first looked up. A new entry therefore needs only a new file
in that package. The modules may use Keras (backends/lazy_keras.py) but must not import it, because that takes seconds.
"""

import pkgutil
from collections.abc import Iterator, Mapping
from importlib import import_module
from threading import RLock
from typing import Any, Generic, Protocol, TypeVar


class Entry(Protocol):
    """An entry of a registry."""

    @property
    def name(self) -> str:
        """The name in settings."""


E = TypeVar("E", bound=Entry)


class Registry(Mapping[str, E], Generic[E]):
    """The entries of one kind by name, in the order of their modules.

    `package` is the name of the package, or of the single module, that adds these entries.
    """

    def __init__(self, kind: str, package: str):
        self.kind = kind
        self._package = package
        self._entries: dict[str, E] = {}
        self._lock = RLock()
        self._discovered = False

    def add(self, entry: E) -> E:
        """Add an entry. It replaces an earlier entry of the same module with the same name.

        Raises ValueError if another module has added an entry with this name.
        """
        if not _origin(entry).startswith(self._package):
            # Import all modules of the package first. If the name is taken, the error is then raised here, not later.
            self._all()
        before = self._entries.get(entry.name)
        if before is not None and _origin(before) != _origin(entry):
            raise ValueError(
                f"there is another {self.kind} called '{entry.name}', in {_origin(before)}; use another name"
            )
        self._entries[entry.name] = entry
        return entry

    def remove(self, name: str) -> None:
        """Remove an entry. Raises KeyError if there is no entry with this name."""
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
                self._discovered = True  # before the imports, because the modules may read the registry
                try:
                    self._discover()
                except BaseException:
                    self._discovered = False
                    raise
        return self._entries

    def _discover(self) -> None:
        package = import_module(self._package)
        modules = pkgutil.iter_modules(getattr(package, "__path__", []))
        names = [self._package, *(f"{self._package}.{module.name}" for module in modules)]
        for name in names:
            import_module(name)
        # Some modules may already have been imported, in another order.
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
