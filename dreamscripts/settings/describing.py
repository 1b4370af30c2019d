"""Describe the keys of settings from their models: kind, limits, choices, default and meaning."""

import types
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from dreamscripts.registry import MEASURES, OPTIMIZERS, PENALTIES, SCHEDULES
from dreamscripts.settings.network_names import registered_networks
from dreamscripts.settings.tables import Feature, OptimizerSettings, Penalties, penalty_names

Kind = Literal["integer", "number", "boolean", "choice", "text", "weights"]
KINDS: dict[type, Kind] = {bool: "boolean", int: "integer", float: "number", str: "text"}


@dataclass(frozen=True)
class Key:
    """A key of a settings file."""

    key: str
    """With dots."""
    kind: Kind
    """"weights" is the table [features]."""
    about: str
    low: float | None = None
    high: float | None = None
    choices: tuple[str, ...] | None = None
    default: Any = None
    optimizers: tuple[str, ...] | None = None
    """The optimizers that have this key. None: all of them, or it is not in [optimizer]."""

    @property
    def table(self) -> str:
        """The name of its table, "" at the top."""
        return self.key.rpartition(".")[0]


def describe(model: type[BaseModel], prefix: str = "") -> Iterator[Key]:
    """Yield the keys that a form can have, in their order. Lists of tables, and tables with any keys, are left out."""
    for name, field in model.model_fields.items():
        key = prefix + name
        kind, metadata = _plain(field.annotation, list(field.metadata))
        if get_origin(kind) is dict and get_args(kind)[1] is Feature:
            yield Key(key, "weights", _about(field), low=0)
        elif isinstance(kind, type) and issubclass(kind, Penalties):
            yield from _penalties(f"{key}.")
        elif isinstance(kind, type) and issubclass(kind, OptimizerSettings):
            yield from _optimizer_keys(f"{key}.", field.get_default(call_default_factory=True, validated_data={}))
        elif isinstance(kind, type) and issubclass(kind, BaseModel):
            yield from describe(kind, f"{key}.")
        elif described := _described(key, kind, metadata, field):
            yield described


def _described(key: str, kind: Any, metadata: list[Any], field: FieldInfo) -> Key | None:
    """Describe a key with a single value. None: it has another kind of value."""
    default = None if field.is_required() else field.get_default(call_default_factory=True, validated_data={})
    choices = _registered(key) or (get_args(kind) if get_origin(kind) is Literal else None)
    if choices:
        return Key(key, "choice", _about(field), choices=tuple(map(str, choices)), default=default)
    if kind not in KINDS:
        return None
    low, high = _limits(metadata, whole=kind is int)
    return Key(key, KINDS[kind], _about(field), low, high, default=default)


def _registered(key: str) -> tuple[str, ...] | None:
    """Return the values of a key whose values are registered names."""
    registries: Mapping[str, Mapping[str, Any]] = {"measure": MEASURES, "octaves.kind": SCHEDULES}
    if key == "network":
        return tuple(registered_networks())
    return tuple(registries[key]) if key in registries else None


def _penalties(prefix: str) -> Iterator[Key]:
    for name in penalty_names():
        yield Key(prefix + name, "number", _one_line(PENALTIES[name].description), low=0, default=0.0)


def _optimizer_keys(prefix: str, default: OptimizerSettings) -> Iterator[Key]:
    """Yield the keys of all optimizers: the common ones first, then those that only some of them have."""
    yield Key(f"{prefix}name", "choice", "The optimizer.", choices=tuple(OPTIMIZERS), default=default.name)
    keys: dict[str, Key] = {}
    owners: dict[str, list[str]] = {}
    for entry in OPTIMIZERS.values():
        for key in describe(entry.settings, prefix):
            if key.key != f"{prefix}name":
                keys.setdefault(key.key, key)
                owners.setdefault(key.key, []).append(entry.name)
    for name, key in keys.items():
        common = len(owners[name]) == len(OPTIMIZERS)
        if common:
            yield key
    for name, key in keys.items():
        if len(owners[name]) < len(OPTIMIZERS):
            yield replace(key, optimizers=tuple(owners[name]))


def _plain(annotation: Any, metadata: list[Any]) -> tuple[Any, list[Any]]:
    """Return the type inside of Annotated and of "or None", and all metadata on the way. Of a union, the first type."""
    if get_origin(annotation) is Annotated:
        inner, *more = get_args(annotation)
        return _plain(inner, [*metadata, *more])
    if get_origin(annotation) in (Union, types.UnionType):
        return _plain(next(kind for kind in get_args(annotation) if kind is not type(None)), metadata)
    return annotation, metadata


def _limits(metadata: list[Any], whole: bool) -> tuple[float | None, float | None]:
    """Return the smallest and the largest value. Of a number that must be above 0, the smallest is 0, which is not."""
    found: dict[str, Any] = {}
    for one in metadata:
        for source in (one, *(getattr(one, "metadata", None) or ())):  # of a FieldInfo within Annotated
            found |= {
                name: value for name in ("ge", "gt", "le", "lt") if (value := getattr(source, name, None)) is not None
            }
    step = 1 if whole else 0
    low = found["ge"] if "ge" in found else found["gt"] + step if "gt" in found else None
    high = found["le"] if "le" in found else found["lt"] - step if "lt" in found else None
    return low, high


def _about(field: FieldInfo) -> str:
    return _one_line(field.description)


def _one_line(text: str | None) -> str:
    return " ".join((text or "").split())
