import numpy as np
import pytest
from PIL import Image

from dreamscripts.reports.loss_curve import loss_scale, plot_loss

FALLING = [2000, -3000, -11_000, -25_000, -46_000, -77_000]


def heights(losses):
    """Where losses lie between the bottom and the top of an axis for them: 0..1."""
    y = loss_scale(losses).get_transform().transform(np.array(losses, float))
    return (y - y.min()) / np.ptp(y)


@pytest.mark.parametrize("leap", [4.8e13, -2.6e11])
def test_beside_a_loss_that_leapt_away_the_others_can_be_told_apart(leap):
    apart = np.abs(np.diff(heights([*FALLING, leap])[: len(FALLING)]))
    assert apart.min() > 0.01
    assert np.abs(np.diff(heights(FALLING))).min() > 0.03


@pytest.mark.parametrize("losses", [[0.0, 0.0], [1e-12, 0.0], [261.1], [-1e30, 1e30], FALLING])
def test_any_loss_can_be_drawn(losses, tmp_path):
    rows = [{"passes": i, "octave": 0, "loss": loss, "terms": {"dream_l2": loss}} for i, loss in enumerate(losses)]
    (tmp_path / "loss.png").write_bytes(plot_loss(rows, "run"))
    assert Image.open(tmp_path / "loss.png").size == (960, 600)
