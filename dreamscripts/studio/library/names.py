"""What names say: <photograph>-<look> of a run folder, and a number if the name was taken."""

import re
from collections.abc import Collection
from pathlib import PurePath, PurePosixPath

from dreamscripts.errors import shown

ENDINGS = ("-zoom", "-video")  # of films, before the number


def title(name: str) -> str:
    """Return the last part of a name as it can be shown."""
    return shown(PurePosixPath(name).name)


def look_of(name: str, looks: Collection[str], picture: str | None = None) -> str:
    """Return the look in the name of a run folder or film, or "" if it names none.

    looks: the names of all looks.
    picture: the file that the run was made of, whose name comes first.
    """
    stem = PurePosixPath(name).name
    for text in (stem, re.sub(r"-\d+$", "", stem)):
        for ending in ("", *ENDINGS):
            if found := [look for look in looks if _ends_with(text.removesuffix(ending), look)]:
                return max(found, key=len)
    start = f"{PurePath(picture).stem}-" if picture else ""
    return (
        shown(re.sub(r"-\d+$", "", stem).removeprefix(start).removeprefix("from-"))
        if start and stem.startswith(start)
        else ""
    )


def _ends_with(text: str, look: str) -> bool:
    return text == look or text.endswith(f"-{look}")
