"""The run folder: numbered snapshots, the record of the run, and the state to resume from."""

import csv
import io
import json
import shutil
import weakref
from collections.abc import Iterator, Mapping
from itertools import count, takewhile
from pathlib import Path
from typing import Any, Self

import numpy as np

from dreamscripts.atomic_files import lock, make_folder, output_errors, write_atomically
from dreamscripts.dreams.iterate import Iterate
from dreamscripts.errors import OutputError
from dreamscripts.images.files import save_picture
from dreamscripts.settings.schema import Settings


class RunFolder:
    """The files of one run. No file is ever half-written.

    A run can be killed at any moment. The state, which contains the iteration to resume from, is written last. On
    resuming, later rows of the record are deleted.
    """

    def __init__(self, folder: Path, settings: Settings, record: dict[str, Any]):
        self.folder = folder
        self.settings = settings
        self.record = record
        self.last: Iterate | None = None
        self.best: Iterate | None = None
        self.release = weakref.finalize(self, lock(folder))

    @classmethod
    def create(
        cls,
        folder: str | Path,
        settings: Settings,
        picture: np.ndarray,
        about: Mapping[str, Any] | None = None,
        keep_every: int = 1,
    ) -> Self:
        """Create the folder of a run, with its start picture (float32 (H, W, 3)).

        `about` is added to run.json. Raises OutputError if the folder cannot be created or is not empty.
        """
        folder = Path(folder)
        with output_errors(folder):
            if (folder / "run.json").exists():
                ended = '"status": "complete"' in (folder / "run.json").read_text("utf-8")
                advice = "" if ended else "resume it (--resume), or "
                raise OutputError(f"{folder}: already contains a run; {advice}choose another folder (--output)")
        make_folder(folder)
        record = {
            "status": "running",
            **(about or {}),
            "settings": settings.model_dump(),
            "keep_every": keep_every,
            "iterates": [],
        }
        run = cls(folder, settings, record)
        try:
            run.write("settings.toml", settings.to_toml().encode())
            run._write_array("start.npy", picture)
            run._write_record()
        except BaseException:
            run.discard()
            run.release()
            raise
        return run

    @classmethod
    def reopen(cls, folder: str | Path) -> Self:
        """Open an interrupted run. Its `last` is the iterate to continue from, or None if no iterate was saved.

        Raises OutputError if the folder contains no run, or if the run is complete.
        """
        folder = Path(folder)
        try:
            record = json.loads((folder / "run.json").read_text("utf-8"))
            settings = Settings.load(folder / "settings.toml")
        except (OSError, ValueError):
            raise OutputError(f"{folder}: contains no run to resume") from None
        if record["status"] == "complete":
            raise OutputError(f"{folder}: this run is complete; there is nothing to resume")
        run = cls(folder, settings, record)
        run.last = run.best = run._read_state()
        reached = run.last.iteration if run.last else -1
        record["iterates"] = [_with_passes(row) for row in record["iterates"] if row["iteration"] <= reached]
        record["status"] = "running"
        return run

    @property
    def picture(self) -> np.ndarray:
        """The start picture, float32 (H, W, 3). Raises OutputError."""
        try:
            return np.load(self.folder / "start.npy")
        except (OSError, ValueError):
            raise OutputError(f"{self.folder / 'start.npy'}: is damaged; start again in another --output") from None

    def save(self, iterate: Iterate) -> None:
        """Write the snapshot of an iterate, the record, the losses so far, and the state to resume from."""
        if iterate.iteration % self.record["keep_every"] == 0:
            self._save_picture(f"iteration_{iterate.iteration:03d}.png", iterate)
        self.record["iterates"].append(
            {
                "octave": iterate.octave,
                "iteration": iterate.iteration,
                "passes": iterate.passes,
                "seconds": round(iterate.seconds, 3),
                "loss": iterate.loss,
                "terms": dict(iterate.terms),
            }
        )
        self._write_record()
        self.write("loss.csv", _csv(self.record["iterates"]))
        self.write("state.npz", _state(iterate))
        self.last = iterate
        if self.best is None or iterate.octave != self.best.octave or iterate.loss < self.best.loss:
            self.best = iterate

    def discard(self) -> None:
        """Delete the folder of a run that ended before its first iterate. The folder contains no other files."""
        shutil.rmtree(self.folder, ignore_errors=True)

    def save_final(self, status: str) -> None:
        """Write the final picture: the last picture or, after status "diverged", the picture with the lowest loss."""
        chosen = self.best if status == "diverged" else self.last
        if chosen is not None:
            self._save_picture("final.png", chosen)

    def write(self, name: str, content: bytes) -> None:
        """Write another file of the run atomically. Raises OutputError."""
        write_atomically(self.folder / name, content)

    def close(self, status: str) -> None:
        """Record how the run ended: "complete", "stopped" or "diverged". If it is complete, delete its state."""
        self.record["status"] = status
        self._write_record()
        if status == "complete":
            (self.folder / "state.npz").unlink()
            (self.folder / "start.npy").unlink()

    def _save_picture(self, name: str, iterate: Iterate) -> None:
        save_picture(iterate.picture, self.folder / name, self.settings.to_toml())

    def _write_record(self) -> None:
        self.write("run.json", json.dumps(self.record, indent=1).encode())

    def _write_array(self, name: str, array: np.ndarray) -> None:
        buffer = io.BytesIO()
        np.save(buffer, array)
        self.write(name, buffer.getvalue())

    def _read_state(self) -> Iterate | None:
        try:
            with np.load(self.folder / "state.npz") as state:
                memory = {name.removeprefix("memory "): state[name] for name in state if name.startswith("memory ")}
                return Iterate(x=state["x"], state=memory, **_with_passes(json.loads(str(state["rest"]))))
        except FileNotFoundError:
            return None  # killed before the first iterate
        except (OSError, ValueError, KeyError, TypeError):
            raise OutputError(f"{self.folder / 'state.npz'}: is damaged; start again in another --output") from None


def free_folder(name: str) -> Path:
    """Return `name`, or the first of name-2, name-3, … that does not exist yet."""
    return next(path for path in _numbered(name) if not path.exists())


def latest_folder(name: str) -> Path:
    """Return the last existing folder of name, name-2, name-3, …, or `name` if it does not exist."""
    existing = list(takewhile(Path.exists, _numbered(name)))
    return existing[-1] if existing else Path(name)


def _numbered(name: str) -> Iterator[Path]:
    yield Path(name)
    yield from (Path(f"{name}-{number}") for number in count(2))


def _with_passes(row: Mapping[str, Any]) -> dict[str, Any]:
    """Rename the key `evaluations` of older versions to `passes`."""
    return {"passes" if key == "evaluations" else key: value for key, value in row.items()}


def _state(iterate: Iterate) -> bytes:
    rest = {
        "octave": iterate.octave,
        "iteration": iterate.iteration,
        "loss": iterate.loss,
        "terms": dict(iterate.terms),
        "passes": iterate.passes,
        "seconds": iterate.seconds,
        "preprocessing": iterate.preprocessing,
        "stretched": iterate.stretched,
        "drawn": iterate.drawn,
        "ends_octave": iterate.ends_octave,
    }
    buffer = io.BytesIO()
    arrays: dict[str, Any] = {f"memory {name}": array for name, array in iterate.state.items()}
    np.savez(buffer, x=iterate.x, rest=json.dumps(rest), **arrays)
    return buffer.getvalue()


def _csv(rows: list[dict[str, Any]]) -> bytes:
    text = io.StringIO(newline="")
    table = csv.writer(text, lineterminator="\n")
    numbers = ["octave", "iteration", "passes", "seconds", "loss"]
    table.writerow([*numbers, *rows[0]["terms"]])
    table.writerows([*(row[key] for key in numbers), *row["terms"].values()] for row in rows)
    return text.getvalue().encode()
