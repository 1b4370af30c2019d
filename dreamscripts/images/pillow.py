"""The boundary to Pillow: its exceptions become PictureErrors, and its warnings are collected instead of printed."""

import ctypes
import logging
import threading
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any

from PIL import Image

from dreamscripts.errors import PictureError, short

logging.getLogger("PIL").addHandler(logging.NullHandler())  # without a handler, Python prints its errors on stderr

_ONE_AT_A_TIME = threading.RLock()  # the filters of warnings and the handlers of libtiff belong to the whole process


@contextmanager
def refusals(path: Path) -> Iterator[None]:
    """Convert whatever Pillow raises to a PictureError of one line. Use it around calls of Pillow only.

    Pillow's plug-ins raise almost any exception for a damaged file: KeyError, TypeError, struct.error, RuntimeError, …
    """
    try:
        yield
    except PictureError:
        raise
    except (Image.DecompressionBombError, MemoryError):
        raise PictureError(f"{path}: is too large to open; make it smaller first") from None
    except Exception as error:
        raise PictureError(f"{path}: is damaged and cannot be read completely ({in_a_line(error)})") from None


def in_a_line(error: Exception) -> str:
    """Return the text of an error in one line. If the text is empty or one word, the name of its class comes first."""
    text = short(str(error))
    return text if " " in text else f"{type(error).__name__}: {text}".removesuffix(": ")


@contextmanager
def quiet() -> Iterator[list[str]]:
    """Print no warnings of Pillow and libtiff. Yield a list, to which the warnings about damage are added at the end.

    One thread at a time can be within this context.
    """
    complaints: list[str] = []
    with _ONE_AT_A_TIME, warnings.catch_warnings(record=True) as caught, _silent_libtiff():
        warnings.simplefilter("always")
        try:
            yield complaints
        finally:
            # DecompressionBombWarning, which is no UserWarning, is about size. We check the size ourselves.
            damage = (short(str(warning.message)) for warning in caught if warning.category is UserWarning)
            complaints += dict.fromkeys(damage)


@contextmanager
def _silent_libtiff() -> Iterator[None]:
    """Take away libtiff's own handlers, which print on stderr. Its errors still become exceptions of Pillow."""
    setters = _libtiff_setters()
    before = [setter(None) for setter in setters]
    try:
        yield
    finally:
        for setter, handler in zip(setters, before, strict=True):
            setter(handler)


@cache
def _libtiff_setters() -> tuple[Any, ...]:
    """Return the functions that set libtiff's handlers for errors and warnings. Empty if Pillow hides them."""
    try:
        library = ctypes.CDLL(Image.core.__file__)  # also finds the functions of the libraries that Pillow loaded
        setters = (library.TIFFSetErrorHandler, library.TIFFSetWarningHandler)
    except (AttributeError, OSError):  # libtiff is linked statically, or Pillow was built without it
        return ()
    for setter in setters:
        setter.argtypes, setter.restype = [ctypes.c_void_p], ctypes.c_void_p
    return setters
