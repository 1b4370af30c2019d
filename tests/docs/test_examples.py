"""Examples in the documents: settings, keys and numbers that they name exist."""

import re
from pathlib import Path

import pytest

from dreamscripts import Settings
from dreamscripts.settings.loading import named, named_files, parse_override
from dreamscripts.settings.recipe import Recipe

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text("utf-8")
PAGES = [README, *(page.read_text("utf-8") for page in sorted(ROOT.glob("docs/**/*.md")))]


def test_the_settings_file_in_the_readme_is_valid(tmp_path):
    example = re.search(r"```toml\n(.*?)```", README, re.DOTALL).group(1)
    (tmp_path / "example.toml").write_text(example, "utf-8")
    settings = Settings.load(tmp_path / "example.toml")
    assert settings.optimizer.max_change == 5
    assert set(settings.features) == {"block4_conv1", "block5_conv1"}


def test_the_table_of_named_settings_is_complete():
    page = (ROOT / "docs" / "guide" / "named-settings.md").read_text("utf-8")
    rows = [line.split("|")[1] for line in page.splitlines() if line.startswith("| `")]
    assert sorted(re.findall(r"`(\w+)`", " ".join(rows))) == sorted(named())
    assert f"{len(named())} named settings" in README


def test_settings_in_commands_exist():
    names = {name for page in PAGES for name in re.findall(r"(?:-s|--settings) ([a-z]\w+)(?![\w./])", page)}
    assert len(names) > 5
    assert names <= set(named())


def test_set_options_are_accepted():
    lines = [line for page in PAGES for line in page.splitlines() if "dreamscripts distil" not in line]
    options = {option for line in lines for option in re.findall(r"--set ([a-z][\w.]+=[\w.]+)", line)}
    assert len(options) > 8
    for option in options:
        key, value = parse_override(option)
        assert Settings.load("dreamy", **{key: value}), option  # raises SettingsError if it is not valid


def test_recipes_and_their_changes_in_commands_are_accepted():
    lines = [line for page in PAGES for line in page.splitlines() if "dreamscripts distil" in line]
    assert len(lines) > 3
    names = {name for line in lines for name in re.findall(r"--recipe (\w+)", line)}
    assert names <= set(named_files("recipes"))
    for option in {option for line in lines for option in re.findall(r"--set ([a-z]\w+=[\w.]+)", line)}:
        Recipe.load(None, {"network": "vgg16", **dict([parse_override(option)])})


@pytest.mark.parametrize(
    "command", ["dream", "layers", "settings", "visualize", "gallery", "graph", "compare", "movie", "bench", "distil"]
)
def test_every_command_is_in_the_documents(command):
    assert any(f"dreamscripts {command}" in page for page in PAGES)


def test_imports_in_python_examples_exist():
    contributing = (ROOT / "CONTRIBUTING.md").read_text("utf-8")
    imports = {
        line
        for page in [contributing, *PAGES]
        for line in re.findall(r"^from dreamscripts[\w.]* import .+$", page, re.MULTILINE)
    }
    assert len(imports) > 3
    for line in imports:
        exec(line, {})  # raises ImportError or AttributeError if a name is missing
