"""Recipes of a distillation: files, options and mistakes in them."""

import pytest

from dreamscripts.errors import SettingsError
from dreamscripts.settings.loading import named_files
from dreamscripts.settings.recipe import Recipe

BAD = {
    "width = 1.5": "width = 1.5: should be at most 1",
    "width = 0.0": "width = 0.0: should be at least 0.01",
    "minutes = 0": "minutes = 0: should be above 0",
    "minutes = inf": "minutes = inf",
    "steps = 1.5": "steps = 1.5: should be a whole number",
    "batch = 1": "batch = 1: should be at least 2",
    "crop = 8": "crop = 8: should be at least 16",
    "rate = 0": "rate = 0: should be above 0",
    "dreams = 4": "dreams = 4 must be at least half of batch = 24",
    "widht = 0.25": "there is no setting 'widht' (did you mean 'width'?)",
    'layers = ["a"]\nuntil = "b"': "give `layers` or `until`, not both",
    "layers = []": "layers = []",
    'network = "vgg61"': "there is no network called 'vgg61' (did you mean 'vgg",
    'weights = "/etc/hosts"': "names the weights file /etc/hosts; give it with --weights FILE",
    'student = "other.keras"': "names the student file other.keras; give it with --student FILE",
    'network = "other.h5"': "names the network file other.h5; give it with dreamscripts distil FILE",
}


def test_the_options_alone_are_a_recipe():
    recipe = Recipe.load(None, {"network": "vgg16", "width": 0.5})
    assert (recipe.width, recipe.most_minutes, recipe.highest_rate, recipe.batch) == (0.5, 20, 0.003, 24)
    assert Recipe.load(None, {"network": "vgg16", "steps": 9}).most_minutes is None
    assert Recipe.load(None, {"network": "vgg16", "steps": 9, "minutes": 3.0}).most_minutes == 3
    assert Recipe.load(None, {"network": "vgg16", "student": "pocket"}).highest_rate == 5e-5


def test_without_a_teacher_there_is_advice():
    with pytest.raises(SettingsError, match="use: dreamscripts distil NETWORK --photos FOLDER"):
        Recipe.load(None, {})


@pytest.mark.parametrize("name", named_files("recipes"))
def test_named_recipes_can_be_used_and_changed(name):
    recipe = Recipe.load(name, {"minutes": 2.0, "seed": 5})
    assert (recipe.network, recipe.width, recipe.minutes, recipe.seed) == ("vgg16", 0.25, 2, 5)
    assert recipe.layers[-1] == "block5_conv3"


def test_a_recipe_is_found_by_name_or_path(tmp_path):
    assert Recipe.load("pocket", {}).batch == 96
    (tmp_path / "mine.toml").write_text('network = "squeezenet"\nbatch = 8\n')
    assert Recipe.load(str(tmp_path / "mine.toml"), {"batch": 6}).batch == 6
    with pytest.raises(SettingsError, match=r"no recipe called 'poket' \(did you mean 'pocket'\?\); there is pocket"):
        Recipe.load("poket", {})
    with pytest.raises(SettingsError, match="there is no such recipe"):
        Recipe.load(str(tmp_path / "other.toml"), {})


@pytest.mark.parametrize("line", BAD)
def test_a_mistake_is_explained_in_a_line(line, tmp_path):
    file = tmp_path / "mine.toml"
    file.write_text(line if line.startswith("network") else f'network = "vgg16"\n{line}\n')
    with pytest.raises(SettingsError) as caught:
        Recipe.load(str(file), {})
    assert str(caught.value).startswith(f"{file}: ")
    assert BAD[line] in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_file_on_the_command_line_may_replace_one_in_the_recipe(tmp_path):
    (tmp_path / "mine.toml").write_text('network = "vgg16"\nweights = "theirs.h5"\n')
    recipe = Recipe.load(str(tmp_path / "mine.toml"), {"weights": "mine.h5"})
    assert recipe.files() == {"weights": "mine.h5"}
