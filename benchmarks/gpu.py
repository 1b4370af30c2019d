"""Run the parts of the benchmark on a GPU (parts.py), each in its own process and within its time, and write a report.

A part prints each number as a line of JSON. This program shows it at once, so what a part measured before its time was
over still counts.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).parent
BACKENDS = ("jax", "torch")
PRECISIONS = ("float32", "tf32", "mixed_bfloat16")

Record = dict[str, Any]  # part, backend, what, precision, value, unit, as parts.py prints them


@dataclass(frozen=True)
class Part:
    """A function of parts.py, the backend of its process, and the seconds that it may take."""

    name: str
    backend: str
    seconds: int


def plan(backends: Sequence[str]) -> list[Part]:
    """Return the parts in the order in which they run, the most important first."""
    parts = [Part(name, one, limit) for name, limit in (("passes", 90), ("loops", 100)) for one in backends]
    if "torch" in backends:
        parts.insert(len(backends), Part("rivals", "torch", 120))
    parts += [Part("large", one, 60) for one in backends]
    return parts + [Part(name, one, 45) for one in backends for name in ("start_cold", "start_warm")]


def measure(part: Part, options: argparse.Namespace, cache: Path, seconds: float) -> Iterator[Record]:
    """Run a part for at most `seconds`, and yield its records. The last one says why it ended early, if it did."""
    environment = os.environ | {"KERAS_BACKEND": part.backend, "PYTHONUNBUFFERED": "1"}
    if part.name.startswith("start"):  # other parts use the cache of the user, if any
        environment |= {"XDG_CACHE_HOME": str(cache), "TORCHINDUCTOR_CACHE_DIR": str(cache / "inductor")}
        environment.pop("JAX_COMPILATION_CACHE_DIR", None)
    command = [sys.executable, str(FOLDER / "parts.py"), part.name, str(options.size), str(int(options.quick))]
    with tempfile.TemporaryFile("w+") as errors:
        process = subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=errors, text=True)
        late = threading.Event()

        def stop() -> None:
            late.set()
            process.kill()

        timer = threading.Timer(seconds, stop)
        timer.start()
        try:
            assert process.stdout
            for line in process.stdout:
                if line.startswith("{"):  # libraries may print, too
                    yield {"part": part.name, "backend": part.backend, **json.loads(line)}
            code = process.wait()
        finally:
            timer.cancel()
            process.kill()
        if code:
            errors.seek(0)
            last = (errors.read().strip().splitlines() or [f"exit code {code}"])[-1][:200]
            why = "out of time" if late.is_set() else last
            yield {"part": part.name, "backend": part.backend, "what": "stopped", "value": why}


def in_words(record: Record) -> str:
    """Return a record as one line."""
    name = " ".join(filter(None, (record["backend"], record.get("precision"), f"{record['what']}:")))
    return f"{name} {value_of(record)}"


def value_of(record: Record) -> str:
    """Return the value of a record with three digits and its unit."""
    value = record["value"]
    return f"{value:.3g} {record['unit']}".strip() if isinstance(value, float) else str(value)


def as_markdown(records: Sequence[Record], command: str) -> str:
    """Return a chapter with one table for each backend: a row for each number, a column for each precision."""
    about = {record["what"]: record["value"] for record in records if record["part"] == "about"}
    lines = [
        f"### {about.get('device', 'unknown device')}",
        "",
        f"Command: `{command}`. {about.get('settings', '')}",
        "",
    ]
    for backend in dict.fromkeys(record["backend"] for record in records):
        numbers = [one for one in records if one["backend"] == backend and one["part"] != "about"]
        if backend in about:
            lines += [f"**{backend}** ({about[backend]}):", ""]
        lines += [f"|  | {' | '.join(PRECISIONS)} |", f"| --- |{' ---: |' * len(PRECISIONS)}"]
        for what in dict.fromkeys(one["what"] for one in numbers if one["what"] != "stopped"):
            cells = {one.get("precision", PRECISIONS[0]): value_of(one) for one in numbers if one["what"] == what}
            lines.append(f"| {what} | {' | '.join(cells.get(name, '·') for name in PRECISIONS)} |")
        stopped = [f"{one['part']}: {one['value']}" for one in numbers if one["what"] == "stopped"]
        lines += ["", *([f"Not finished: {'; '.join(stopped)}.", ""] if stopped else [])]
    return "\n".join(lines)


def main() -> None:
    """Read the options, and measure all parts."""
    parser = argparse.ArgumentParser(description="Measure dreamscripts on one GPU, beside plain PyTorch.")
    parser.add_argument("--output", type=Path, default=Path("gpu-benchmark"), help="folder of gpu.json and gpu.md")
    parser.add_argument("--minutes", type=float, default=8.0, help="time for all parts together")
    parser.add_argument("--size", type=int, default=None, help="side of the square picture (default: 800)")
    parser.add_argument(
        "--quick", action="store_true", help="a small picture and network in float32, to try the script"
    )
    parser.add_argument("--backends", default=",".join(filter(find_spec, BACKENDS)), help="such as jax,torch")
    options = parser.parse_args()
    options.size = options.size or (64 if options.quick else 800)
    backends = [name for name in options.backends.split(",") if name in BACKENDS and find_spec(name)]
    if not backends:
        parser.error("neither JAX nor PyTorch is installed")
    options.output.mkdir(parents=True, exist_ok=True)
    command = " ".join(["benchmarks/gpu.sh", *sys.argv[1:]])
    try:
        measure_all(plan(backends), options, command)
    except KeyboardInterrupt:
        sys.exit(130)
    finally:
        print(options.output / "gpu.md")


def measure_all(parts: Sequence[Part], options: argparse.Namespace, command: str) -> None:
    """Measure the parts, print each number, and write the report after each part."""
    end = time.monotonic() + 60 * options.minutes
    records: list[Record] = []
    with tempfile.TemporaryDirectory() as cache:
        for part in parts:
            seconds = min(part.seconds, end - time.monotonic())
            if seconds < 1:
                print(f"{part.backend} {part.name}: no time is left", flush=True)
                continue
            try:
                for record in measure(part, options, Path(cache), seconds):
                    records.append(record)
                    print(in_words(record), flush=True)
            finally:
                (options.output / "gpu.json").write_text(json.dumps(records, indent=1), "utf-8")
                (options.output / "gpu.md").write_text(as_markdown(records, command), "utf-8")


if __name__ == "__main__":
    main()
