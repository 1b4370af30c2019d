import io
import secrets

import pytest
from hypothesis import given
from hypothesis import strategies as st
from stores import BUCKET, s3_server

from dreamscripts.errors import DreamError, OutputError
from dreamscripts.jobs.remote_folder import RemoteFolder

pytest.importorskip("fsspec")


@pytest.fixture(scope="module")
def s3():
    pytest.importorskip("s3fs")
    pytest.importorskip("moto")
    with s3_server() as environment:
        yield environment


@pytest.fixture(params=["memory", "file", "s3"])
def folder(request, tmp_path, monkeypatch):
    """Return an empty folder in each kind of store."""
    if request.param == "s3":
        for name, value in request.getfixturevalue("s3").items():
            monkeypatch.setenv(name, value)
    place = {"memory": f"/{secrets.token_hex(4)}", "file": str(tmp_path), "s3": f"{BUCKET}/{secrets.token_hex(4)}"}
    return RemoteFolder(f"{request.param}://{place[request.param]}/two words/")


def test_files_are_written_read_listed_and_deleted(folder, tmp_path):
    assert folder.names() == [] and folder.get("run/a.png") is None and not folder.exists("run/a.png")
    (tmp_path / "local").write_bytes(b"picture")
    folder.push(tmp_path / "local", "run/a.png")
    folder.put("run-2/b.png", b"other")
    folder.put("ledger", b"1")
    folder.put("ledger", b"22")
    assert folder.get("run/a.png") == b"picture" and folder.get("ledger") == b"22" and folder.exists("ledger")
    assert not folder.exists("run")
    assert folder.names() == ["ledger", "run-2/b.png", "run/a.png"]
    assert folder.names("run/") == ["run/a.png"]
    assert folder.names("run") == ["run-2/b.png", "run/a.png"]
    folder.delete("run/a.png")
    folder.delete("run/a.png")
    assert folder.names("run/") == []


def test_another_process_sees_it_at_once(folder):
    other = RemoteFolder(folder._store.unstrip_protocol(folder._root))
    assert other.names("run/") == []
    folder.put("run/a", b"1")
    assert other.names("run/") == ["run/a"] and other.get("run/a") == b"1"
    folder.put("run/a", b"23")
    assert other.get("run/a") == b"23"


def test_a_file_that_is_too_large_is_refused(folder):
    folder.put("a", b"12345")
    file = io.BytesIO()
    assert folder.fetch("a", file, 5) == 5 and file.getvalue() == b"12345"
    with pytest.raises(OutputError, match="a: is too large"):
        folder.fetch("a", io.BytesIO(), 4)
    with pytest.raises(OutputError, match="b: does not exist"):
        folder.fetch("b", io.BytesIO(), 4)


def test_a_push_that_is_cut_leaves_the_old_file(folder, tmp_path, monkeypatch):
    folder.put("a", b"old")

    def cut(source, path, **options):
        if not folder._is_atomic:
            folder._store.pipe_file(path, b"ne")
        raise ConnectionError("cut")

    monkeypatch.setattr(folder._store, "put_file", cut)
    (tmp_path / "local").write_bytes(b"new")
    with pytest.raises(OutputError, match="a: cut"):
        folder.push(tmp_path / "local", "a")
    assert folder.get("a") == b"old"


names = st.text("ab.", min_size=1, max_size=4).filter(lambda name: name.strip("."))


@given(st.dictionaries(st.lists(names, min_size=1, max_size=2).map("/".join), st.binary(max_size=9)), st.text("ab/."))
def test_names_are_those_that_begin_so(files, prefix):
    files = {
        name: content for name, content in files.items() if not any(other.startswith(f"{name}/") for other in files)
    }
    folder = RemoteFolder(f"memory://{secrets.token_hex(8)}")
    for name, content in files.items():
        folder.put(name, content)
    assert {name: folder.get(name) for name in folder.names()} == files
    if "//" not in prefix and not prefix.startswith(("/", ".")) and "/." not in prefix:
        assert folder.names(prefix) == sorted(name for name in files if name.startswith(prefix))


@pytest.mark.parametrize("url", ["nothing://a", "s4://bucket/folder", "github://"])
def test_a_store_that_cannot_be_used_is_one_line(url):
    with pytest.raises(DreamError) as error:
        RemoteFolder(url)
    assert str(error.value).startswith(url.rstrip("/")) and "\n" not in str(error.value)


def test_a_server_that_does_not_answer_is_one_line(s3, monkeypatch):
    for name, value in (s3 | {"AWS_ENDPOINT_URL": "http://127.0.0.1:9", "AWS_MAX_ATTEMPTS": "1"}).items():
        monkeypatch.setenv(name, value)
    RemoteFolder(f"s3://{BUCKET}")._store.clear_instance_cache()
    folder = RemoteFolder(f"s3://{BUCKET}/nowhere")
    folder._store.clear_instance_cache()
    folder._store.retries = 1
    with pytest.raises(OutputError, match="s3://dreams/nowhere/a: ") as error:
        folder.put("a", b"")
    assert "\n" not in str(error.value)


def test_no_message_shows_a_password():
    with pytest.raises(DreamError) as error:
        RemoteFolder("nothing://me:secret@host/folder")
    assert "secret" not in str(error.value)
