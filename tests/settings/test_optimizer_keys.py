"""Each optimizer has its own keys; the files and pictures of older versions, which had one set for all, still load."""

import logging
import subprocess
import sys
import tomllib

import pytest
import tomli_w

from dreamscripts.errors import SettingsError
from dreamscripts.images.files import save_picture
from dreamscripts.optimizers.adam import AdamSettings
from dreamscripts.optimizers.gradient_ascent import GradientAscentSettings
from dreamscripts.optimizers.lbfgs_settings import LbfgsSettings
from dreamscripts.settings.schema import Settings

BEFORE = {"name": "lbfgs", "where": "scipy", "history": 5, "iterations": 15, "passes": 7, "clip": False}
BEFORE |= {"parameters": "pixels", "step": 1.5, "laplacian": 0, "normalise": "mean"}
FIRST = {"name": "lbfgs", "iterations": 15, "evaluations": 7, "clip": False, "step": 1.5, "normalise": "mean"}


@pytest.fixture
def load(tmp_path, caplog):
    """Load a file with this table [optimizer], and return its optimizer and the warnings."""

    def loaded(optimizer, **overrides):
        caplog.clear()
        (tmp_path / "some.toml").write_text(tomli_w.dumps({"features": {"a": 1}, "optimizer": optimizer}))
        with caplog.at_level(logging.WARNING, "dreamscripts"):
            settings = Settings.load(tmp_path / "some.toml", **overrides)
        return settings.optimizer, [record.getMessage() for record in caplog.records]

    return loaded


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        (BEFORE | {"step": 99, "normalise": "std", "laplacian": 3, "max_score": 4.0}, LbfgsSettings()),
        (BEFORE | {"name": "adam", "where": "device", "history": 9, "step": 3.0}, AdamSettings(step=3)),
        (BEFORE | {"name": "gradient_ascent", "where": "device"}, GradientAscentSettings()),
        (FIRST | {"step": 99, "normalise": "std"}, LbfgsSettings()),
        (FIRST | {"name": "adam", "normalise": "std", "evaluations": 3, "step": 2}, AdamSettings(passes=3, step=2)),
    ],
)
def test_a_table_that_an_older_version_wrote_itself_loses_what_the_optimizer_never_used(
    written, expected, load, tmp_path, picture
):
    assert load(written) == (expected, [])
    text = tomli_w.dumps({"features": {"a": 1}, "optimizer": written})
    save_picture(picture, tmp_path / "dream.png", text)
    assert Settings.load(tmp_path / "dream.png").optimizer == expected
    record = {"features": {"a": 1}, "optimizer": {"max_score": None, "max_change": None} | written}  # run.json
    assert Settings.model_validate(record).optimizer == expected


def test_a_person_s_file_may_have_the_defaults_of_then_but_no_other_values(load):
    assert load({"step": 1.5, "laplacian": 0, "normalise": "mean"}) == (LbfgsSettings(), [])
    assert load({"name": "adam", "normalise": "mean", "where": "scipy", "history": 5}) == (AdamSettings(), [])
    for key, value in {"step": 99, "laplacian": 1, "normalise": "std", "max_score": 3.0}.items():
        with pytest.raises(SettingsError, match=rf"some.toml: lbfgs has no setting 'optimizer.{key}'; .* ha(s|ve) it"):
            load({key: value})
    almost = {key: value for key, value in BEFORE.items() if key != "history"}
    with pytest.raises(SettingsError, match=r"lbfgs has no setting 'optimizer\.step'"):
        load(almost | {"step": 99})


def test_an_old_name_beside_the_new_one_is_refused(load):
    with pytest.raises(SettingsError, match=r"some\.toml: .*optimizer\.evaluations"):
        load({"evaluations": 7, "passes": 3})


def test_another_optimizer_on_the_command_line_says_which_keys_of_the_file_it_lacks(load):
    written = {"name": "lbfgs", "where": "device", "history": 7, "passes": 3}
    optimizer, said = load(written, **{"optimizer.name": "adam", "optimizer.step": 2})
    assert optimizer == AdamSettings(passes=3, step=2)
    assert said == []  # where and history say how L-BFGS works
    ascent = {"name": "gradient_ascent", "step": 2, "laplacian": 3, "normalise": "std"}
    optimizer, said = load(ascent, **{"optimizer.name": "adam"})
    assert optimizer == AdamSettings(step=2, laplacian=3)
    assert said == []
    optimizer, said = load(ascent, **{"optimizer.name": "lbfgs"})
    assert optimizer == LbfgsSettings()
    (line,) = said
    assert line.endswith("some.toml: step, laplacian of gradient_ascent are ignored, because lbfgs has no such setting")
    assert load(written, **{"optimizer.name": "lbfgs"}) == (LbfgsSettings(where="device", history=7, passes=3), [])
    assert load(BEFORE | {"step": 99}, **{"optimizer.name": "adam"})[0] == AdamSettings()  # 99 never had an effect
    for key, value in {"history": 5, "where": "device"}.items():
        with pytest.raises(SettingsError, match=rf"adam has no setting 'optimizer.{key}'; lbfgs has it, and adam has"):
            load(written, **{"optimizer.name": "adam", f"optimizer.{key}": value})
    with pytest.raises(SettingsError, match=r"optimizer\.histroy.*did you mean 'optimizer\.history'"):
        load({"histroy": 3}, **{"optimizer.name": "adam"})


def test_what_is_written_has_the_keys_of_the_optimizer_and_no_others():
    for name, own in {"lbfgs": {"where", "history"}, "adam": {"step", "laplacian"}}.items():
        settings = Settings(features={"a": 1}, optimizer={"name": name})
        common = {"name", "iterations", "passes", "clip", "parameters"}
        assert tomllib.loads(settings.to_toml())["optimizer"].keys() == common | own


HEAVY = ("keras", "tensorflow", "jax", "torch", "scipy.optimize", "scipy.ndimage", "matplotlib")


def test_settings_load_without_keras_or_scipy():
    code = (
        "import sys; from dreamscripts import Settings; "
        "Settings.load('bad_trip', **{'optimizer.name': 'adam', 'octaves.kind': 'split'}); "
        f"print([name for name in {HEAVY!r} if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
