"""`measure`, with processes that only pretend."""

from statistics import median

import numpy as np
import pytest
from conftest import changed
from hypothesis import given
from hypothesis import strategies as st

from dreamscripts.benchmarks import measuring, other_programs
from dreamscripts.benchmarks.measuring import MATRICES, OURS, measure
from dreamscripts.benchmarks.other_programs import (
    CHANNELS_LAST,
    COMPILED,
    NO_ONEDNN,
    OTHERS,
    TENSORFLOW,
    TORCH,
    excluded_programs,
)
from dreamscripts.benchmarks.process import MeasuringError
from dreamscripts.settings.schema import Settings

PREPARED = {"backend": "tensorflow", "precision": "float32", "not_keras": "", "not_a_chain": ""}
SETTINGS = Settings(features={"block2_conv1": 0.05}, size=64)
SAME = (-3.0, [3.0, 4.0])  # a loss and a gradient


class Machine:
    """Processes whose passes take the given seconds on the device and whose losses and gradients are the given ones.

    `others` are the programs to compare with. `told` holds the task of each process. `asked` lists the requests:
    process, name and first argument.
    """

    def __init__(
        self,
        seconds=None,
        gradients=None,
        prepared=None,
        dies="",
        xla_is_open=True,
        others=(TENSORFLOW, NO_ONEDNN, TORCH),
    ):
        self.others = {name: OTHERS[name] for name in others}
        self.seconds = {name: iter(of) for name, of in (seconds or {}).items()}
        self.gradients = gradients or {}
        self.prepared = PREPARED | (prepared or {})
        self.dies, self.xla_is_open = dies, xla_is_open
        self.told, self.asked = {}, []

    def measure(self, settings=SETTINGS, passes=3, sizes=(), torch=True, **options):
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(measuring, "OTHERS", self.others)
            patch.setattr(measuring, "PAUSE", 0)
            patch.setattr(measuring, "Worker", lambda *told: Pretender(self, *told))
            patch.setattr(measuring, "keep_onednn", lambda faster: None)
            patch.setattr(other_programs, "find_spec", lambda name: name if torch else None)
            patch.setattr(measuring.subprocess, "run", lambda *command, **how: None)
            return measure(settings, passes, sizes, **options)


class Pretender:
    """One of the processes."""

    def __init__(self, machine, name, module, task, environment=None):
        self.machine, self.name, self.module = machine, name, module
        machine.told[name] = dict(task)

    def __enter__(self):
        return self

    def __exit__(self, *error):
        pass

    def start(self):
        if self.name == self.machine.dies:
            raise MeasuringError(f"the process of {self.name} died")
        if self.module == "preparing":
            return self.machine.prepared | {"limits": [[0] * 3, [1] * 3], "chain": [], "multiplications": 1000}
        choices = self.machine.told[self.name].get("choices", {"xla": False})
        about = {"choices": choices, "xla_is_open": self.machine.xla_is_open, "device": "CPU: a chip", "tiles": None}
        return about | {"versions": {}, "start_up": 1, "first_pass": 2, "mib_before": 100}

    def request(self, name, *arguments):
        self.machine.asked.append((self.name, name, *arguments[:1]))
        if name == "compare":
            number, path = arguments
            loss, gradient = self.machine.gradients.get(self.name, [SAME] * 3)[number]
            np.save(path, np.array(gradient, np.float32))
            return {"loss": loss}
        if name == "multiply":
            return {"side": 512, "gflops": 100.0}
        if name == "iterate":
            return {"seconds": 9.0, "passes": 7, "outside": 1.0}
        seconds = next(self.machine.seconds.get(self.name, iter([])), 1.0)
        return {"seconds": seconds + 1, "on_device": seconds, "peak_mib": 700.0 + len(self.machine.asked)}


def test_passes_alternate_there_and_back_with_products_in_between():
    machine, steps = Machine(prepared={"backend": "jax"}), []
    products = machine.measure(on_step=lambda *step: steps.append(step)).products
    turns = [asked for asked in machine.asked if asked[1] in ("pass", "multiply")]
    there = [(OURS, "pass"), (TORCH, "pass")]
    assert turns[:2] == there  # which do not count
    rounds = [turns[2 + 4 * i : 6 + 4 * i] for i in range(3)]
    assert [round_[:2] for round_ in rounds] == [there, there[::-1], there]
    assert [round_[2:] for round_ in rounds] == [[(TORCH, "multiply", i), (MATRICES, "multiply", i)] for i in range(3)]
    assert len(turns) == 14
    assert [product.name for product in products] == [TORCH, MATRICES] * 3
    assert [step for step in steps if step[0] == "alternating passes"] == [
        ("alternating passes", i, 3) for i in range(3)
    ]


@given(st.lists(st.tuples(*[st.floats(0.01, 10)] * 2), min_size=3, max_size=9))
def test_a_ratio_is_that_of_passes_made_in_the_same_round(times):
    ours, theirs = zip(*times, strict=True)
    machine = Machine({OURS: [9.0, *ours], TORCH: [9.0, *theirs]}, prepared={"backend": "jax"})
    first, result = machine.measure(passes=len(times)).results
    assert (first.name, result.name) == (OURS, TORCH)
    assert (first.on_device, result.on_device) == (list(ours), list(theirs))
    assert result.seconds == [one + 1 for one in theirs]
    assert median(result.ratios) == median(a / b for a, b in times)
    assert (result.start_up, result.first_pass) == (1, 2)
    of_torch = [number for number, asked in enumerate(machine.asked) if asked[:2] == (TORCH, "pass")]
    assert result.peak_mib == 700 + of_torch[1] + 1  # of its first pass that counts, before any matrices


def compared(ours, theirs):
    """The result of PyTorch, if there is one, the excluded programs, and the number of losses that were computed."""
    machine = Machine(gradients={OURS: ours, TORCH: theirs}, prepared={"backend": "jax"})
    scoreboard = machine.measure()
    asked = sum(name == "compare" for _, name, *_ in machine.asked)
    return next((one for one in scoreboard.results if one.name == TORCH), None), scoreboard.excluded, asked


def test_a_program_that_agrees_computes_one_picture():
    result, excluded, asked = compared([SAME], [(-3.00002, [3.0, 4.0001])])
    assert (result.loss_error, result.gradient_error) == pytest.approx((6.67e-6, 2e-5), rel=0.01)
    assert TORCH not in excluded
    assert asked == 2


def test_a_last_digit_that_sends_a_gradient_elsewhere_is_forgiven_once_another_picture_agrees():
    result, _, asked = compared([SAME, SAME], [(-3.0, [3.0, 4.1]), SAME])
    assert (result.loss_error, result.gradient_error) == (0, 0)
    assert asked == 4


@pytest.mark.parametrize("other", [(-3.0, [3.0, 4.1]), (-3.1, [3.0, 4.0]), (np.nan, [3.0, 4.0]), (-3, [np.nan, 4])])
def test_what_computes_something_else_agrees_in_no_picture(other):
    result, excluded, asked = compared([SAME] * 3, [other] * 3)
    assert result is None
    assert "its gradient by" in excluded[TORCH]
    assert asked == 6


LARGE = changed(SETTINGS, size=400)
WAYS = ("dreamscripts without changes", "dreamscripts without oneDNN", "dreamscripts with XLA")


@pytest.mark.parametrize(
    ("seconds", "onednn", "xla"),
    [
        ((1.0, 1.3, 2.6), True, False),
        ((1.0, 0.8, 1.2), False, False),
        ((1.0, 1.3, 0.7), True, True),
        ((1.0, 0.97, 0.96), True, False),  # too close to tell
    ],
)
def test_ours_takes_the_way_that_is_clearly_fastest(seconds, onednn, xla, monkeypatch):
    monkeypatch.delenv(measuring.ONEDNN, raising=False)
    machine = Machine({way: [9.0, *[one] * 9] for way, one in zip(WAYS, seconds, strict=True)})  # the first: no matter
    scoreboard = machine.measure(LARGE)
    assert (machine.told[OURS]["onednn"], machine.told[OURS]["choices"]) == (onednn, {"xla": xla})
    assert list(scoreboard.about["ways"].values()) == list(seconds)
    assert [machine.told[name]["onednn"] for name in WAYS] == [True, False, True]
    assert [machine.told[name].get("choices") for name in WAYS] == [None, {"xla": False}, {"xla": True}]


def test_small_pictures_do_not_tell_which_way_is_fastest():
    machine = Machine()
    assert machine.measure(SETTINGS).about["ways"] == {}
    assert not machine.told.keys() & set(WAYS)


def test_onednn_is_not_tried_where_the_user_has_decided(monkeypatch):
    monkeypatch.setenv(measuring.ONEDNN, "0")
    machine = Machine()
    assert list(machine.measure(LARGE).about["ways"]) == ["without changes", "with XLA"]
    assert WAYS[1] not in machine.told


def test_where_the_backend_leaves_nothing_open_there_is_one_way():
    machine = Machine(xla_is_open=False)
    assert machine.measure(LARGE).about["ways"] == {"without changes": 1.0}
    assert machine.told.keys() & set(WAYS) == {WAYS[0]}


def test_all_programs_are_measured_if_all_can(monkeypatch):
    monkeypatch.setattr(other_programs.shutil, "which", lambda name: name)
    machine = Machine(others=OTHERS)
    scoreboard = machine.measure()
    assert scoreboard.excluded == {}
    assert [result.name for result in scoreboard.results] == [OURS, *OTHERS]
    how = [
        (machine.told[name]["channels_last"], machine.told[name]["compile"])
        for name in (TORCH, CHANNELS_LAST, COMPILED)
    ]
    assert how == [(False, False), (True, False), (True, True)]


def test_a_program_that_does_not_start_is_excluded_with_its_last_words():
    scoreboard = Machine(dies=TORCH).measure()
    assert [result.name for result in scoreboard.results] == [OURS, TENSORFLOW, NO_ONEDNN]
    assert scoreboard.excluded == {TORCH: f"the process of {TORCH} died"}
    with pytest.raises(MeasuringError, match="dreamscripts died"):
        Machine(dies=OURS).measure()


def test_the_precision_is_that_of_the_settings_on_this_machine():
    machine = Machine(prepared={"precision": "tf32"}, gradients={TORCH: [(-3.0, [3.0, 4.2])] * 3})
    scoreboard = machine.measure(changed(SETTINGS, precision="auto"))
    assert scoreboard.settings.precision == "tf32"
    assert {machine.told[name]["settings"]["precision"] for name in (OURS, TORCH)} == {"tf32"}
    assert TORCH not in scoreboard.excluded  # in float32 it would be, see below
    assert TORCH in Machine(gradients={TORCH: [(-3.0, [3.0, 4.2])] * 3}).measure().excluded


def test_excluded_programs_are_not_started():
    machine = Machine()
    scoreboard = machine.measure(changed(SETTINGS, penalties={"total_variation": 0.1}))
    assert scoreboard.excluded.keys() == OTHERS.keys()
    assert [result.name for result in scoreboard.results] == [OURS]
    assert not machine.told.keys() & OTHERS.keys()


def test_all_programs_run_if_all_can(settings, monkeypatch):
    monkeypatch.setattr(other_programs, "find_spec", lambda name: name)
    assert excluded_programs(settings, PREPARED) == {}


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"measure": "mean"}, 'only dreamscripts has measure = "mean" (block2_conv1)'),
        (
            {"features": {"block2_conv1": {"weight": 1, "channels": [3]}}},
            "only dreamscripts can select channels (block2_conv1)",
        ),
        ({"penalties": {"total_variation": 0.1}}, "only dreamscripts has penalties.total_variation"),
        ({"penalties": {"diversity": 0.1}}, "only dreamscripts has penalties.diversity"),
        ({"tiles": {"kind": "tutorial", "size": 64}}, 'tiles.kind = "tutorial" gives another loss'),
    ],
)
def test_a_loss_that_the_other_programs_do_not_have_is_measured_without_them(changes, says, settings):
    excluded = excluded_programs(changed(settings, **changes), PREPARED)
    assert excluded.keys() == OTHERS.keys()
    assert all(reason == says for reason in excluded.values())


def test_exact_tiles_are_measured_beside_all(settings, monkeypatch):
    monkeypatch.setattr(other_programs, "find_spec", lambda name: name)
    assert excluded_programs(changed(settings, tiles={"kind": "exact", "size": 64}), PREPARED) == {}


@pytest.mark.parametrize(
    ("prepared", "torch", "expected"),
    [
        ({"backend": "jax"}, True, dict.fromkeys([TENSORFLOW, NO_ONEDNN], "Keras runs on jax here")),
        ({"not_keras": "it has no such layer"}, True, dict.fromkeys([TENSORFLOW, NO_ONEDNN], "it has no such layer")),
        ({"not_a_chain": "it branches"}, True, dict.fromkeys([TORCH, CHANNELS_LAST, COMPILED], "it branches")),
        (
            {"not_a_chain": "it branches"},
            False,
            dict.fromkeys([TORCH, CHANNELS_LAST, COMPILED], "PyTorch is not installed"),
        ),
    ],
)
def test_programs_that_cannot_run_are_excluded_with_the_reason(prepared, torch, expected, settings, monkeypatch):
    monkeypatch.setattr(other_programs, "find_spec", lambda name: name if torch else None)
    assert excluded_programs(settings, PREPARED | prepared) == expected


def test_compiled_needs_a_compiler(settings, monkeypatch):
    monkeypatch.setattr(other_programs, "find_spec", lambda name: name)
    monkeypatch.setattr(other_programs.shutil, "which", lambda name: None)
    assert excluded_programs(settings, PREPARED) == {COMPILED: "torch.compile needs a C++ compiler, and none was found"}


def test_plain_tensorflow_has_no_bfloat16(settings, monkeypatch):
    monkeypatch.setattr(other_programs, "find_spec", lambda name: name)
    settings = changed(settings, precision="mixed_bfloat16")
    expected = dict.fromkeys([TENSORFLOW, NO_ONEDNN], "it computes in float32 only")
    assert excluded_programs(settings, PREPARED) == expected


def test_a_size_whose_process_dies_is_reported_and_the_others_are_measured():
    scoreboard = Machine(dies="96×96").measure(sizes=[48, 96])
    small, large = scoreboard.sizes
    assert (small.seconds, small.died) == ([2.0] * 3, "")
    assert (large.seconds, large.died) == ([], "the process of 96×96 died")
