"""The parent process, with stand-ins for the measured programs."""

from statistics import median

import numpy as np
import pytest
from conftest import changed
from hypothesis import given
from hypothesis import strategies as st

from dreamscripts.benchmarks import measuring, other_programs
from dreamscripts.benchmarks.measuring import MATRICES, OURS
from dreamscripts.benchmarks.other_programs import NO_ONEDNN, OTHERS, TENSORFLOW, TORCH, excluded_programs

PREPARED = {"backend": "tensorflow", "not_keras": "", "not_a_chain": ""}


class Pretender:
    """A worker whose gradients are what is given for each picture, and whose passes take what is given."""

    def __init__(self, log, name, gradients=(), seconds=()):
        self.log, self.name, self.gradients, self.seconds = log, name, gradients, iter(seconds)

    def request(self, name, *arguments):
        self.log.append((self.name, name, *arguments[:1]))
        if name == "compare":
            number, path = arguments
            loss, gradient = self.gradients[number]
            np.save(path, np.array(gradient, np.float32))
            return {"loss": loss}
        if name == "multiply":
            return {"side": 512, "gflops": 100.0}
        return {"seconds": next(self.seconds, 1.0), "peak_mib": 700.0 + len(self.log)}


@pytest.fixture(autouse=True)
def without_pauses(monkeypatch):
    monkeypatch.setattr(measuring, "PAUSE", 0)


def test_passes_alternate_there_and_back_with_products_in_between():
    log, steps = [], []
    workers = {name: Pretender(log, name) for name in (OURS, TENSORFLOW, TORCH)}
    multipliers = {TORCH: workers[TORCH], MATRICES: Pretender(log, MATRICES)}
    replies, products = measuring._alternate(workers, multipliers, 3, lambda *step: steps.append(step))
    there = [(OURS, "pass"), (TENSORFLOW, "pass"), (TORCH, "pass")]
    assert log[:3] == there  # which do not count
    rounds = [log[3 + 5 * i : 8 + 5 * i] for i in range(3)]
    assert [round_[:3] for round_ in rounds] == [there, there[::-1], there]
    assert [round_[3:] for round_ in rounds] == [[(TORCH, "multiply", i), (MATRICES, "multiply", i)] for i in range(3)]
    assert {name: len(of) for name, of in replies.items()} == dict.fromkeys(workers, 3)
    assert [product.name for product in products] == [TORCH, MATRICES] * 3
    assert steps == [("alternating passes", i, 3) for i in range(3)]


@given(st.lists(st.tuples(*[st.floats(0.01, 10)] * 2), min_size=3, max_size=9))
def test_a_ratio_is_that_of_passes_made_in_the_same_round(times):
    replies = {
        OURS: [{"seconds": ours, "peak_mib": 1} for ours, _ in times],
        TORCH: [{"seconds": its, "peak_mib": 2 + i} for i, (_, its) in enumerate(times)],
    }
    result = measuring._result(TORCH, replies, (0.0, 0.0), {"start_up": 1, "first_pass": 2})
    assert median(result.ratios) == median(ours / its for ours, its in times)
    assert result.seconds == [its for _, its in times]
    assert result.peak_mib == 2


def errors_of(ours, theirs, tmp_path):
    log = []
    workers = {OURS: Pretender(log, OURS, ours), TORCH: Pretender(log, TORCH, theirs)}
    return measuring._errors(workers, tmp_path)[TORCH], log


SAME = (-3.0, [3.0, 4.0])


def test_a_program_that_agrees_computes_one_picture(tmp_path):
    (loss, gradient), log = errors_of([SAME], [(-3.00002, [3.0, 4.0001])], tmp_path)
    assert (loss, gradient) == pytest.approx((6.67e-6, 2e-5), rel=0.01)
    assert measuring._agree((loss, gradient))
    assert len(log) == 2


def test_a_last_digit_that_sends_a_gradient_elsewhere_is_forgiven_once_another_picture_agrees(tmp_path):
    errors, log = errors_of([SAME, SAME], [(-3.0, [3.0, 4.1]), SAME], tmp_path)
    assert errors == (0, 0)
    assert len(log) == 4


@pytest.mark.parametrize("other", [(-3.0, [3.0, 4.1]), (-3.1, [3.0, 4.0]), (np.nan, [3.0, 4.0]), (-3, [np.nan, 4])])
def test_what_computes_something_else_agrees_in_no_picture(other, tmp_path):
    errors, log = errors_of([SAME] * 3, [other] * 3, tmp_path)
    assert not measuring._agree(errors)
    assert len(log) == 6


@pytest.fixture
def started(monkeypatch):
    """Pretend to start processes whose passes take `seconds`. Returns the task of each, by name."""
    monkeypatch.delenv(measuring.ONEDNN, raising=False)

    def of(seconds, xla_is_open=True):
        told = {}

        class Program(Pretender):
            def __init__(self, name, module, task):
                super().__init__([], name, seconds=iter([9.0] + [seconds[name]] * 9))  # the first does not count
                told[name] = task

            def __enter__(self):
                return self

            def __exit__(self, *error):
                self.log.append("ended")

            def start(self):
                return {"choices": told[self.name].get("choices", {"xla": False}), "xla_is_open": xla_is_open}

        monkeypatch.setattr(measuring, "Worker", Program)
        monkeypatch.delenv(measuring.ONEDNN, raising=False)
        return told

    return of


def try_ways():
    return measuring._try_ways({"side": 400}, lambda *step: None)


@pytest.mark.parametrize(
    ("seconds", "onednn", "xla"),
    [
        ((1.0, 1.3, 2.6), True, False),
        ((1.0, 0.8, 1.2), False, False),
        ((1.0, 1.3, 0.7), True, True),
        ((1.0, 0.97, 0.96), True, False),  # too close to tell
    ],
)
def test_ours_takes_the_way_that_is_clearly_fastest(seconds, onednn, xla, started):
    names = ("dreamscripts without changes", "dreamscripts without oneDNN", "dreamscripts with XLA")
    told = started(dict(zip(names, seconds, strict=True)))
    fastest, ways = try_ways()
    assert fastest == {"onednn": onednn, "choices": {"xla": xla}}
    assert list(ways.values()) == list(seconds)
    assert [told[name]["onednn"] for name in names] == [True, False, True]
    assert [told[name].get("choices") for name in names] == [None, {"xla": False}, {"xla": True}]


def test_onednn_is_not_tried_where_the_user_has_decided(started, monkeypatch):
    told = started({"dreamscripts without changes": 1.0, "dreamscripts with XLA": 2.0})
    monkeypatch.setenv(measuring.ONEDNN, "0")
    assert list(try_ways()[1]) == ["without changes", "with XLA"]
    assert len(told) == 2


def test_where_the_backend_leaves_nothing_open_there_is_one_way(started):
    told = started({"dreamscripts without changes": 1.0}, xla_is_open=False)
    assert try_ways()[1] == {"without changes": 1.0}
    assert len(told) == 1


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
        ({"precision": "tf32"}, 'only dreamscripts has precision = "tf32"'),
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
        ({"not_a_chain": "it branches"}, True, {TORCH: "it branches"}),
        ({"not_a_chain": "it branches"}, False, {TORCH: "PyTorch is not installed"}),
    ],
)
def test_programs_that_cannot_run_are_excluded_with_the_reason(prepared, torch, expected, settings, monkeypatch):
    monkeypatch.setattr(other_programs, "find_spec", lambda name: name if torch else None)
    assert excluded_programs(settings, PREPARED | prepared) == expected


def test_a_size_whose_process_dies_is_reported(monkeypatch):
    size = measuring._measure_size({"side": 64}, 0, 1, lambda *step: None)  # a task without settings
    assert size.seconds == []
    assert "the process of 64×64 died with exit code 1; its last message: KeyError" in size.died
