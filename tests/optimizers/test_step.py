"""What gradient ascent and Adam share: the walk, a move for every pass."""

from itertools import islice

import numpy as np
import pytest
from landscapes import Bowl

from dreamscripts.optimizers import OPTIMIZERS
from dreamscripts.preprocessing import PREPROCESSINGS
from dreamscripts.settings import Optimizer

SHAPE = (4, 5, 3)


@pytest.fixture(params=["gradient_ascent", "adam"])
def steps(request):
    def take(landscape, x, number, start=0, **optimizer):
        chosen = Optimizer(name=request.param, **{"evaluations": 1} | optimizer)
        return list(islice(OPTIMIZERS[request.param](landscape, x, chosen, PREPROCESSINGS["none"], start), number))

    return take


def test_an_iteration_is_so_many_steps_each_under_a_draw_of_its_own(steps, rng):
    bowl, x = Bowl(rng.normal(0, 50, SHAPE)), np.zeros(SHAPE)
    walked = steps(bowl, x, 2, start=5, evaluations=3, step=1)
    assert bowl.drawn == [15, 16, 17, 18, 19, 20, 21]
    single = steps(Bowl(bowl.centre), x, 6, evaluations=1, step=1)
    np.testing.assert_array_equal(walked[0].x, single[2].x)
    np.testing.assert_array_equal(walked[1].x, single[5].x)
    assert walked[0].loss > walked[1].loss
