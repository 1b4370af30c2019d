"""Links that open one file each."""

from urllib.parse import parse_qs, urlsplit

from hypothesis import given
from hypothesis import strategies as st

from dreamscripts.studio.routes.links import Links

PATH = "/files/0123456789abcdef/picture.png"


def key_of(url):
    return parse_qs(urlsplit(url).query)["key"][0]


def test_a_key_opens_its_own_path_only():
    links = Links("token")
    url = links.sign(PATH)
    assert urlsplit(url).path == PATH
    assert links.is_valid(PATH, key_of(url))
    assert not links.is_valid(PATH.replace("picture", "settings"), key_of(url))
    assert not links.is_valid(PATH.replace("0123", "1123"), key_of(url))


def test_another_token_makes_another_key_and_the_same_token_the_same():
    url = Links("token").sign(PATH)
    assert Links("token").sign(PATH) == url  # an open page survives a new start of the server
    assert not Links("token2").is_valid(PATH, key_of(url))


def test_a_version_changes_the_address_and_not_the_key():
    links = Links("token")
    first, second = links.sign(PATH, 1), links.sign(PATH, 2)
    assert first != second
    assert key_of(first) == key_of(second) == key_of(links.sign(PATH))


@given(st.text())
def test_no_other_text_is_a_key(text):
    links = Links("token")
    assert links.is_valid(PATH, text) == (text == key_of(links.sign(PATH)))


@given(st.text(), st.text())
def test_the_token_does_not_show_in_a_key(token, path):
    key = key_of(Links(token).sign(PATH))
    assert len(key) == 32
    assert key not in (token, path)
