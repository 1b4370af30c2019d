"""Looks: those of the package and a person's own, and what settings from a page may name."""

import pytest
from studio_library import open_library

from dreamscripts.errors import SettingsError
from dreamscripts.settings.loading import named
from dreamscripts.settings.schema import Settings
from dreamscripts.studio.library.within import Missing

TEXT = """# My own eyes.
network = "pocket"
size = 300

[features]
block4_conv1 = 1
"""


def test_all_named_settings_are_looks_with_a_title_and_a_sentence(library):
    looks = {look.name: look for look in library.looks.all()}
    usable = {name: about for name, about in named().items() if name != "caffe_guided"}  # it needs a guide picture
    assert {name: look.about for name, look in looks.items()} == usable
    assert looks["bad_trip"].title == "Bad trip"
    assert not any(look.own for look in looks.values())
    for name in looks:
        assert library.looks.toml(name).startswith(f"# {looks[name].about}")


def test_looks_that_need_no_photograph_or_a_guide_have_no_preview_and_eight_come_first(library):
    ranks = {look.name: look.preview_rank for look in library.looks.all()}
    assert sorted(name for name, rank in ranks.items() if rank is not None and rank < 8) == sorted(
        ["menagerie", "dreamy", "bad_trip", "marble", "bad_trip_octaves", "hardcore", "tutorial_octaves", "caffe"]
    )
    assert len({rank for rank in ranks.values() if rank is not None and rank < 8}) == 8
    assert ranks["fourier"] is ranks["notebook_channel"] is ranks["gallery"] is None


def test_an_own_look_is_saved_as_a_file_for_the_command_line_and_deleted(library):
    look = library.looks.save("my-eyes_2", TEXT)
    assert (look.name, look.title, look.about, look.own) == ("my-eyes_2", "My eyes 2", "My own eyes.", True)
    assert look.preview_rank is not None
    assert (library.base / "my-eyes_2.toml").read_text() == TEXT
    assert library.looks.toml("my-eyes_2") == TEXT
    assert Settings.load(library.base / "my-eyes_2.toml").size == 300
    assert open_library(library.base).looks.get("my-eyes_2") == look
    library.looks.save("my-eyes_2", TEXT.replace("300", "400").replace("eyes", "nose"))
    assert library.looks.get("my-eyes_2").about == "My own nose."
    library.looks.delete("my-eyes_2")
    assert not (library.base / "my-eyes_2.toml").exists()
    with pytest.raises(Missing):
        library.looks.toml("my-eyes_2")


@pytest.mark.parametrize("name", ["", "A", "a b", "../x", "a/b", "a.b", "ü", "a\n", "x" * 61, "a\0", ".x", "CON "])
def test_other_names_are_refused(library, name):
    with pytest.raises(SettingsError, match="name of a look"):
        library.looks.save(name, TEXT)
    with pytest.raises(Missing):
        library.looks.toml(name)
    with pytest.raises(Missing):
        library.looks.delete(name)
    assert list(library.base.glob("**/*.toml")) == []


def test_the_looks_of_the_package_are_neither_replaced_nor_deleted(library):
    for act in (lambda: library.looks.save("dreamy", TEXT), lambda: library.looks.delete("dreamy")):
        with pytest.raises(SettingsError, match="look of dreamscripts"):
            act()
    (library.base / "dreamy.toml").write_text(TEXT)
    assert not library.looks.get("dreamy").own
    assert library.looks.toml("dreamy") != TEXT


def test_another_file_of_the_person_is_never_replaced_or_shown(library):
    (library.base / "pyproject.toml").write_text("[project]\nname = 'x'\n")
    (library.base / "broken.toml").write_text("[[[")
    (library.base / "bytes.toml").write_bytes(b"\xff\xfe")
    (library.base / "folder.toml").mkdir()
    (library.base / "large.toml").write_text("#" * 1_000_000)
    (library.base / "Upper.toml").write_text(TEXT)
    assert not any(look.own for look in library.looks.all())
    for name in ("pyproject", "broken", "bytes", "folder", "large"):
        with pytest.raises(SettingsError, match="another file"):
            library.looks.save(name, TEXT)
        with pytest.raises(Missing):
            library.looks.delete(name)
    assert (library.base / "pyproject.toml").read_text() == "[project]\nname = 'x'\n"


def test_a_look_that_is_a_link_is_not_read_written_or_deleted(library, tmp_path):
    outside = tmp_path / "outside.toml"
    outside.write_text(TEXT)
    (library.base / "link.toml").symlink_to(outside)
    assert "link" not in {look.name for look in library.looks.all()}
    with pytest.raises(SettingsError, match="another file"):
        library.looks.save("link", TEXT.replace("300", "5"))
    with pytest.raises(Missing):
        library.looks.delete("link")
    assert outside.read_text() == TEXT


def test_an_own_look_of_a_file_that_is_not_allowed_is_shown_but_cannot_be_used(library, tmp_path):
    (library.base / "mine.toml").write_text(TEXT.replace("pocket", str(tmp_path / "x.keras")))
    assert library.looks.get("mine").preview_rank is None
    assert library.looks.check(library.looks.toml("mine")).problem


def test_checked_settings_have_all_values_by_their_dotted_keys(library):
    checked = library.looks.check(TEXT)
    assert checked.problem is None
    assert checked.values["size"] == 300
    assert checked.values["seed"] == 0
    assert checked.values["penalties.continuity"] == 0.0
    assert checked.values["octaves.count"] == 1
    assert checked.values["tiles.kind"] is None
    assert "optimizer.step" not in checked.values  # L-BFGS has none
    assert "features" not in checked.values
    assert "zoom" not in checked.values
    assert checked.features == {"block4_conv1": {"weight": 1.0}}
    assert (checked.network, checked.optimizer) == ("pocket", "lbfgs")
    assert checked.settings == Settings.from_toml(TEXT)


PROBLEMS = [
    ("size = \n", "This is not valid TOML: Invalid value", 1),
    ("# a\n\n[features", "This is not valid TOML: Expected ']'", 3),
    (TEXT.replace("300", "3.5"), "size = 3.5: should be a whole number", 3),
    (TEXT.replace("size", "sise"), "there is no setting 'sise' (did you mean 'size'?)", 3),
    (TEXT + "[optimizer]\nclip = 3\n", "optimizer.clip = 3", 8),
    (TEXT + "[optimizer]\nclipp = true\n", "there is no setting 'optimizer.clipp'", 8),
    (TEXT + "[optimizer]\nstep = 3\n", "lbfgs has no setting 'optimizer.step'", 8),
    (TEXT + "optimizer.clip = 3\n", "features", None),
    (TEXT.replace("= 1", "= -1"), "features.block4_conv1", 6),
    ("size = 100\n", "the table [features] is missing", None),
    (TEXT.replace("pocket", "pockte"), "there is no network called 'pockte'", None),
    (TEXT + "[octaves]\ncount = 2\nabove = 3\n", "octaves.above = 3 must be less", 9),
    (TEXT.replace("300", "1_0"), None, None),
    ("", "the table [features] is missing", None),
    (TEXT + '[jitter]\n"shift" = "x"\n', "jitter.shift = 'x'", 8),
    ('features = {block4_conv1 = 1}\noctaves.count = "x"\n', "octaves.count = 'x'", 2),
    ("x" * 200_000, "are longer than", None),
    ("a = " + "[" * 10_000, "This is not valid TOML", None),
    ("a" * 99_000 + " = 1", "there is no setting", None),
]


@pytest.mark.parametrize(("text", "message", "line"), PROBLEMS, ids=range(len(PROBLEMS)))
def test_what_is_wrong_is_said_in_one_line_with_its_place(library, text, message, line):
    checked = library.looks.check(text)
    if message is None:
        assert checked.problem is None
        return
    assert message in checked.problem.message
    assert "\n" not in checked.problem.message
    assert not checked.problem.message.startswith("settings:")
    if line is not None:
        assert checked.problem.line == line
    assert checked.settings is None
    assert checked.toml == text


def test_of_settings_with_a_problem_the_values_that_are_written_are_shown(library):
    checked = library.looks.check(TEXT.replace("300", "3.5") + "[optimizer]\nname = 'adam'\n")
    assert checked.values == {"network": "pocket", "size": 3.5, "optimizer.name": "adam"}
    assert checked.features == {"block4_conv1": {"weight": 1}}
    assert (checked.network, checked.optimizer) == ("pocket", "adam")


FILES = [
    'network = "{}"\n[features]\na = 1',
    'network = "pocket"\nweights = "{}"\n[features]\nblock4_conv1 = 1',
    'network = "pocket"\nmeasure = "guide"\n[guide]\npicture = "{}"\n[features]\nblock4_conv1 = 1',
]
PATHS = ["evil.keras", "/tmp/evil.keras", "~/evil.h5", "../../evil.keras", "\\\\server\\share\\evil.keras"]


@pytest.mark.parametrize("text", FILES)
@pytest.mark.parametrize("path", PATHS)
def test_settings_name_no_file_of_this_machine(library, text, path, monkeypatch):
    monkeypatch.chdir(library.base)
    (library.base / "evil.keras").write_bytes(b"")
    toml = text.replace("{}", path.replace("\\", "\\\\"))
    checked = library.looks.check(toml)
    assert "--allow FILE" in checked.problem.message
    assert checked.settings is None
    with pytest.raises(SettingsError):
        library.looks.load(toml)
    with pytest.raises(SettingsError):
        library.looks.save("mine", toml)
    assert library.looks.change(TEXT, {"network": path}).problem


@pytest.mark.parametrize("network", ["/etc/passwd", "photo.png", "../x", "evil"])
def test_a_network_is_one_of_dreamscripts_and_no_other_file(library, network, monkeypatch):
    monkeypatch.chdir(library.base)
    (library.base / "evil").write_bytes(b"x")
    (library.base / "photo.png").write_bytes(b"x")
    assert library.looks.check(TEXT.replace("pocket", network)).problem.message.find("network") >= 0


def test_a_file_that_the_server_allows_may_be_named_and_no_other(library, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name in ("good.keras", "other.keras"):
        (tmp_path / name).write_bytes(b"")
    looks = open_library(library.base, ["good.keras"]).looks
    assert looks.load(f'network = "{tmp_path}/good.keras"\n[features]\na = 1').network == str(tmp_path / "good.keras")
    assert looks.load('network = "good.keras"\n[features]\na = 1').network == str(tmp_path / "good.keras")
    for other in ("other.keras", "good.keras/../other.keras", "good.keras.keras"):
        assert looks.check(f'network = "{tmp_path}/{other}"\n[features]\na = 1').problem
    assert looks.check('network = "pocket"\nweights = "good.keras.h5"\n[features]\na = 1').problem


def test_changes_are_checked_and_a_wrong_one_leaves_the_text(library):
    checked = library.looks.change(TEXT, {"size": 64, "optimizer.name": "adam"})
    assert (checked.problem, checked.values["size"], checked.optimizer) == (None, 64, "adam")
    assert checked.toml.startswith("# My own eyes.")
    wrong = library.looks.change(TEXT, {"size": "large"})
    assert "size = 'large'" in wrong.problem.message
    assert wrong.problem.line == 3
    assert library.looks.change("[", {"size": 1}).toml == "["
    assert library.looks.change(TEXT, {"size.x": 1}).problem
