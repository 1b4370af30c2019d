"""The hub of events: any thread publishes, and each open page has a mailbox with what it has not read yet."""

import asyncio
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from threading import Lock
from typing import Any

from dreamscripts.studio.json_text import to_json

MOST_UNREAD = 1000
"""Messages in a mailbox. A page that is further behind gets the whole state again."""


def message(name: str, data: Any) -> bytes:
    """Return a server-sent event."""
    return b"event: %s\ndata: %s\n\n" % (name.encode("ascii"), to_json(data))


class Mailbox:
    """The messages that one page has not read yet: of each subject the newest, in the order of their arrival.

    A slow page therefore costs little memory, however long it sleeps.
    """

    def __init__(self, most: int = MOST_UNREAD) -> None:
        self._most = most
        self._unread: dict[object, bytes] = {}
        self._lock = Lock()
        self._loop = asyncio.get_running_loop()
        self._arrived = asyncio.Event()
        self.is_late = False  # messages were dropped, so the page needs the whole state
        self.is_closed = False

    def put(self, subject: object, text: bytes) -> None:
        """Add a message from any thread. It replaces an unread one about the same subject."""
        with self._lock:
            was_empty = not self._unread
            self._unread.pop(subject, None)
            self._unread[subject] = text
            if len(self._unread) > self._most:
                self._unread.clear()
                self.is_late = True
        if was_empty or self.is_late:
            self._wake()

    def close(self) -> None:
        """End the stream that reads this mailbox. Any thread may call this."""
        self.is_closed = True
        self._wake()

    async def take(self, seconds: float) -> bytes:
        """Return the unread messages, and wait for the first one. Returns nothing after that many seconds."""
        try:
            await asyncio.wait_for(self._arrived.wait(), seconds)
        except TimeoutError:
            return b""
        self._arrived.clear()
        with self._lock:
            texts = b"".join(self._unread.values())
            self._unread.clear()
        return texts

    def forget(self) -> None:
        """Drop all messages, because the page gets the whole state now."""
        with self._lock:
            self._unread.clear()
            self.is_late = False

    def _wake(self) -> None:
        try:
            self._loop.call_soon_threadsafe(self._arrived.set)
        except RuntimeError:  # the server has ended
            return


class Hub:
    """Brings each published event to the mailboxes of all pages."""

    def __init__(self) -> None:
        self._mailboxes: set[Mailbox] = set()
        self._lock = Lock()

    def publish(self, name: str, data: Any | Callable[[], Any], subject: str = "") -> None:
        """Publish an event, from any thread. Of several unread ones with the same name and subject, one is kept.

        data: a value for JSON, or a function that returns it. The function is called only if a page is open.
        """
        with self._lock:
            mailboxes = list(self._mailboxes)
        if not mailboxes:
            return
        text = message(name, data() if callable(data) else data)
        for mailbox in mailboxes:
            mailbox.put((name, subject), text)

    @contextmanager
    def mailbox(self) -> Iterator[Mailbox]:
        """Yield a mailbox that gets all events until the end of the `with` statement."""
        mailbox = Mailbox()
        with self._lock:
            self._mailboxes.add(mailbox)
        try:
            yield mailbox
        finally:
            with self._lock:
                self._mailboxes.discard(mailbox)

    @property
    def readers(self) -> int:
        """The number of open pages."""
        return len(self._mailboxes)

    def close(self) -> None:
        """End the streams of all pages."""
        with self._lock:
            mailboxes = list(self._mailboxes)
        for mailbox in mailboxes:
            mailbox.close()
