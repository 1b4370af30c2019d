"""What all fuzzers share: mutate bytes, try an action in a child process, and judge what it did.

`DREAMSCRIPTS_FUZZ_MINUTES` sets the minutes of the whole folder, 2 without it. They are split between its test modules.
"""

import os
import pickle
import random
import resource
import signal
import sys
import tempfile
import time
import traceback
from collections.abc import Callable, Iterator, Sequence
from copy import deepcopy
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from dreamscripts.errors import DreamError

MINUTES = float(os.environ.get("DREAMSCRIPTS_FUZZ_MINUTES", "2"))
HANGS = 20
"""Seconds after which an action hangs."""
WRITES = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND
CHANGED = {  # the arguments of an audit event that are changed paths
    **dict.fromkeys(("os.remove", "os.rmdir", "os.mkdir", "os.truncate", "os.chmod"), (0,)),
    **dict.fromkeys(("os.link", "os.symlink"), (1,)),
    "os.rename": (0, 1),
}
STARTS = ("subprocess.Popen", "os.exec", "os.posix_spawn", "os.system", "os.startfile")
EXTREMES = (b"\x00", b"\xff", b"\x00" * 4, b"\xff" * 4, b"\x7f\xff\xff\xff", b"\x80\x00\x00\x00", b"\x00\x00\x00\x01")


@dataclass(frozen=True)
class Outcome:
    """What an action did in its child process."""

    error: str = ""
    """The message of a DreamError, a traceback, or "" if the action succeeded."""
    is_bug: bool = False
    """The action ended in another exception than DreamError, or the process died."""
    hangs: bool = False
    chatter: str = ""
    """What was written to the descriptor of stderr."""
    outside: tuple[str, ...] = ()
    """Files that were written outside the allowed folder, and programs that were started."""
    memory: int = 0
    """Bytes by which the process grew at its peak."""
    result: Any = None

    def faults(self, forecast: float = float("inf")) -> list[str]:
        """List what is wrong with the outcome. `forecast` is the memory in bytes that the program foresaw."""
        found = [f"traceback: {self.error}"] if self.is_bug else []
        found += [f"hangs for more than {HANGS} s"] if self.hangs else []
        found += [f"prints on stderr: {self.chatter[:500]!r}"] if self.chatter.strip() else []
        found += [f"reaches outside: {', '.join(self.outside)}"] if self.outside else []
        if not self.is_bug and self.error and (len(self.error.splitlines()) > 1 or len(self.error) > 1000):
            found.append(f"the message is not one line: {self.error[:300]!r}")
        if self.memory > 1.5 * forecast:
            found.append(f"takes {self.memory / 1e6:.0f} MB, but {forecast / 1e6:.0f} MB were foreseen")
        return found


def attempt(action: Callable[[], Any], folder: Path) -> Outcome:
    """Run an action in a child process that may write in `folder` only. Its result must be small and picklable."""
    before = _grown(lambda: None, folder)[1]
    outcome, peak = _grown(action, folder)
    return replace(outcome, memory=max(0, peak - before))


def _grown(action: Callable[[], Any], folder: Path) -> tuple[Outcome, int]:
    """Return the outcome, and the peak memory of the child process in bytes."""
    with tempfile.TemporaryFile() as answer, tempfile.TemporaryFile() as stderr:
        child = os.fork()
        if not child:
            _in_child(action, folder, answer.fileno(), stderr.fileno())
        _, status, usage = os.wait4(child, 0)
        stderr.seek(0)
        answer.seek(0)
        chatter, pickled = stderr.read().decode(errors="replace"), answer.read()
    if os.WIFSIGNALED(status):
        name = signal.Signals(os.WTERMSIG(status)).name
        killed = Outcome(f"killed by {name}\n{chatter}", name != "SIGALRM", name == "SIGALRM")
        return killed, usage.ru_maxrss * 1024
    return replace(pickle.loads(pickled), chatter=chatter), usage.ru_maxrss * 1024


def _in_child(action: Callable[[], Any], folder: Path, answer: int, stderr: int) -> None:
    signal.signal(signal.SIGALRM, signal.SIG_DFL)
    signal.alarm(HANGS)
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    os.dup2(stderr, 2)
    sys.stderr = os.fdopen(2, "w", errors="backslashreplace", closefd=False)
    outside: list[str] = []
    allowed = folder.resolve()
    watching = [True]

    def watch(event: str, arguments: tuple) -> None:
        if not watching[0]:
            return
        if event in STARTS:
            outside.append(f"{event} {arguments[0]}")
        changed = [arguments[i] for i in CHANGED.get(event, ())]
        paths = [_within_its_folder(path) for path in changed if isinstance(path, (str, bytes))]
        if event == "open" and (arguments[2] or 0) & WRITES and isinstance(arguments[0], (str, bytes)):
            paths = [Path(os.fsdecode(arguments[0])).resolve()]  # where a link leads
        outside.extend(f"{path}" for path in paths if not path.is_relative_to(allowed) and str(path) != os.devnull)

    sys.addaudithook(watch)
    try:
        outcome = Outcome(result=action())
    except DreamError as error:
        outcome = Outcome(str(error))
    except BaseException:
        outcome = Outcome(traceback.format_exc(), is_bug=True)
    watching[0] = False
    sys.stderr.flush()
    os.write(answer, pickle.dumps(replace(outcome, outside=tuple(dict.fromkeys(outside)))))
    os._exit(0)


def _within_its_folder(path: str | bytes) -> Path:
    whole = Path(os.fsdecode(path))
    return whole.parent.resolve() / whole.name  # a link is itself changed, not what it points to


def mutants(seed: int, modules: int | None = None) -> Iterator[random.Random]:
    """Yield a seeded generator for each mutant, until the share of this module in MINUTES is over."""
    modules = modules or len(list(Path(__file__).parent.glob("test_*.py")))
    end = time.monotonic() + 60 * MINUTES / modules
    number = 0
    while time.monotonic() < end:
        yield random.Random(f"{seed} {number}")
        number += 1


def mutate(data: bytes, chance: random.Random) -> bytes:
    """Flip, cut, repeat, remove or overwrite parts of a file."""
    mutant = bytearray(data)
    for _ in range(chance.choice((1, 1, 1, 2, 4, 16))):
        if not mutant:
            break
        # Most of what a reader trusts is at the beginning of a file.
        end = len(mutant) if chance.random() < 0.6 else min(len(mutant), 256)
        start, length = chance.randrange(end), chance.choice((1, 2, 4, 8, 64, 1024))
        piece = bytes(mutant[start : start + length])
        match chance.randrange(6):
            case 0:
                mutant[start] ^= 1 << chance.randrange(8)
            case 1:
                del mutant[start:]
            case 2:
                mutant[start:start] = piece * chance.choice((1, 2, 50))
            case 3:
                del mutant[start : start + length]
            case 4:
                extreme = chance.choice(EXTREMES)
                mutant[start : start + len(extreme)] = extreme
            case 5:
                mutant[start : start + length] = chance.randbytes(len(piece))
    return bytes(mutant)


def changed_value(value: Any, values: Sequence[Any], chance: random.Random) -> Any:
    """Return JSON in which one value is replaced by one of `values`, removed, or added."""
    changed = deepcopy(value)
    places = list(_places(changed))
    if not places or chance.random() < 0.05:
        return chance.choice(values)
    part, key = chance.choice(places)
    match chance.randrange(6):
        case 0:
            del part[key]
        case 1 if isinstance(part, dict):
            part[chance.choice(("more", "folder", "../x"))] = chance.choice(values)
        case _:
            part[key] = chance.choice(values)
    return changed


def _places(part: Any) -> Iterator[tuple[Any, Any]]:
    """Yield each value in JSON as the table or list that contains it, and its key."""
    items = part.items() if isinstance(part, dict) else enumerate(part) if isinstance(part, list) else ()
    for key, value in list(items):
        yield part, key
        yield from _places(value)
