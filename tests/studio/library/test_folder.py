"""The studio's own folder: nobody else can open it, and it keeps its token and its identifiers."""

import os
import stat

import pytest

from dreamscripts.errors import OutputError
from dreamscripts.studio.library.folder import STORE, StudioFolder


def mode(path):
    return stat.S_IMODE(path.stat().st_mode)


def test_the_store_and_its_secrets_are_for_this_user_only(tmp_path):
    previous = os.umask(0)  # the most careless
    try:
        folder = StudioFolder(tmp_path)
        token = folder.token()
    finally:
        os.umask(previous)
    assert len(token) >= 43
    assert mode(folder.store) == 0o700
    assert {mode(path) for path in folder.store.iterdir() if path.is_dir()} == {0o700}
    assert {mode(path) for path in folder.store.iterdir() if path.is_file()} == {0o600}
    assert (folder.store / "token").read_text() == token


def test_rights_that_were_given_away_are_taken_back(tmp_path):
    StudioFolder(tmp_path).token()
    for path in (tmp_path / STORE, tmp_path / STORE / "token"):
        path.chmod(0o777)
    folder = StudioFolder(tmp_path)
    folder.token()
    assert mode(folder.store) == 0o700
    assert mode(folder.store / "token") == 0o600


def test_the_token_and_the_identifiers_stay_and_differ_between_folders(tmp_path):
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    one, again, other = StudioFolder(tmp_path / "a"), StudioFolder(tmp_path / "a"), StudioFolder(tmp_path / "b")
    assert one.token() == again.token() != other.token()
    id = one.identify("run", "hills")
    assert id == again.identify("run", "hills")
    assert len({id, one.identify("sheet", "hills"), one.identify("run", "hill"), other.identify("run", "hills")}) == 4
    assert len(id) == 16
    assert int(id, 16) >= 0


def test_a_name_that_is_not_utf_8_has_an_identifier(tmp_path):
    folder = StudioFolder(tmp_path)
    assert folder.identify("run", os.fsdecode(b"\xff")) != folder.identify("run", os.fsdecode(b"\xfe"))


@pytest.mark.parametrize(
    "content", [b"", b"short", b"has spaces and so on, many many of them", b"\xff" * 50, b"x" * 5000]
)
def test_a_token_that_we_did_not_write_is_replaced(tmp_path, content):
    StudioFolder(tmp_path)
    (tmp_path / STORE / "token").write_bytes(content)
    token = StudioFolder(tmp_path).token()
    assert token.encode() != content
    assert StudioFolder(tmp_path).token() == token


@pytest.mark.parametrize("name", ["token", "secret"])
def test_a_secret_that_is_a_link_is_not_read_or_written_through(tmp_path, name):
    outside = tmp_path / "outside"
    outside.write_text("a" * 43)
    base = tmp_path / "base"
    base.mkdir()
    StudioFolder(base).token()
    (base / STORE / name).unlink()
    (base / STORE / name).symlink_to(outside)
    folder = StudioFolder(base)
    assert folder.token() != "a" * 43
    assert outside.read_text() == "a" * 43
    assert not (base / STORE / name).is_symlink()


@pytest.mark.parametrize("place", [STORE, f"{STORE}/trash"])
def test_a_store_that_is_a_link_or_a_file_is_refused(tmp_path, place):
    outside, base = tmp_path / "outside", tmp_path / "base"
    outside.mkdir()
    base.mkdir()
    path = base / place
    path.parent.mkdir(exist_ok=True)
    path.symlink_to(outside)
    with pytest.raises(OutputError, match="link"):
        StudioFolder(base)
    path.unlink()
    path.write_text("")
    with pytest.raises(OutputError, match=r"link|exists"):
        StudioFolder(base)
    assert list(outside.iterdir()) == []


def test_a_folder_that_is_missing_is_refused_in_words(tmp_path):
    with pytest.raises(OutputError, match="there is no such folder; make it first"):
        StudioFolder(tmp_path / "none")
    (tmp_path / "file").touch()
    with pytest.raises(OutputError, match="is not a folder"):
        StudioFolder(tmp_path / "file")
