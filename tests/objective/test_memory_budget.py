import re

import psutil
import pytest

from dreamscripts.backends import host
from dreamscripts.backends.host import free_memory
from dreamscripts.errors import PictureError
from dreamscripts.objective import memory_budget
from dreamscripts.objective.memory_budget import check_memory, of_run
from dreamscripts.registry import OPTIMIZERS
from dreamscripts.settings.tables import Octaves


def test_free_is_what_the_machine_and_its_container_leave(monkeypatch, tmp_path):
    limit, usage, parts = (tmp_path / name for name in ("max", "current", "stat"))
    monkeypatch.setattr(host, "CGROUPS", ((limit, usage, parts),))
    assert free_memory() == pytest.approx(psutil.virtual_memory().available, rel=0.2)  # no cgroups
    usage.write_text("37000000\n")
    parts.write_text("anon 30000000\ninactive_file 7000000\n")
    limit.write_text("max\n")
    assert free_memory() == pytest.approx(psutil.virtual_memory().available, rel=0.2)
    limit.write_text("50000000\n")
    assert free_memory() == 20_000_000
    limit.write_text("20000000\n")
    assert free_memory() == 0


def optimizer_settings(name="lbfgs", **optimizer):
    return OPTIMIZERS[name].settings(**optimizer)


def test_lbfgs_by_scipy_keeps_25_vectors_in_double_precision():
    scipy = of_run(optimizer_settings())
    assert scipy == pytest.approx(25 * 3 * 8, rel=0.1)
    short, long = (of_run(optimizer_settings(where="device", history=history)) for history in (3, 7))
    assert long - short == 4 * 2 * 3 * 4  # a history of pairs of float32
    assert of_run(optimizer_settings(name="adam")) < long < scipy


@pytest.mark.parametrize(
    ("gigabytes", "optimizer", "says"),
    [
        (1, {}, "needs at least 15.6 GB of memory, and 1.0 GB are free: use a smaller --size"),
        (4, {}, "needs at least 15.6 GB of memory, and 4.0 GB are free: use a smaller --size, or --set optimizer.wh"),
        (16, {}, ""),
        (2, {"where": "device"}, "needs at least 2.3 GB of memory, and 2.0 GB are free: use a smaller --size"),
        (4, {"where": "device"}, ""),
        (4, {"name": "adam"}, ""),
    ],
)
def test_a_picture_that_does_not_fit_in_main_memory_is_refused(gigabytes, optimizer, says, monkeypatch):
    monkeypatch.setattr(memory_budget, "free_memory", lambda: int(gigabytes * 1e9))
    if not says:
        check_memory(4000, 6000, optimizer_settings(**optimizer))
        return
    with pytest.raises(PictureError, match=f"^a picture of 6000×4000 {re.escape(says)}") as refused:
        check_memory(4000, 6000, optimizer_settings(**optimizer))
    assert ("where=device" in str(refused.value)) == ("optimizer" in says)


def test_several_pictures_are_counted(monkeypatch):
    monkeypatch.setattr(memory_budget, "free_memory", lambda: int(1e9))
    check_memory(500, 600, optimizer_settings(name="lbfgs"), pictures=4)
    with pytest.raises(PictureError, match=r"^40 pictures of 600×500 need at least 7\.8 GB of memory, and 1\.0 GB are"):
        check_memory(500, 600, optimizer_settings(name="lbfgs"), pictures=40)


@pytest.mark.parametrize(
    ("octaves", "says"),
    [
        (
            {"count": 4, "above": 2, "scale": 2.0},
            r"^a picture of 2400×2000 needs at least .* at the largest octave, and",
        ),
        ({"count": 3, "kind": "grown", "scale": 2.0}, r"^a picture of 2400×2000 needs at least .* largest octave, and"),
        ({"count": 5, "scale": 2.0}, ""),
        ({"count": 3, "kind": "grown", "scale": 1.1}, ""),
    ],
)
def test_the_largest_octave_counts(octaves, says, monkeypatch):
    monkeypatch.setattr(memory_budget, "free_memory", lambda: int(1e9))
    if not says:
        check_memory(500, 600, optimizer_settings(), octaves=Octaves(**octaves))
        return
    with pytest.raises(PictureError, match=says):
        check_memory(500, 600, optimizer_settings(), octaves=Octaves(**octaves))
