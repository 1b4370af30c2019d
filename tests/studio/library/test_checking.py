"""What a form shows of settings with a problem, whoever wrote them, and how long it takes to say so."""

import time

import pytest

from dreamscripts.studio.json_text import to_json
from dreamscripts.studio.library.folder import StudioFolder
from dreamscripts.studio.library.looks import Looks
from dreamscripts.studio.routes.answers import checked

REST = 'network = "pocket"\n[features]\nblock2_conv1 = 1.0\n'
HUGE = "0x" + "f" * 6000  # Python writes no number of so many digits in the decimal system


@pytest.fixture(scope="module")
def looks(tmp_path_factory):
    return Looks(StudioFolder(tmp_path_factory.mktemp("base")))


@pytest.mark.parametrize(
    "value", ["1979-05-27T07:32:00Z", "1979-05-27", "[07:32:00, {a = 1979-05-27}]", HUGE, f"[{HUGE}]"]
)
def test_values_that_json_has_not_are_a_problem_and_no_mistake(looks, value):
    for toml in (f"seed = {value}\n{REST}", f"other = {value}\n{REST}", f"[features]\nblock2_conv1 = {value}\n"):
        found = looks.check(toml)
        assert found.problem
        assert to_json(checked(found))


def test_small_values_stay_as_they_are(looks):
    found = looks.check(f"other = [1, 2.5, true, 'x']\n{REST}")
    assert found.problem
    assert found.values["other"] == [1, 2.5, True, "x"]


@pytest.mark.parametrize(
    "long",
    [
        " " * 90_000,
        'x = """\n' + "[" * 90_000 + '\n"""',
        f'"a{" " * 90_000}.b" = 1',
        f"a{' ' * 90_000}.b = 1",
        "\n" * 90_000,
    ],
)
def test_a_long_line_does_not_keep_the_studio_busy(looks, long):
    began = time.process_time()
    assert looks.check(f"{long}\nseed = -5\n{REST}").problem
    assert time.process_time() - began < 5


def test_a_problem_has_the_line_of_its_key(looks):
    assert looks.check(f"# a comment\n\n seed  = -5\n{REST}").problem.line == 3
    assert looks.check(f'{REST}[ "optimizer" ]\niterations = 0\n').problem.line == 5
    assert looks.check(f"{REST}[optimizer]\n'iterations' = 0\n").problem.line == 5
    assert looks.check(f"optimizer . iterations = 0\n{REST}").problem.line == 1
