"""The standard streams of a command: closed, full, slow, or with few characters, they never end it in a traceback."""

import codecs
import errno
import io
import os
import select
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TextIO

from dreamscripts.errors import shown

PLAIN = "dreamscripts.plain"
"""The error handler that writes characters in another way if the encoding of a stream does not have them."""
_INSTEAD = {"→": "->", "×": "x", "÷": "/", "…": "...", "–": "-", "—": "-", "−": "-", "·": ".", "²": "^2"}
_INSTEAD |= dict.fromkeys("“”", '"')
_CLOSED = (errno.EPIPE, errno.EIO, errno.ECONNRESET, errno.EINVAL)  # EIO: a terminal has gone; EINVAL: Windows


class OutputClosed(KeyboardInterrupt):
    """Stdout can no longer be written. It stops a command like Ctrl-C."""


class Stopped(BaseException):
    """A command was stopped. The arguments are lines for the user: what exists, and how to continue.

    It is not a KeyboardInterrupt, which Typer would turn into an exit code, without the lines.
    """


def _in_plain_characters(error: UnicodeError) -> tuple[str, int]:
    if not isinstance(error, UnicodeEncodeError):
        raise error
    refused = error.object[error.start : error.end]
    plain = "".join(_INSTEAD.get(character) or shown(character) for character in refused)
    return plain.encode("ascii", "backslashreplace").decode(), error.end


codecs.register_error(PLAIN, _in_plain_characters)


def open_missing() -> None:
    """Open the null device in place of a standard stream that the caller has closed.

    Otherwise the next file that is opened gets its number, and messages are written into that file.
    """
    for number in range(3):
        try:
            os.fstat(number)
        except OSError:
            os.set_inheritable(os.open(os.devnull, os.O_RDWR), True)  # it gets the lowest free number, which is this


class Output(io.RawIOBase):
    """The bytes of a standard stream. After the first failed write, all further bytes are dropped.

    If `raises`, the first write in the main thread after the failure raises OutputClosed.
    """

    def __init__(self, binary: Any, raises: bool):
        self._binary = binary
        self.raises = raises
        self.failure: OSError | None = None

    def writable(self) -> bool:
        return True

    def fileno(self) -> int:
        return self._binary.fileno()

    def isatty(self) -> bool:
        return self._binary.isatty()

    def write(self, data: Any) -> int:
        written = None if self.failure else self._try(data)
        if self.failure and self.raises and threading.current_thread() is threading.main_thread():
            self.raises = False
            raise OutputClosed
        return len(data) if written is None else written

    def _try(self, data: Any) -> int | None:
        try:
            while (written := self._binary.write(data)) is None:  # a pipe that does not block, and that is full
                select.select([], [self._binary], [])
            return written
        except OSError as error:
            self.failure = error
            return None

    @property
    def is_closed(self) -> bool:
        """Whether the reader has gone. Any other failure is an error that the user can mend, such as a full disk."""
        return self.failure is not None and self.failure.errno in _CLOSED

    @property
    def why_failed(self) -> str:
        """The failure in words."""
        if self.failure is None or self.is_closed:
            return "the output was closed"
        return f"the output cannot be written ({self.failure.strerror})"


def forget_impossible_sizes() -> None:
    """Remove COLUMNS and LINES from the environment if a terminal cannot have that many."""
    for name in ("COLUMNS", "LINES"):
        value = os.environ.get(name, "")
        if not (value.isascii() and value.isdecimal() and len(value) < 5 and int(value)):
            os.environ.pop(name, None)


@contextmanager
def guarded() -> Iterator[Output]:
    """Let sys.stdout and sys.stderr write with `Output`, in any encoding. Yields the bytes of stdout."""
    open_missing()
    before = sys.stdout, sys.stderr
    output, errors = Output(_binary(before[0]), raises=True), Output(_binary(before[1]), raises=False)
    sys.stdout, sys.stderr = _text(before[0], output), _text(before[1], errors)
    try:
        yield output
    finally:
        output.raises = False
        for stream in (sys.stdout, sys.stderr):
            stream.flush()
        sys.stdout, sys.stderr = before


def _binary(stream: TextIO | None) -> Any:
    """Return the file without a buffer that a stream writes to. Python then has nothing to write when it exits."""
    if stream is None:  # closed when Python started
        return Path(os.devnull).open("wb", buffering=0)
    stream.flush()
    return getattr(stream.buffer, "raw", stream.buffer)


def _text(before: TextIO | None, output: Output) -> TextIO:
    encoding = "utf-8" if before is None else before.encoding
    return io.TextIOWrapper(io.BufferedWriter(output), encoding, PLAIN, line_buffering=True)
