"""Open the page in the browser of this machine, without telling other users the token."""

import html
import os
import sys
import threading
import webbrowser
from contextlib import suppress
from pathlib import Path

from dreamscripts.atomic_files import write_atomically
from dreamscripts.errors import DreamError


def open_browser(address: str, file: Path) -> None:
    """Write a file that leads to the address, and open it in the browser.

    The address contains the token, and every user of the machine can read the arguments of a browser that starts. The
    file is in a folder that only its owner can read. Nothing happens if there is no screen or no browser.
    """
    if not _has_screen():
        return
    place = html.escape(address)
    page = f'<!doctype html><meta charset="utf-8"><meta http-equiv="refresh" content="0; url={place}">\n'
    with suppress(DreamError):  # the address is in the terminal
        write_atomically(file, page.encode(), durable=False)
        file.chmod(0o600)
        threading.Thread(target=_open, args=(file.resolve().as_uri(),), daemon=True).start()  # some browsers block


def _open(address: str) -> None:
    with suppress(webbrowser.Error, OSError):
        webbrowser.open(address)


def _has_screen() -> bool:
    """Return whether a browser would open a window: in a terminal alone, it would take the terminal."""
    if os.name == "nt" or sys.platform == "darwin":
        return True
    return bool(os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY"))
