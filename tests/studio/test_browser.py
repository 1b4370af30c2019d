"""The browser is opened without telling the token to other users of the machine."""

import os
import stat
import threading

import pytest

from dreamscripts.studio import browser

ADDRESS = "http://127.0.0.1:8765/#token=secret"


@pytest.fixture
def opened(monkeypatch):
    """Return the addresses that the browser was asked to open, and an event for the first one."""
    addresses, event = [], threading.Event()
    monkeypatch.setattr(browser.webbrowser, "open", lambda address: (addresses.append(address), event.set()))
    return addresses, event


def test_the_token_is_in_a_private_file_only(monkeypatch, opened, tmp_path):
    monkeypatch.setattr(browser, "_has_screen", lambda: True)
    file = tmp_path / "open.html"
    browser.open_browser(ADDRESS, file)
    addresses, event = opened
    assert event.wait(10)
    assert addresses == [file.as_uri()]
    assert "secret" not in addresses[0]
    assert f'content="0; url={ADDRESS}"' in file.read_text()
    if os.name != "nt":
        assert stat.S_IMODE(file.stat().st_mode) == 0o600


def test_a_terminal_alone_stays_a_terminal(monkeypatch, opened, tmp_path):
    monkeypatch.setattr(browser, "_has_screen", lambda: False)
    browser.open_browser(ADDRESS, tmp_path / "open.html")
    assert opened[0] == []
    assert not (tmp_path / "open.html").exists()


def test_without_a_browser_nothing_fails(monkeypatch, tmp_path):
    tried = threading.Event()

    def missing(address):
        tried.set()
        raise browser.webbrowser.Error("no browser")

    monkeypatch.setattr(browser, "_has_screen", lambda: True)
    monkeypatch.setattr(browser.webbrowser, "open", missing)
    browser.open_browser(ADDRESS, tmp_path / "open.html")
    assert tried.wait(10)


def test_a_full_disk_does_not_keep_the_studio_from_starting(monkeypatch, opened, tmp_path):
    monkeypatch.setattr(browser, "_has_screen", lambda: True)
    browser.open_browser(ADDRESS, tmp_path / "no folder" / "open.html")
    assert opened[0] == []
