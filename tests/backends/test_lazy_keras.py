import pytest

from dreamscripts.backends import lazy_keras


def test_what_is_wrong_with_the_import_is_said(monkeypatch):
    def fails(name):
        raise AttributeError("module 'ml_dtypes' has no attribute 'float8'")

    monkeypatch.setattr(lazy_keras, "import_module", fails)
    for _ in range(2):
        with pytest.raises(AttributeError, match="ml_dtypes"):
            lazy_keras._Lazy("keras.ops").sum  # noqa: B018


def test_the_module_is_imported_once(monkeypatch):
    imported = []
    monkeypatch.setattr(lazy_keras, "import_module", lambda name: imported.append(name) or pytest)
    lazy = lazy_keras._Lazy("keras.ops")
    assert imported == []
    assert lazy.raises is pytest.raises
    assert lazy.mark is pytest.mark
    assert imported == ["keras.ops"]
