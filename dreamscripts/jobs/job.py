"""Job: a dream or a film that somebody asked for, as it is kept on the disk until it is made."""

import re
import secrets
import time
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, ConfigDict, Field, model_validator

from dreamscripts.runs.records import Record

State = Literal["waiting", "running", "stopped", "done", "failed"]

MOST_PARTS = 2  # of a folder's name: that of a sheet, and that of a run in it


def new_id() -> str:
    """Return an identifier that cannot be guessed: 16 hexadecimal digits."""
    return secrets.token_hex(8)


def check_name(name: str) -> str:
    """Return a name of a file or folder within the base folder. Raises ValueError if it could lead elsewhere."""
    parts = name.split("/")
    if len(parts) > MOST_PARTS or any(not part or part.startswith(".") for part in parts):
        raise ValueError("a folder is a name, or the name of a sheet and a name in it")
    if re.search(r"[\x00-\x1f\x7f\\:]", name):
        raise ValueError("a name may not contain control characters, backslashes or colons")
    return name


Name = Annotated[str, AfterValidator(check_name)]


class Job(Record):
    """A job. It does not change: `JobQueue.change` replaces it."""

    model_config = ConfigDict(**Record.model_config, frozen=True)

    id: str = Field(default_factory=new_id, pattern="^[0-9a-f]{16}$")
    kind: str
    """The name of a kind: "dream", "zoom", "movie" (kinds/)."""
    created: float = Field(default_factory=time.time)
    """Seconds since 1970."""
    place: float = 0.0
    """Jobs are done in this order. `JobQueue.add` puts a new one at the end."""
    state: State = "waiting"
    message: str = ""
    """Why it failed or was stopped."""
    again: bool = False
    """Whether it failed for a reason that is not its own and may pass, such as a full disk."""
    node: str = ""
    """The name of the machine that ended it."""
    folder: Name
    """The name of the run folder or of the film file within the base folder, or "sheet/run". It is chosen before."""
    photo: str | None = None
    """The path of the picture. None: the dream starts from noise."""
    run: Name | None = None
    """The name of the run folder that a movie is made of."""
    look: str = ""
    """The name of the settings, to show."""
    settings: str = ""
    """TOML."""
    keep_every: int = Field(1, ge=1)
    """Of a dream: the snapshot of every Nth iteration is kept."""
    sheet: str | None = None
    """The identifier of the sheet that it belongs to."""

    @model_validator(mode="after")
    def _check_run(self) -> Self:
        if self.kind == "movie" and self.run is None:
            raise ValueError("a movie is made of a run")
        return self
