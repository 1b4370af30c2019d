import io
import json
import re
from dataclasses import replace
from statistics import median

import numpy as np
import pytest
from PIL import Image

from dreamscripts.benchmarks.scoreboard import Iteration, Product, Result, Scoreboard, Size
from dreamscripts.reports.scoreboard import markdown, notes, passes_sheet, record, verdict, write_report
from dreamscripts.settings.schema import Settings


def a_result(name, seconds, ours, error):
    ratios = [mine / its for mine, its in zip(ours, seconds, strict=True)]
    return Result(name, seconds, [one + 0.01 for one in seconds], ratios, error / 10, error, 800.4, 3.5, 0.75)


OURS = [0.5, 0.6, 0.4, 0.5]
BOARD = Scoreboard(
    settings=Settings(
        network="vgg16",
        weights="random",
        size=400,
        precision="float32",
        features={"block4_conv1": 1, "block4_conv3": 2},
    ),
    about={
        "command": "dreamscripts bench --size 400",
        "started": "2030-01-02 03:04:05",
        "device": "CPU: some",
        "cores": 2,
        "system": "Linux x86_64",
        "versions": {"keras": "3.1", "torch": "2.9"},
        "choices": {
            "xla": True,
            "winograd_from": 64.0,
            "trials": [{"layer": "128→128 at 50×50", "direct": 0.04, "winograd": 0.03}],
        },
        "ways": {"without changes": 0.6, "with XLA": 0.5},
        "tiles": None,
    },
    import_seconds=0.02,
    help_seconds=0.2,
    multiplications=10**10,
    results=[
        a_result("dreamscripts", OURS, OURS, 0.0),
        a_result("plain tf.function", [1.0, 0.9, 1.1, 1.0], OURS, 3e-6),
        a_result("PyTorch channels-last", [0.625, 0.6, 0.8, 0.7], OURS, 2e-5),
    ],
    excluded={"plain tf.function, no oneDNN": "it is tired", "JAX": "it is tired", "Caffe": "it is gone"},
    products=[Product("NumPy", 512, 90.0), Product("PyTorch channels-last", 1024, 100.0)],
    iteration=Iteration(4.0, 8, 0.05),
    sizes=[
        Size(1000, [2.0, 3.0, 2.5], peak_mib=1500.0, mib_before=500.0),
        Size(2000, [10.0, 10.4, 9.9], peak_mib=2500.0, mib_before=500.0, tiles=512),
        Size(20000, [], died="the process was ended by signal 9"),
    ],
)


@pytest.fixture
def folder(tmp_path):
    write_report(BOARD, tmp_path)
    return tmp_path


def test_the_json_holds_every_time_and_what_follows_from_it(folder):
    bench = json.loads((folder / "bench.json").read_text())
    for key in ("on_device", "seconds"):
        assert [result[key] for result in bench["results"]] == [getattr(result, key) for result in BOARD.results]
    for result in bench["results"]:
        assert result["median_seconds"] == median(result["seconds"])
        assert result["median_on_device"] == median(result["on_device"])
        assert result["ratios"] == pytest.approx(np.divide(OURS, result["on_device"]))
        assert result["median_ratio"] == median(result["ratios"])
    assert bench["gflop_a_pass"] == 40  # a multiplication and an addition, there and back
    assert bench["ceiling"] == {"name": "PyTorch channels-last", "side": 1024, "gflops": 100.0}
    assert bench["results"][0]["share_of_ceiling"] == pytest.approx(40 / 0.5 / 100)
    one, four, none = bench["sizes"]
    assert (one["seconds_per_megapixel"], one["mib_per_megapixel"]) == (2.5, 1000)
    assert (four["seconds_per_megapixel"], four["mib_per_megapixel"], four["tiles"]) == (2.5, 500, 512)
    assert none["died"].endswith("signal 9")
    assert bench["command"] == "dreamscripts bench --size 400"
    assert bench["settings"]["features"] == {"block4_conv1": 1, "block4_conv3": 2}


def test_the_markdown_says_the_same_in_tables(folder):
    page = (folder / "bench.md").read_text()
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in page.splitlines() if line[:1] == "|"]
    assert {len(row) for row in rows} == {7}
    cells = {row[0]: row[1:] for row in rows}
    assert cells["dreamscripts"] == ["0.500 s", "·", "0.510 s", "·", "80%", "800"]
    torch = BOARD.results[2].ratios
    ratio = f"{median(torch):.2f} ({min(torch):.2f}–{max(torch):.2f})"
    assert cells["PyTorch channels-last"] == ["0.662 s", ratio, "0.672 s", "2e-05", "60%", "800"]
    assert cells["1000×1000"] == ["1.00", "2.50 (2.00–3.00)", "2.50", "1500", "1000", "none"]
    assert cells["2000×2000"] == ["4.00", "10.0 (9.9–10.4)", "2.50", "2500", "500", "512 px"]
    assert set(cells["20000×20000"][1:]) == {"·"}
    assert "20000×20000 was not measured: the process was ended by signal 9." in page
    assert "Excluded: plain tf.function, no oneDNN; JAX (it is tired)." in page
    assert "Excluded: Caffe (it is gone)." in page
    assert "in tiles" not in page
    assert "float32, dreamscripts in tiles of 512 pixels\n" in markdown(
        replace(BOARD, about=BOARD.about | {"tiles": 512})
    )
    assert page.startswith("## vgg16 through block4_conv3, 400×400 pixels\n")
    assert "- command: `dreamscripts bench --size 400`\n" in page
    assert "- alternatives: 0.600 s per pass without changes; 0.500 s per pass with XLA; " in page
    assert "time of Winograd's algorithm ÷ direct convolution: 128→128 at 50×50 0.75\n" in page


def test_the_verdict_names_the_fastest_other_program():
    fastest = median(BOARD.results[2].ratios)
    assert verdict(BOARD) == (
        "One pass takes 0.500 s on the device, and 0.510 s from NumPy to NumPy. "
        f"On the device, this is {100 * fastest:.0f} % of the time of the fastest other program "
        "(PyTorch channels-last), and 80 % of the maximum speed of the machine."
    )


def test_the_verdict_gives_the_range_if_not_every_round_was_faster():
    assert "round" not in verdict(BOARD)
    close = replace(BOARD, results=[BOARD.results[0], a_result("JAX", [0.55, 0.5, 0.6, 0.5], OURS, 0.0)])
    assert "95 % of the time of the fastest other program (JAX; 67 to 120 % in single rounds)" in verdict(close)


def test_alone_and_without_a_maximum_there_is_still_a_report():
    alone = replace(BOARD, results=BOARD.results[:1], products=[], sizes=[])
    assert verdict(alone) == "One pass takes 0.500 s on the device, and 0.510 s from NumPy to NumPy."
    assert passes_sheet(alone).rows == [("dreamscripts", "0.500 s", "·", "0.510 s", "·", "·", "800")]
    assert not any("maximum is" in note for note in notes(alone))
    assert record(alone)["ceiling"] is None
    assert "By picture size" not in markdown(alone)


@pytest.mark.parametrize("sizes", [BOARD.sizes, BOARD.sizes[2:], []])
def test_the_plot_is_a_picture(sizes, tmp_path):
    write_report(replace(BOARD, sizes=sizes), tmp_path)
    with Image.open(io.BytesIO((tmp_path / "bench.png").read_bytes())) as picture:
        width, height = picture.size
        assert (width > 1200) == (len(sizes) > 1)  # the costs by size are beside the programs
        assert height > 300
        assert len(np.unique(picture.convert("L").resize((80, 40)))) > 10


def test_no_number_has_an_exponent_but_the_differences():
    tiny = replace(BOARD, results=[a_result("dreamscripts", [3e-5] * 4, [3e-5] * 4, 0.0)])
    assert "0.0000300 s" in passes_sheet(tiny).rows[0]
    assert not re.search(r"\de-", verdict(tiny))
