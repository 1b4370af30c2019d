"""MkDocs hook: generate pages from the code, and add the documents and samples outside of docs/ to the site.

The pages are the settings reference (from the pydantic models), the named settings files and the list of public
Python names. Links such as `../../samples/sky.jpg` are correct in the repository. They are changed to
`../samples/sky.jpg` here, because the site has these files at its top.
"""

from __future__ import annotations

import importlib
import json
import re
import types
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Annotated, Any, Literal, Union, get_args, get_origin

from pydantic import BaseModel
from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined

from dreamscripts.registry import MEASURES, OPTIMIZERS, PENALTIES, SCHEDULES

if TYPE_CHECKING:
    from mkdocs.config.defaults import MkDocsConfig
    from mkdocs.structure.files import Files
    from mkdocs.structure.pages import Page

ROOT = Path(__file__).parents[1]
DOCUMENTS = ["BENCHMARKS.md", "CHANGELOG.md", "CONTRIBUTING.md"]
LIMITS = {"ge": "≥", "gt": ">", "le": "≤", "lt": "<"}
NUMBERS = {int: "integer", float: "number", str: "text", bool: "`true` or `false`", Path: "path"}


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the pages, documents and pictures to the site."""
    from mkdocs.structure.files import File

    from dreamscripts import Settings
    from dreamscripts.settings.recipe import Recipe

    pages = {
        "reference/settings.md": settings_page(Settings, registries()),
        "reference/named-settings.md": named_settings_page(ROOT / "settings"),
        "reference/recipes.md": recipes_page(Recipe, ROOT / "settings" / "recipes"),
        "reference/api.md": api_page("dreamscripts"),
    }
    for path, text in pages.items():
        files.append(File.generated(config, path, content=text))
    for path in [*map(ROOT.joinpath, DOCUMENTS), *(ROOT / "samples").iterdir()]:
        if path.suffix in (".md", ".jpg", ".png", ".ipynb"):
            files.append(File.generated(config, str(path.relative_to(ROOT)), abs_src_path=str(path)))
    return files


def on_page_markdown(markdown: str, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Turn links that leave docs/ into links within the site."""
    depth = page.file.src_uri.count("/")
    outside = "../" * (depth + 1)
    inside = "../" * depth
    return re.sub(rf"\]\({re.escape(outside)}(?=samples/|[A-Z]+\.md)", f"]({inside}", markdown)


def registries() -> dict[str, Mapping[str, Any]]:
    """Return the registries of the settings whose values are registered names, by the dotted key."""
    return {
        "measure": MEASURES,
        "features.measure": dict.fromkeys(MEASURES),  # described at the first key
        "octaves.kind": SCHEDULES,
        "optimizer.name": OPTIMIZERS,
    }


def settings_page(model: type[BaseModel], choices: Mapping[str, Mapping[str, Any]]) -> str:
    """Return the reference of all settings: a heading for each table of a settings file, a row for each key.

    `choices` are the registries of the keys whose values are registered names, such as `optimizer.name`. Their entries
    may have a `description`, and `settings`: a model with further keys of the table.
    """
    parts = [
        "# All settings",
        "This page is generated from the code that reads settings files. "
        "[The guide](../guide/settings-file.md) explains what the settings do.",
    ]
    seen = set()
    for name, heading, table, default in tables(model):
        if table in seen:  # [instead.NETWORK] has the same tables as [features]
            continue
        seen.add(table)
        own = {key.rpartition(".")[2]: entries for key, entries in choices.items() if key.rpartition(".")[0] == name}
        rows = _penalties() if name == "penalties" else _rows(table, own, default=default)
        parts += [f"## {heading}", _summary(table), rows]
        for key, entries in own.items():
            parts += _entries(key, entries, table)
    return "\n\n".join(part for part in parts if part) + "\n"


def _entries(key: str, entries: Mapping[str, Any], table: type[BaseModel]) -> Iterator[str]:
    """Yield what a reader must know of the values of a key: their descriptions, and the further keys that they have."""
    if described := {name: entry.description for name, entry in entries.items() if hasattr(entry, "description")}:
        yield "\n".join(
            [f"| {key} | meaning |", "|---|---|", *(f"| `{n}` | {_cell(d)} |" for n, d in described.items())]
        )
    for name, entry in entries.items():
        if further := getattr(entry, "settings", None):
            yield f'### {key} = "{name}"'
            yield _summary(further)
            yield _rows(further, omitted=table.model_fields)


def tables(
    model: type[BaseModel], name: str = "", condition: str = "", default: Any = None
) -> Iterator[tuple[str, str, type[BaseModel], Any]]:
    """Yield (dotted name, heading, model, default value) of each table of a settings file, `model` itself first.

    A union of models gives one table for each of them.
    """
    yield name, f"[{name}]{condition}" if name else "Top level", model, default
    for key, field in model.model_fields.items():
        variants = list(_models(field.annotation))
        for variant in variants:
            condition = f" with {_tag(variant)}" if len(variants) > 1 else ""
            yield from tables(variant, f"{name}.{key}" if name else key, condition, _default(field))


def _models(annotation: Any) -> Iterator[type[BaseModel]]:
    """Yield the models inside an annotation, in order."""
    if isinstance(annotation, type) and not isinstance(annotation, types.GenericAlias):
        if issubclass(annotation, BaseModel):
            yield annotation
        return
    for argument in get_args(annotation):
        yield from _models(argument)


def _tag(variant: type[BaseModel]) -> str:
    """Return the key and value that identify a variant of a union, such as `name = "adam"`."""
    for key, field in variant.model_fields.items():
        if get_origin(field.annotation) is Literal and len(get_args(field.annotation)) == 1:
            return f"{key} = {json.dumps(get_args(field.annotation)[0])}"
    return variant.__name__


def _summary(table: type[BaseModel]) -> str:
    return re.sub(r"\n +", "\n", (table.__doc__ or "").strip())


def _rows(
    table: type[BaseModel],
    choices: Mapping[str, Iterable[str]] = MappingProxyType({}),
    omitted: Iterable[str] = (),
    default: Any = None,
) -> str:
    rows = ["| key | value | default | meaning |", "|---|---|---|---|"]
    for key, field in table.model_fields.items():
        if key not in omitted:
            kind = _alternatives(choices[key]) if key in choices else describe_type(field)
            value = getattr(default, key) if isinstance(default, table) else _default(field)
            rows.append(f"| `{key}` | {_cell(kind)} | {_describe_value(value)} | {_cell(field.description)} |")
    return "\n".join(rows) if len(rows) > 2 else ""


def _cell(text: str | None) -> str:
    return " ".join((text or "").split()).replace("|", r"\|")


def _alternatives(values: Iterable[Any]) -> str:
    return " or ".join(f"`{json.dumps(value)}`" for value in values)


def _penalties() -> str:
    """Return the rows of [penalties], whose keys are the registered penalties."""
    rows = [f"| `{name}` | number ≥ 0 | `0.0` | {_cell(entry.description)} |" for name, entry in PENALTIES.items()]
    return "\n".join(["| key | value | default | meaning |", "|---|---|---|---|", *rows])


def describe_type(field: FieldInfo) -> str:
    """Describe the values that a field accepts, such as `number ≥ 0`."""
    return _describe(field.annotation, field.metadata)


def _describe(annotation: Any, metadata: list[Any]) -> str:
    limits = [
        f"{sign} {getattr(one, name):g}" for one in metadata for name, sign in LIMITS.items() if hasattr(one, name)
    ]
    origin, arguments = get_origin(annotation), get_args(annotation)
    if origin is Annotated:
        return _describe(arguments[0], [*arguments[1:], *metadata])
    if origin is Literal:
        return _alternatives(arguments)
    if origin in (Union, types.UnionType):
        kinds = dict.fromkeys(_describe(kind, metadata) for kind in arguments if kind is not type(None))
        return " or ".join(kinds)
    if origin is dict:
        return f"table: {_describe(arguments[0], [])} = {_describe(arguments[1], [])}"
    if origin in (list, tuple):
        return f"list of {_describe(arguments[0], [])}"
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return "table"
    return " ".join([NUMBERS.get(annotation, str(annotation)), " and ".join(limits)]).strip()


def _default(field: FieldInfo) -> Any:
    return field.get_default(call_default_factory=True, validated_data={})


def _describe_value(value: Any) -> str:
    if value is PydanticUndefined:
        return "required"
    return "—" if value is None or isinstance(value, (BaseModel, dict)) else f"`{json.dumps(value)}`"


def named_settings_page(folder: Path) -> str:
    """Return a page with the complete text of every settings file in `folder`."""
    parts = [
        "# The named settings files",
        "These files are in the folder `settings`. [The guide](../guide/named-settings.md) says where they come from.",
    ]
    for path in sorted(folder.glob("*.toml")):
        parts += [f"## {path.stem}", f"```toml\n{path.read_text('utf-8').strip()}\n```"]
    return "\n\n".join(parts) + "\n"


def recipes_page(model: type[BaseModel], folder: Path) -> str:
    """Return the reference of recipes: a row for each key, and the complete text of every recipe in `folder`."""
    parts = ["# Recipes", "[The guide](../guide/distil.md) explains how a small network is taught.", _rows(model)]
    for path in sorted(folder.glob("*.toml")):
        parts += [f"## {path.stem}", f"```toml\n{path.read_text('utf-8').strip()}\n```"]
    return "\n\n".join(parts) + "\n"


def api_page(package: str) -> str:
    """Return a page of mkdocstrings directives, one for each public name of the package."""
    module = importlib.import_module(package)
    parts = ["# Python API", f"Import these names from `{package}`."]
    for name in module.__all__:
        parts.append(f"::: {package}.{module._MODULES[name]}.{name}")
    return "\n\n".join(parts) + "\n"
