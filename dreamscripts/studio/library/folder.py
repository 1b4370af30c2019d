"""StudioFolder: the folder with the runs, and the hidden folder in it with what only the studio needs."""

import hashlib
import hmac
import os
import re
import secrets
import stat
from contextlib import suppress
from pathlib import Path

from dreamscripts.atomic_files import output_errors, write_atomically
from dreamscripts.errors import OutputError
from dreamscripts.studio.library import within
from dreamscripts.studio.library.within import Missing

STORE = ".dreamscripts-studio"
ROOMS = ("photographs", "previews", "jobs", "thumbnails", "trash")
TOKEN = re.compile(r"[A-Za-z0-9_-]{32,128}")
SECRET_LENGTH = 43  # characters: 256 bits


class StudioFolder:
    """The folder `base` with the person's runs, and `store`, the studio's own folder in it.

    Only this user can open the store. Runs and pictures have identifiers, from which no name can be guessed.
    """

    def __init__(self, base: str | Path = "."):
        """Make the store if it does not exist. Raises OutputError if the folder cannot be used."""
        base = Path(base)
        with output_errors(base):
            if not base.exists():
                raise OutputError(f"{base}: there is no such folder; make it first")
            if not base.is_dir():
                raise OutputError(f"{base}: is not a folder; name the folder of your dreams")
            self.base = base.resolve()
        self.store = self.base / STORE
        make_private(self.store)
        for room in ROOMS:
            make_private(self.store / room)
        self._secret = self._kept("secret").encode()

    def token(self) -> str:
        """Return the token that opens the page. It is kept, so that a page stays open when the server is restarted."""
        return self._kept("token")

    def identify(self, kind: str, name: str) -> str:
        """Return the identifier of a thing: 16 hexadecimal digits, always the same for this folder."""
        message = f"{kind}\0{name}".encode("utf-8", "surrogatepass")  # a name can have bytes that are not UTF-8
        return hmac.new(self._secret, message, hashlib.sha256).hexdigest()[:16]

    def _kept(self, name: str) -> str:
        """Return the secret text in a file of the store. Make the file if it is missing, or not what we wrote."""
        path = self.store / name
        with suppress(Missing):
            text = within.read(self.store, name, most=1000).decode("ascii", "replace").strip()
            if TOKEN.fullmatch(text):
                with output_errors(path):
                    path.chmod(0o600)
                return text
        text = secrets.token_urlsafe(SECRET_LENGTH * 3 // 4)
        write_atomically(path, text.encode())
        with output_errors(path):
            path.chmod(0o600)
        return text


def make_private(folder: Path) -> None:
    """Make a folder that only this user can open. Raises OutputError if it belongs to somebody else, or is a link."""
    with output_errors(folder):
        folder.mkdir(mode=0o700, exist_ok=True)
        found = folder.lstat()
        if not stat.S_ISDIR(found.st_mode):
            raise OutputError(f"{folder}: is a link or a file; remove it, so that the studio can make a folder")
        if hasattr(os, "getuid") and found.st_uid != os.getuid():
            raise OutputError(f"{folder}: belongs to another user; choose another folder for the studio")
        folder.chmod(0o700)
