"""The notes that a command prints when a run has ended."""

import pytest

from dreamscripts.scripts.progress import unmoved


@pytest.mark.parametrize(
    ("losses", "moved"),
    [
        ([(0, -8.0757e-08), (0, -8.0758e-08), (0, -8.0759e-08)], False),
        ([(0, 100.0), (0, 90.0)], True),
        ([(0, 0.0), (0, 0.0)], False),
        ([(0, 5.0), (0, 5.0), (1, 3.0), (1, 3.0)], False),  # another octave has another loss
        ([(0, 5.0), (0, 5.0), (1, 3.0), (1, 2.9)], True),
    ],
)
def test_a_run_that_did_not_move_is_said(losses, moved):
    assert (unmoved(losses) is None) == moved
