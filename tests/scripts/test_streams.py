"""Output that is closed, full, slow, or has few characters."""

import errno
import fcntl
import io
import os
import subprocess
import sys
import threading

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dreamscripts.errors import shown
from dreamscripts.images.files import open_picture
from dreamscripts.scripts import COMMANDS, main, streams
from dreamscripts.scripts.streams import Output, OutputClosed, guarded

FAST = ("-n", "pocket", "-s", "bad_trip", "--size", "64", "--set", "optimizer.passes=2")


class Failing(io.RawIOBase):
    """A stream whose writes fail after the first `writes`."""

    def __init__(self, number: int, writes: int = 0):
        self.number, self.writes, self.content = number, writes, b""

    def writable(self):
        return True

    def write(self, data):
        if self.writes == 0:
            raise OSError(self.number, os.strerror(self.number))
        self.writes -= 1
        self.content += bytes(data)
        return len(data)


def on(binary, monkeypatch, encoding="utf-8", name="stdout") -> None:
    """Replace a standard stream."""
    monkeypatch.setattr(sys, name, io.TextIOWrapper(io.BufferedWriter(binary), encoding))


def end_of(*arguments, monkeypatch) -> int:
    """Run a command in this process, and return its exit code."""
    monkeypatch.setattr(sys, "argv", ["dreamscripts", *map(str, arguments)])
    with pytest.raises(SystemExit) as ended:
        main()
    return ended.value.code


def written(text: str, encoding: str) -> bytes:
    """Return what a command writes if it prints a text."""
    before, sys.stdout = sys.stdout, io.TextIOWrapper(stored := io.BytesIO(), encoding, newline="")
    try:
        with guarded():
            sys.stdout.write(text)
        return stored.getvalue()
    finally:
        sys.stdout = before


@pytest.mark.parametrize(
    ("encoding", "expected"),
    [
        ("ascii", rb"a.png -> run/ (3x3...) - \u5915 \xe9 \xff"),
        ("latin-1", b"a.png -> run/ (3\xd73...) - \\u5915 \xe9 \\xff"),
        ("cp1252", b"a.png -> run/ (3\xd73\x85) - \\u5915 \xe9 \\xff"),
        ("utf-8", "a.png → run/ (3×3…) − 夕 é ".encode() + rb"\xff"),
    ],
)
def test_characters_that_an_encoding_lacks_are_written_in_another_way(encoding, expected):
    assert written("a.png → run/ (3×3…) − 夕 é \udcff", encoding).replace(b"\r\n", b"\n") == expected


@given(st.text(st.characters(codec=None)), st.sampled_from(["ascii", "cp1252", "cp437", "shift_jis", "utf-8"]))
def test_any_text_can_be_written_in_any_encoding(text, encoding):
    assert bool(written(shown(text), encoding).decode(encoding)) == bool(text)


@pytest.mark.parametrize("command", [name for name, *_ in COMMANDS])
def test_help_is_written_in_ascii(command, monkeypatch):
    """Typer writes UTF-8 to a stream whose encoding is ASCII."""
    stored = Failing(0, writes=-1)
    on(stored, monkeypatch, "ascii")
    assert end_of(command, "--help", monkeypatch=monkeypatch) == 0
    assert b"Usage" in stored.content
    assert stored.content.isascii()


@pytest.mark.parametrize("arguments", [["--help"], ["--version"], ["settings"], ["settings", "show", "bad_trip"]])
@pytest.mark.parametrize(
    ("number", "code", "says"),
    [
        (errno.EPIPE, 130, "dreamscripts: the output was closed"),
        (errno.ENOSPC, 2, "dreamscripts: the output cannot be written (No space left on device)"),
    ],
)
def test_an_output_that_fails_ends_a_command_in_a_line(arguments, number, code, says, monkeypatch, capsys):
    on(Failing(number), monkeypatch)
    assert end_of(*arguments, monkeypatch=monkeypatch) == code
    assert capsys.readouterr().err == f"{says}\n"


def test_errors_that_cannot_be_printed_keep_their_exit_code(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    for stream in ("stdout", "stderr"):
        on(Failing(errno.ENOSPC), monkeypatch, name=stream)
    assert end_of("dream", "nowhere.jpg", monkeypatch=monkeypatch) == 2
    assert end_of("--help", monkeypatch=monkeypatch) == 2


@pytest.mark.usefixtures("compiled_once")
def test_a_run_whose_output_is_closed_says_how_to_go_on_and_ends_in_the_same_bytes(
    photo, tmp_path, monkeypatch, capsys
):
    monkeypatch.chdir(tmp_path)
    arguments = ("dream", photo, *FAST, "-i", "2")
    with monkeypatch.context() as closed:
        pipe = Failing(errno.EPIPE, writes=2)  # the photo, and iteration 0
        on(pipe, closed)
        assert end_of(*arguments, "-o", "it's", monkeypatch=closed) == 130
    assert pipe.content.decode().splitlines()[0] == "photo.jpg → it's/  (pocket, bad_trip)"
    assert capsys.readouterr().err.splitlines() == [
        "dreamscripts: the output was closed: stopped after iteration 1; it's/final.png shows it",
        """Continue with: dreamscripts dream --resume --output 'it'"'"'s'""",
    ]
    assert end_of("dream", "--resume", "-o", "it's", monkeypatch=monkeypatch) == 0
    assert end_of(*arguments, "-o", "whole", monkeypatch=monkeypatch) == 0
    assert (tmp_path / "it's" / "final.png").read_bytes() == (tmp_path / "whole" / "final.png").read_bytes()


@pytest.mark.usefixtures("compiled_once")
def test_a_run_that_is_stopped_before_its_first_picture_leaves_nothing(photo, tmp_path, monkeypatch, capsys):
    def start_keras(*arguments):
        raise KeyboardInterrupt

    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("dreamscripts.backends.startup.start_keras", start_keras)
    assert end_of("dream", photo, *FAST, "-o", "run", monkeypatch=monkeypatch) == 130
    seen = capsys.readouterr()
    assert seen.err == "dreamscripts: stopped before the first iteration; nothing was written\n"
    assert seen.out == ""
    assert not (tmp_path / "run").exists()


def test_a_failure_is_raised_once_and_in_the_main_thread_only():
    output = Output(Failing(errno.EIO), raises=True)  # the terminal has gone
    other = threading.Thread(target=lambda: seen.append(output.write(b"bar")))
    seen: list[int] = []
    other.start()
    other.join()
    assert seen == [3]
    with pytest.raises(OutputClosed):
        output.write(b"line")
    assert output.write(b"another") == 7
    assert output.is_closed


def test_a_full_pipe_that_does_not_block_is_waited_for(monkeypatch):
    reader, writer = os.pipe()
    fcntl.fcntl(writer, fcntl.F_SETFL, os.O_NONBLOCK)
    text = "".join(f"line {number}\n" for number in range(20_000))  # more than a pipe holds
    seen = []

    def read():
        with os.fdopen(reader, "rb") as source:
            seen.append(source.read().decode())

    other = threading.Thread(target=read)
    on(io.FileIO(writer, "w"), monkeypatch)
    before = sys.stdout
    with guarded():
        threading.Timer(0.2, other.start).start()
        print(text, end="")
    before.close()
    other.join()
    assert seen == [text]


def test_without_streams_a_command_works(monkeypatch):
    monkeypatch.setattr(sys, "stdout", None)  # as Python does if they are closed
    monkeypatch.setattr(sys, "stderr", None)
    assert end_of("settings", monkeypatch=monkeypatch) == 0
    assert end_of("settings", "show", "nowhere", monkeypatch=monkeypatch) == 2


def test_no_file_gets_the_number_of_a_closed_stream(tmp_path):
    program = (
        "import os, sys\nfrom dreamscripts.scripts import main\n"
        "from dreamscripts.scripts.streams import guarded\n"
        "with guarded():\n"
        f"    file = open({str(tmp_path / 'file')!r}, 'w')\n"
        "    os.write(1, b'native'); os.write(2, b'native')\n"
        "    file.write(str(file.fileno()))\n"
    )
    closed = 'exec "$0" -c "$1" <&- >&- 2>&-'
    subprocess.run(["sh", "-c", closed, sys.executable, program], check=True)
    assert int((tmp_path / "file").read_text()) > 2


@pytest.mark.parametrize("value", ["0", "-4", "wide", "²", "99999999999", ""])
def test_sizes_that_no_terminal_has_are_forgotten(value, monkeypatch):
    monkeypatch.setenv("COLUMNS", value)
    monkeypatch.setenv("LINES", value)
    streams.forget_impossible_sizes()
    assert "COLUMNS" not in os.environ
    assert "LINES" not in os.environ
    monkeypatch.setenv("COLUMNS", "20")
    streams.forget_impossible_sizes()
    assert os.environ["COLUMNS"] == "20"


@pytest.mark.usefixtures("compiled_once")
def test_a_photo_whose_name_is_not_utf_8_is_dreamt_and_resumed(photo, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    odd = photo.rename(photo.with_name("p_\udcff [x] $1$ :cat:.jpg"))
    assert end_of("dream", odd, *FAST, "-i", "1", monkeypatch=monkeypatch) == 0
    folder = tmp_path / "p_\udcff [x] $1$ :cat:-bad_trip"
    assert open_picture(folder / "final.png").shape == (48, 64, 3)
    first, *_ = capsys.readouterr().out.splitlines()
    assert first == r"p_\xff [x] $1$ :cat:.jpg → p_\xff [x] $1$ :cat:-bad_trip/  (pocket, bad_trip)"
    assert end_of("dream", odd, *FAST, "--resume", monkeypatch=monkeypatch) == 2
    assert "this run is complete" in capsys.readouterr().err


def test_a_guide_whose_name_is_not_utf_8_is_refused_before_work_begins(photo, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    guide = photo.with_name("\udcff.jpg")
    assert end_of("dream", photo, "-s", "caffe_guided", "--guide", guide, monkeypatch=monkeypatch) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line.endswith(r"\xff.jpg: is not UTF-8, so settings cannot contain it; rename the file")
    assert not any(path.is_dir() and path.name != "pictures" for path in tmp_path.iterdir())


def test_a_settings_file_is_shown_on_a_terminal_and_kept_in_a_file(tmp_path, monkeypatch, capsys):
    content = '# \x1b[31mred → \u202e\r\nnetwork = "pocket"\r\n'.encode()
    (tmp_path / "odd.toml").write_bytes(content)
    stored = Failing(0, writes=-1)
    with monkeypatch.context() as redirected:
        on(stored, redirected, "ascii")
        assert end_of("settings", "show", tmp_path / "odd.toml", monkeypatch=redirected) == 0
    assert stored.content == content
    monkeypatch.setattr(Output, "isatty", lambda self: True)
    assert end_of("settings", "show", tmp_path / "odd.toml", monkeypatch=monkeypatch) == 0
    assert capsys.readouterr().out == '# \\x1b[31mred → \\u202e\nnetwork = "pocket"\n'
