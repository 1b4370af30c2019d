"""The stream of events that an open page reads: the whole state, then what changes, and a sign of life in between."""

import asyncio
from collections.abc import AsyncIterator, Callable
from typing import Any

from dreamscripts.studio.events.hub import Hub, message

HEARTBEAT = 5.0  # seconds
SIGN_OF_LIFE = b": \n\n"


async def stream(hub: Hub, state: Callable[[], Any], heartbeat: float = HEARTBEAT) -> AsyncIterator[bytes]:
    """Yield the state as the first event, then all events of the hub, until the hub is closed.

    state: reads the state. It is called in another thread, because it looks into folders.
    """
    with hub.mailbox() as mailbox:  # opened before the state is read, so that no change falls in between
        yield message("state", await asyncio.to_thread(state))
        while not mailbox.is_closed:
            messages = await mailbox.take(heartbeat)
            if mailbox.is_late:
                mailbox.forget()
                yield message("state", await asyncio.to_thread(state))
            elif not mailbox.is_closed:
                yield messages or SIGN_OF_LIFE
