"""L-BFGS by SciPy or on the device, restarted in each iteration as in the Keras L-BFGS example."""

import logging
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from dreamscripts.optimizers.lbfgs_device import begin_on_device, device_lbfgs
from dreamscripts.optimizers.lbfgs_scipy import scipy_lbfgs
from dreamscripts.optimizers.lbfgs_settings import LbfgsSettings
from dreamscripts.optimizers.protocol import OptimizerResult
from dreamscripts.optimizers.registry import optimizer

if TYPE_CHECKING:
    from dreamscripts.objective.protocol import Objective

log = logging.getLogger(__name__)


def _is_state(state: Mapping[str, np.ndarray], shape: tuple[int, ...]) -> bool:
    """Return whether the state is empty, or says that the last iteration found no lower loss."""
    return not state or (state.keys() == {"stuck"} and state["stuck"].shape == () and state["stuck"] == 1)


def _begin(objective: "Objective", x: np.ndarray, settings: LbfgsSettings) -> Any:
    return begin_on_device(objective, x, settings) if settings.where == "device" else x


@optimizer(
    "lbfgs",
    settings=LbfgsSettings,
    title="L-BFGS",
    colour="#b5179e",
    searches="passes",
    accepts=_is_state,
    begin=_begin,
)
def lbfgs(
    objective: "Objective", x: np.ndarray, settings: LbfgsSettings, start: int, state: Mapping[str, np.ndarray]
) -> Iterator[OptimizerResult]:
    """Minimise the objective by SciPy or on the device, with about `settings.passes` passes in each iteration.

    If an iteration finds no lower loss, a warning is logged. If the objective is random, one more iteration is tried,
    because another draw of the jitter may lead to a lower loss. The state counts such iterations in a row.
    """
    most = 2 if objective.is_random else 1
    stuck = int(state.get("stuck", 0))
    run = {"scipy": scipy_lbfgs, "device": device_lbfgs}[settings.where]
    for iteration, (result, lowered) in enumerate(run(objective, x, settings, start), start + 1):
        stuck = 0 if lowered else stuck + 1
        done = stuck == most
        if stuck:
            end = ", so this octave ends" if done else ""
            advice = "" if settings.bounded else "; set optimizer.max_change = 5 to limit the change of each pixel"
            log.warning("iteration %d: the line search found no lower loss%s%s", iteration, end, advice)
        yield replace(result, state={"stuck": np.array(stuck)} if stuck else {}, done=done)
        if done:
            return
