import numpy as np
import pytest

from dreamscripts.optimizers.lbfgs import lbfgs


class Bowl:
    """½‖x − centre‖² in the place of an Evaluator."""

    def __init__(self, centre):
        self.centre, self.asked = centre.ravel(), []

    def loss(self, x):
        self.asked.append(x.copy())
        return 0.5 * float(((x - self.centre) ** 2).sum())

    def gradient(self, x):
        return x - self.centre

    def terms(self, x):
        return {"bowl": self.loss(x)}


def test_it_finds_the_minimum(rng):
    centre = rng.normal(0, 50, (4, 5, 3))
    step = next(lbfgs(Bowl(centre), np.zeros((4, 5, 3)), evaluations=50, noise=np.zeros(3), rng=rng))
    np.testing.assert_allclose(step.x, centre, atol=1e-3)
    assert step.loss == pytest.approx(0, abs=1e-3)
    assert step.terms == {"bowl": step.loss}


def test_noise_is_added_before_an_iteration_and_taken_away_after_it():
    x, amplitude = np.full((4, 5, 3), 7.0), np.array([5.0, 2.0, 0.0])
    bowl = Bowl(x)
    steps = lbfgs(bowl, x, evaluations=50, noise=amplitude, rng=np.random.default_rng(3))
    step = next(steps)
    shake = bowl.asked[0].reshape(x.shape) - x
    expected = np.random.default_rng(3).uniform(-1, 1, x.shape) * amplitude
    np.testing.assert_allclose(shake, expected, atol=1e-12)
    assert (np.abs(shake) <= amplitude).all()
    assert np.abs(shake).max(axis=(0, 1))[0] > 4
    np.testing.assert_allclose(step.x, x - shake, atol=1e-3)  # the minimum was found, then the noise subtracted
    bowl.asked.clear()
    next(steps)
    again = bowl.asked[0].reshape(x.shape) - step.x
    assert np.abs(again - shake).max() > 0.1  # each iteration draws its own


def test_no_new_step_is_begun_once_the_evaluations_are_spent(rng):
    class Valley(Bowl):  # Rosenbrock's, which takes L-BFGS dozens of evaluations
        def loss(self, x):
            self.asked.append(x.copy())
            return float((100 * (x[1:] - x[:-1] ** 2) ** 2 + (1 - x[:-1]) ** 2).sum())

        def gradient(self, x):
            g = np.zeros_like(x)
            g[:-1] = -400 * x[:-1] * (x[1:] - x[:-1] ** 2) - 2 * (1 - x[:-1])
            g[1:] += 200 * (x[1:] - x[:-1] ** 2)
            return g

    valley = Valley(np.zeros(12))
    next(lbfgs(valley, np.full((2, 2, 3), -1.0), evaluations=7, noise=np.zeros(3), rng=rng))
    assert 8 <= len(valley.asked) - 1 <= 12  # one more was asked for the terms
