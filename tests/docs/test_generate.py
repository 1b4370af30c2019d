"""The generated pages: complete tables of settings, for nested models and for unions of models."""

import importlib.util
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Annotated, Literal

import pytest
from pydantic import BaseModel, Field

from dreamscripts import Settings

SCRIPT = Path(__file__).parents[2] / "docs" / "generate.py"


@pytest.fixture(scope="module")
def generate():
    spec = importlib.util.spec_from_file_location("generate", SCRIPT)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


class Slow(BaseModel):
    """Walk slowly."""

    name: Literal["slow"] = "slow"
    step: float = Field(0.5, gt=0, le=1, description="Length of a step | in metres.")


class Fast(BaseModel):
    """Run."""

    name: Literal["fast"] = "fast"
    laps: int | None = Field(None, ge=1)


class Race(BaseModel):
    """A race."""

    runner: Annotated[Slow | Fast, Field(discriminator="name")] = Slow()
    others: dict[str, Slow] | None = None
    length: int


class Boat(BaseModel):
    """The keys of all boats."""

    kind: str
    crew: int = 1


class Sailing(Boat):
    """A boat with sails."""

    kind: Literal["sailing"] = "sailing"
    sails: int = 2


class Harbour(BaseModel):
    """A harbour."""

    boat: Boat = Field(default_factory=lambda: Sailing(crew=3))


def test_a_registered_name_has_its_description_its_further_keys_and_the_default_of_the_table(generate):
    entries = {"sailing": SimpleNamespace(settings=Sailing, description="With the wind."), "raft": SimpleNamespace()}
    page = generate.settings_page(Harbour, {"boat.kind": entries})
    assert '| `kind` | `"sailing"` or `"raft"` | `"sailing"` |  |' in page
    assert "| `crew` | integer | `3` |  |" in page
    assert "| `sailing` | With the wind. |" in page
    further = page[page.index('### kind = "sailing"') :]
    assert "A boat with sails." in further
    assert "| `sails` | integer | `2` |  |" in further
    assert "crew" not in further
    assert '### kind = "raft"' not in page


def test_a_union_has_one_table_for_each_model_with_limits_defaults_and_descriptions(generate):
    page = generate.settings_page(Race, {})
    assert [line for line in page.splitlines() if line.startswith("#")] == [
        "# All settings",
        "## Top level",
        '## [runner] with name = "slow"',
        '## [runner] with name = "fast"',
    ]
    assert "| `length` | integer | required |  |" in page
    assert r"| `step` | number > 0 and ≤ 1 | `0.5` | Length of a step \| in metres. |" in page
    assert "| `laps` | integer ≥ 1 | — |  |" in page
    assert "Walk slowly." in page


def test_every_key_of_the_real_settings_is_on_the_page(generate):
    page = generate.settings_page(Settings, generate.registries())
    for table in ("[features]", "[penalties]", "[jitter]", "[octaves]", "[tiles]", "[optimizer]", "[guide]"):
        assert f"\n## {table}" in page
    for key in ("network", "dream_l2", "max_change", "laplacian", "above", "rotate", "channels"):
        assert f"| `{key}` |" in page
    assert "<class" not in page
    assert "typing." not in page


def test_links_out_of_the_folder_are_changed_to_links_within_the_site(generate):
    class Page:
        class file:  # noqa: N801
            src_uri = "guide/networks.md"

    text = "![x](../../samples/x.jpg) [b](../../BENCHMARKS.md) [s](../systems/index.md)"
    changed = generate.on_page_markdown(text, Page, None, None)
    assert changed == "![x](../samples/x.jpg) [b](../BENCHMARKS.md) [s](../systems/index.md)"


def test_keras_is_not_needed(generate):
    import subprocess

    code = (
        "import importlib.util, sys; from dreamscripts import Settings;"
        f"spec = importlib.util.spec_from_file_location('generate', {str(SCRIPT)!r});"
        "module = importlib.util.module_from_spec(spec); spec.loader.exec_module(module);"
        "module.settings_page(Settings, module.registries()); module.api_page('dreamscripts');"
        "sys.exit(any(name in sys.modules for name in ('keras', 'tensorflow', 'mkdocs')))"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_recipes_and_their_keys_are_complete(generate):
    from dreamscripts.settings.loading import named_files
    from dreamscripts.settings.recipe import Recipe

    page = generate.recipes_page(Recipe, SCRIPT.parents[1] / "settings" / "recipes")
    for key in Recipe.model_fields:
        assert f"| `{key}` | " in page
    for name in named_files("recipes"):
        assert f"## {name}\n\n```toml\n# The network `pocket`" in page
