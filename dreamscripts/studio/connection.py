"""A connection of the server that ends if its request does not arrive, and the server that serves such connections."""

import asyncio
import signal
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import uvicorn
from anyio import to_thread
from uvicorn.protocols.http.h11_impl import H11Protocol

from dreamscripts.studio.events.hub import Hub

PATIENCE = 15.0  # seconds from the first byte of a request to the end of its headers
LAST_MOMENTS = 2.0  # seconds for the answers that are under way when the server ends
MOST_CONNECTIONS = 500
THREADS = 8  # that read and write files: each keeps memory of its own
STOPS = [getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name)]


class Connection(H11Protocol):
    """A connection that is closed if the lines of a request come too slowly, or to make room for another."""

    _patience: asyncio.TimerHandle | None = None
    _last_heard = 0.0  # when the last bytes came

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Begin to wait for a request."""
        super().connection_made(transport)
        self._last_heard = self.loop.time()
        self._be_patient()
        if len(self.connections) > MOST_CONNECTIONS:
            self._make_room()

    def connection_lost(self, exc: Exception | None) -> None:
        """Stop waiting."""
        self._stop_waiting()
        super().connection_lost(exc)

    def handle_events(self) -> None:
        """Wait on if what has arrived is not a whole request."""
        self._last_heard = self.loop.time()
        super().handle_events()
        if self.cycle is not None and not self.cycle.response_complete:
            self._stop_waiting()
        elif self._patience is None:
            self._be_patient()

    def on_response_complete(self) -> None:
        """Give the next request its own time."""
        self._stop_waiting()
        super().on_response_complete()

    def _make_room(self) -> None:
        """End the connection that has been silent for longest. The page asks at once, and those of a flood do not."""
        ours = [one for one in self.connections if isinstance(one, Connection)]
        idle = [one for one in ours if one.cycle is None or one.cycle.response_complete]  # this one at least
        silent = min(idle, key=lambda one: one._last_heard)
        self.connections.discard(silent)
        silent.transport.abort()

    def _be_patient(self) -> None:
        self._patience = self.loop.call_later(PATIENCE, self.transport.close)

    def _stop_waiting(self) -> None:
        if self._patience is not None:
            self._patience.cancel()
            self._patience = None


class Server(uvicorn.Server):
    """A server that ends the streams of events before it waits for its connections to close."""

    def __init__(self, app: Any, hub: Hub, on_start: Callable[[], None]):
        super().__init__(
            uvicorn.Config(
                app,
                loop="asyncio",
                http=Connection,
                ws="none",
                lifespan="off",
                log_config=None,
                log_level="error",
                access_log=False,
                server_header=False,
                date_header=False,
                proxy_headers=False,
                timeout_keep_alive=30,
                timeout_graceful_shutdown=10,
            )
        )
        self._hub = hub
        self._on_start = on_start

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Start to answer, and then call `on_start`."""
        to_thread.current_default_thread_limiter().total_tokens = THREADS
        await super().startup(sockets)
        self._on_start()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """End the streams, which would never end by themselves, and soon all connections: a reader may be asleep."""
        self._hub.close()
        asyncio.get_running_loop().call_later(LAST_MOMENTS, self._end_connections)
        await super().shutdown(sockets)

    def _end_connections(self) -> None:
        for connection in list(self.server_state.connections):
            connection.transport.abort()

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """End the server at a signal. A signal that the caller ignores stays ignored, as with nohup."""
        is_main = threading.current_thread() is threading.main_thread()  # no other thread can hear signals
        heard = {number: signal.getsignal(number) for number in STOPS if is_main}
        heard = {number: before for number, before in heard.items() if before != signal.SIG_IGN}
        for number in heard:
            signal.signal(number, self.handle_exit)
        try:
            yield
        finally:
            for number, before in heard.items():
                signal.signal(number, before)
