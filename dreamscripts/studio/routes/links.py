"""Links that open one file each: the key in a link is made from the token and the path, so it opens nothing else.

The browser sends no token for a picture, a film or a download, because a page cannot add a header to those.
"""

import hashlib
import hmac

KEY_LENGTH = 32  # hexadecimal digits: 128 bits


class Links:
    """Signs the paths of files with the token of the studio."""

    def __init__(self, token: str):
        self._secret = b"dreamscripts file link " + token.encode()

    def sign(self, path: str, version: str | int | None = None) -> str:
        """Return the path with its key. Another `version` makes the browser load the file again."""
        signed = f"{path}?key={self._key(path)}"
        return signed if version is None else f"{signed}&v={version}"

    def is_valid(self, path: str, key: str) -> bool:
        """Return whether this is the key of this path. The time does not depend on the key."""
        return hmac.compare_digest(key.encode(errors="replace"), self._key(path).encode())

    def _key(self, path: str) -> str:
        return hmac.new(self._secret, path.encode(errors="replace"), hashlib.sha256).hexdigest()[:KEY_LENGTH]
