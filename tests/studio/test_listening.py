"""The socket of the studio and its addresses."""

import socket

import pytest

from dreamscripts.errors import DreamError
from dreamscripts.studio import listening
from dreamscripts.studio.listening import listen


@pytest.fixture
def taken():
    """Yield a port that somebody listens on."""
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        yield other.getsockname()[1]


def test_it_listens_on_this_machine_only():
    listener = listen("127.0.0.1", 0)
    with listener.socket:
        assert listener.socket.getsockname() == ("127.0.0.1", listener.port)
        assert listener.address("T") == f"http://127.0.0.1:{listener.port}/#token=T"
        assert not listener.is_public
        assert listener.names.include(f"localhost:{listener.port}")
        assert not listener.names.include(f"192.168.1.5:{listener.port}")


def test_the_next_free_port_is_taken(monkeypatch, taken):
    monkeypatch.setattr(listening, "PORT", taken)
    with listen("127.0.0.1", None).socket as found:
        assert taken < found.getsockname()[1] < taken + listening.MOST_TRIES


def test_a_port_that_was_asked_for_is_not_replaced(taken):
    with pytest.raises(DreamError, match=f"--port {taken}: is in use"):
        listen("127.0.0.1", taken)


def test_no_free_port_is_said(monkeypatch, taken):
    monkeypatch.setattr(listening, "PORT", taken)
    monkeypatch.setattr(listening, "MOST_TRIES", 1)
    with pytest.raises(DreamError, match="no port from"):
        listen("127.0.0.1", None)


@pytest.mark.parametrize("host", ["no.such.host.invalid", "192.0.2.77", "not a host", "x" * 300, ""])
def test_an_address_that_is_not_of_this_machine_is_refused(host):
    with pytest.raises(DreamError, match="--host"):
        listen(host, 0)


def test_for_other_machines_the_address_is_that_of_this_one(monkeypatch):
    monkeypatch.setattr(listening, "_own_address", lambda: "192.168.1.5")
    listener = listen("0.0.0.0", 0)
    with listener.socket:
        assert listener.is_public
        assert listener.address("T").startswith(f"http://192.168.1.5:{listener.port}/")
        assert listener.names.include(f"192.168.1.5:{listener.port}")
        assert listener.names.include(f"{socket.gethostname()}:{listener.port}")
        assert not listener.names.include(f"evil.example:{listener.port}")


def test_the_own_address_is_one():
    assert socket.inet_aton(listening._own_address())


@pytest.mark.skipif(not socket.has_ipv6, reason="this machine has no IPv6")
def test_ipv6_has_brackets():
    try:
        listener = listen("::1", 0)
    except DreamError:
        pytest.skip("this machine has no IPv6")
    with listener.socket:
        assert listener.address("T").startswith(f"http://[::1]:{listener.port}/")
        assert listener.names.include(f"[::1]:{listener.port}")
        assert not listener.is_public
