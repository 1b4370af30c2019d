"""The socket that the studio listens on, and the addresses that lead to it."""

import errno
import ipaddress
import os
import socket
from dataclasses import dataclass

from dreamscripts.errors import DreamError
from dreamscripts.studio.routes.guard import Names

PORT = 8765
MOST_TRIES = 100
EVERYWHERE = ("0.0.0.0", "::")


@dataclass(frozen=True)
class Listener:
    """A listening socket, with the host name under which a browser reaches it."""

    socket: socket.socket
    host: str
    names: Names
    is_public: bool  # whether other machines reach it

    def close(self) -> None:
        """Listen no more."""
        self.socket.close()

    @property
    def port(self) -> int:
        """The port, which may be another than the one asked for."""
        return self.names.port

    def address(self, token: str) -> str:
        """Return the address that opens the page. No server gets to see what follows the #."""
        return f"http://{self.host}:{self.port}/#token={token}"


def listen(host: str, port: int | None) -> Listener:
    """Listen on a host and a port. Without a port, it is the first free one from PORT. Raises DreamError."""
    bound = _bind(host, port)
    number = bound.getsockname()[1]
    if host in EVERYWHERE:
        name = socket.gethostname()
        names = Names.of([name, f"{name}.local"], number, any_address=True)
        return Listener(bound, _own_address(), names, is_public=True)
    shown = f"[{host}]" if ":" in host else host
    return Listener(bound, shown, Names.of([shown], number), not _is_loopback(bound.getsockname()[0]))


def _bind(host: str, port: int | None) -> socket.socket:
    ports = range(PORT, PORT + MOST_TRIES) if port is None else [port]
    for number in ports:
        try:
            return _bound(host, number)
        except (socket.gaierror, UnicodeError):
            raise DreamError(f"--host {host}: is not an address of this machine; use 127.0.0.1 or 0.0.0.0") from None
        except OSError as error:
            if error.errno == errno.EADDRNOTAVAIL:
                raise DreamError(
                    f"--host {host}: is not an address of this machine; use 127.0.0.1 or 0.0.0.0"
                ) from None
            if error.errno == errno.EACCES:
                raise DreamError(f"--port {number}: is reserved for the system; choose one from 1024") from None
            if error.errno != errno.EADDRINUSE:
                raise DreamError(f"cannot listen on {host}, port {number}: {error.strerror or error}") from None
    if port is not None:
        raise DreamError(f"--port {port}: is in use by another program; choose another, or leave --port out")
    raise DreamError(f"no port from {PORT} to {PORT + MOST_TRIES - 1} is free; choose one with --port")


def _bound(host: str, port: int) -> socket.socket:
    family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
    new = socket.socket(family, kind, protocol)
    try:
        if os.name != "nt":  # a port is free again at once; on Windows, two programs could have it at the same time
            new.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        new.bind(address)
        new.listen(128)
    except OSError:
        new.close()
        raise
    return new


def _is_loopback(address: str) -> bool:
    return ipaddress.ip_address(address.partition("%")[0]).is_loopback


def _own_address() -> str:
    """Return the address of this machine in its network. Nothing is sent for this."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(("192.0.2.1", 9))  # an address for documents, which belongs to nobody
            return probe.getsockname()[0]
        except OSError:  # there is no network
            return "127.0.0.1"
