"""Commands with any names on the command line, and with any output."""

import io
import os
import random
import sys
from pathlib import Path

import pytest
from fuzz.harness import attempt, mutants
from PIL import Image

from dreamscripts.backends import startup
from dreamscripts.reports.contact_sheet import draw_sheet
from dreamscripts.reports.labels import escape
from dreamscripts.reports.loss_curve import plot_loss
from dreamscripts.runs.run_folder import RunFolder
from dreamscripts.scripts import main

PIECES = [
    "$",
    "_",
    "[b]",
    "\\",
    "%",
    "'",
    '"',
    "\n",
    "-",
    " ",
    "🐱",
    "夕",
    "غ",
    "\u202e",
    "\x1b[31m",
    "\udcff",
    ":x:",
    "é",
]
ENCODINGS = ["ascii", "latin-1", "cp1252", "cp437", "utf-8", "shift_jis"]
PNG, TOML = b"\x89PNG", 'network = "pocket"\nsize = 48\nfeatures = {block2_conv1 = 1}\n'


class Odd(io.RawIOBase):
    """An output that fails at some write."""

    def __init__(self, chance: random.Random):
        self.left = chance.choice((0, 1, 3, 1000))
        self.number = chance.choice((5, 9, 22, 28, 32, 104))
        self.content = b""

    def writable(self):
        return True

    def write(self, data):
        if not self.left:
            raise OSError(self.number, os.strerror(self.number))
        self.left -= 1
        self.content += bytes(data)
        return len(data)


def any_name(chance: random.Random) -> str:
    """Return the name of a file, of up to 251 bytes."""
    pieces = chance.choices([*PIECES, *"abc"], k=chance.choice((1, 2, 4, 60)))
    name = "".join(pieces) if chance.random() < 0.8 else os.fsdecode(chance.randbytes(chance.randrange(1, 200)))
    name = name.replace("/", "").replace("\0", "") or "x"
    while len(os.fsencode(name)) > 251:
        name = name[:-1]
    return "x" if name in (".", "..") else name


def a_command(name: str, chance: random.Random) -> list[str]:
    """Return the arguments of a command that does not start Keras."""
    path = f"./{name}"
    return chance.choice(
        [
            ["settings"],
            ["settings", "show", f"{path}.tml"],
            ["settings", "new", f"{path[:200]}.toml"],
            ["settings", name],
            ["dream", f"{path}.png", "-s", f"{path}.tml"],
            ["dream", f"{path}.png", "-s", name],
            ["dream", f"{path}.png", "--set", f"{name}=1"],
            ["dream", f"{path}.png", "--set", f"network={name}"],
            ["dream", f"{path}.png", "--guide", f"{path}.png", "-s", "caffe_guided"],
            ["dream", f"{path}.png", "--from", f"{path}.png"],
            ["dream", f"{path}.png", "--resume"],
            ["dream", f"{path}.png", "-o", name],
            ["layers", f"{name}.keras"],
            ["graph", "pocket", "-o", f"{path}.html", "--gallery", name],
            ["visualize", "pocket", name, "--channel", "0", "-o", f"{name}/x.png"],
            ["compare", f"{path}.png", "--optimizers", name],
            ["bench", "--sizes", name],
            [name],
            [f"{path}.png"],
            [f"--{name}"],
            ["dream", f"{path}.png", "--size", name],
        ]
    )


def run_command(arguments: list[str], output: Odd, errors: Odd, encoding: str) -> int:
    """Run a command, and return its exit code."""
    sys.argv = ["dreamscripts", *arguments]
    for name, stream in (("stdout", output), ("stderr", errors)):
        setattr(sys, name, io.TextIOWrapper(io.BufferedWriter(stream), encoding))
    try:
        main()
    except SystemExit as end:
        return end.code or 0
    raise AssertionError("does not exit")


@pytest.mark.slow
def test_no_name_and_no_output_ends_a_command_in_a_traceback(tmp_path, monkeypatch):
    def start_keras(*arguments):
        raise KeyboardInterrupt

    monkeypatch.setattr(startup, "start_keras", start_keras)
    assert RunFolder  # imported before the child processes, each of which would take a second
    Image.new("RGB", (64, 48), "teal").save(photo := io.BytesIO(), "PNG")
    for number, chance in enumerate(mutants(14)):
        folder = tmp_path / str(number)
        folder.mkdir()
        monkeypatch.chdir(folder)
        name = any_name(chance)
        (folder / f"{name}.png").write_bytes(photo.getvalue())
        (folder / f"{name}.tml").write_text(TOML)
        arguments, encoding = a_command(name, chance), chance.choice(ENCODINGS)
        outputs = Odd(chance), Odd(chance)

        def action(arguments=arguments, encoding=encoding, outputs=outputs):
            output, errors = outputs
            code = run_command(arguments, output, errors, encoding)
            return code, output.content, errors.content, errors.left

        tried = attempt(action, folder)
        about = f"{number}: {arguments!r} in {encoding}"
        assert not tried.faults(), f"{about}: {tried.faults()}"
        code, seen, said, left = tried.result
        assert code in (0, 2, 130), about
        assert b"\x1b" not in said + (b"" if "show" in arguments else seen), about
        assert not code or not left or said.decode(encoding).startswith("dreamscripts: "), f"{about}: {said!r}"


@pytest.mark.slow
def test_any_names_can_be_drawn_and_written_in_pages(tmp_path):
    import matplotlib.figure  # noqa: F401 - before the child processes, each of which would take a second

    for number, chance in enumerate(mutants(15)):
        names = [any_name(chance) for _ in range(4)]

        def action(names=names):
            rows = [{"passes": i, "octave": 0, "loss": 1.0, "terms": dict.fromkeys(names, 1.0)} for i in range(2)]
            plot, sheet = plot_loss(rows, names[0]), draw_sheet(names[1], names[2], [None], 1, 24)
            escape(names[3]).encode()
            return plot[:4] == sheet[:4] == PNG

        tried = attempt(action, Path(tmp_path))
        assert not tried.faults(), f"{number}: {names!r}: {tried.faults()}"
        assert tried.result
