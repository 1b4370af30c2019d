"""Names as they can be drawn in plots and written in web pages."""

import html
from functools import lru_cache
from pathlib import Path

from PIL import ImageFont

from dreamscripts.errors import shown

LONGEST = 60  # characters of a name in a plot


def plot_label(name: str) -> str:
    """Return a name as Matplotlib draws it: without formulas, and in characters that its font has.

    The middle of a long name is omitted.
    """
    from matplotlib import font_manager  # takes a second to import

    font = font_manager.get_font(font_manager.findfont("DejaVu Sans")).get_charmap()
    text = "".join(
        character if ord(character) in font else character.encode("unicode_escape").decode()
        for character in shorten(shown(name))
    )
    return text.replace("$", r"\$")


@lru_cache(maxsize=16)
def font(size: int) -> ImageFont.FreeTypeFont:
    """Return the font of the pictures, `size` pixels high."""
    # Matplotlib's font has more alphabets than Pillow's. Matplotlib takes half a second to import.
    from matplotlib import get_data_path

    return ImageFont.truetype(Path(get_data_path()) / "fonts/ttf/DejaVuSans.ttf", size)


def shorten(name: str) -> str:
    """Omit the middle of a name that is longer than LONGEST."""
    half = LONGEST // 2
    return name if len(name) <= LONGEST else f"{name[:half]}…{name[-half + 1 :]}"


def escape(text: str) -> str:
    """Return a text for HTML that contains names. Characters that a browser obeys or hides become visible."""
    return html.escape(shown(text))
