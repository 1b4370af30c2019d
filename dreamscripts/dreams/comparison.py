"""compare(picture, settings, optimizers): the same dream by several optimizers, each with the same number of passes.

All trials have the same network, loss, start picture, seed and number of passes through the network. The result of a
trial is the picture with the lowest loss of all its passes.

The registry entry of an optimizer (`searches`) names the setting that its trials vary. For gradient ascent and Adam it
is the step size, which is changed in both directions as long as the loss improves. For L-BFGS it is the number of
passes in an iteration: one trial uses the value of the settings, another makes all passes in one iteration. If the
settings have `max_change`, L-BFGS has only the first of these trials.

All optimizers keep the pixels within 0..255. Outside this range, most losses can fall without limit, and the longest
step would win. If the settings limit the change of a pixel in an iteration (`max_change`), all optimizers have the same
limit and the same number of passes in an iteration. L-BFGS may make a few more passes to finish a line search.
"""

import logging
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from dreamscripts.dreams.prepare import build_evaluator, choose, open_network
from dreamscripts.dreams.run_trial import run_trial
from dreamscripts.dreams.trial import Trial, budgets_of, passes_of_iteration
from dreamscripts.images.resizing import fit
from dreamscripts.networks.network import Network
from dreamscripts.networks.tuning import Choices
from dreamscripts.objective.evaluator import Evaluator
from dreamscripts.registry import OPTIMIZERS
from dreamscripts.settings.schema import Settings
from dreamscripts.settings.tables import Jitter, Octaves

log = logging.getLogger(__name__)

MOST_TRIALS = 6  # trials of step sizes for one optimizer
FACTOR = 3  # ratio of two neighbouring step sizes


@dataclass(frozen=True)
class Comparison:
    """The trials of all optimizers."""

    settings: Settings
    """The settings, with clip and without octaves."""
    passes: int
    """Passes of each trial."""
    budgets: tuple[int, ...]
    """The numbers of passes after which pictures were kept. The last number is `passes`."""
    start: np.ndarray
    """The start picture: float32 (H, W, 3), 0..255."""
    start_loss: float
    """Loss of the start picture, without jitter."""
    trials: tuple[Trial, ...]
    """All trials, those of the same optimizer together."""

    @property
    def best(self) -> list[Trial]:
        """The best trial of each optimizer, by the final loss without jitter. The lowest loss comes first."""
        chosen: dict[str, Trial] = {}
        for trial in self.trials:
            if trial.optimizer not in chosen or trial.loss < chosen[trial.optimizer].loss:
                chosen[trial.optimizer] = trial
        return sorted(chosen.values(), key=lambda trial: trial.loss)


def compare(
    picture: np.ndarray,
    settings: Settings,
    optimizers: Sequence[str],
    passes: int,
    *,
    finished: Sequence[Trial] = (),
    choices: Choices | None = None,
    on_choices: Callable[[Choices], None] = lambda choices: None,
    on_trial: Callable[[Trial], None] = lambda trial: None,
    on_pass: Callable[[int, float], None] | None = None,
    on_finished: Callable[[Trial], None] = lambda trial: None,
) -> Comparison:
    """Run every optimizer for `passes` passes on a picture (float32 (H, W, 3) RGB in 0..255).

    finished: trials of an earlier call with the same arguments. They are not run again.
    choices: the algorithms of the earlier call.
    on_choices: called with the algorithms before the first trial.
    on_trial, on_finished: called at the start and at the end of each trial.
    on_pass: called as `on_pass(passes, loss)` after each pass of a trial.

    Octaves are ignored, because losses at different sizes cannot be compared. Raises DreamError if the settings do not
    fit the picture.
    """
    settings = _comparable(settings, optimizers)
    picture = fit(picture, settings.size)
    height, width, _ = picture.shape
    network = open_network(settings)
    network.check_size(height, width)
    choices = choices or choose(network, settings, height, width)
    on_choices(choices)
    evaluator = build_evaluator(network, settings, height, width, choices=choices, on_pass=on_pass)
    without_jitter = _without_jitter(evaluator, network, settings, choices, height, width)
    start = network.preprocessing.normalise(picture)
    evaluator.loss(start)  # compiles the pass before it is timed
    budgets = budgets_of(passes)
    known = {trial.varied: trial for trial in finished}

    def attempt(trial: Trial) -> Trial:
        if trial.varied in known:
            return known[trial.varied]
        on_trial(trial)
        x = run_trial(trial, settings, evaluator, start, budgets)
        trial.loss, trial.terms = without_jitter.loss(x), without_jitter.terms(x)
        on_finished(trial)
        return trial

    trials = tuple(trial for name in optimizers for trial in _trials(name, settings, passes, attempt))
    return Comparison(settings, passes, budgets, picture, without_jitter.loss(start), trials)


def _without_jitter(
    evaluator: Evaluator, network: Network, settings: Settings, choices: Choices, height: int, width: int
) -> Evaluator:
    """Return the evaluator for the final losses. If the settings have no jitter, it is the one for the trials."""
    no_jitter = settings.model_copy(update={"jitter": Jitter()})
    if no_jitter == settings:
        return evaluator
    return build_evaluator(network, no_jitter, height, width, choices=choices)


def _comparable(settings: Settings, optimizers: Sequence[str]) -> Settings:
    """Remove the octaves from the settings, and set clip.

    If a setting was changed, a warning is logged for each optimizer that does not have this setting. No warning is
    logged if only one optimizer has the setting, or for the step size, because the trials search it.
    """
    if settings.octaves.count > 1:
        log.warning("octaves are ignored, because losses at different sizes cannot be compared")
    table = settings.optimizer
    default = OPTIMIZERS[table.name].settings()
    owners = Counter(key for entry in OPTIMIZERS.values() for key in entry.settings.model_fields)
    changed = [key for key, value in table if value != getattr(default, key) and key != "step"]
    for name in optimizers:
        own = OPTIMIZERS[name].settings.model_fields
        lost = [key for key in changed if key not in own and owners[key] > 1]
        if lost:
            log.warning("%s of %s is ignored for %s, which has no such setting", ", ".join(lost), table.name, name)
    return settings.model_copy(update={"octaves": Octaves(), "optimizer": table.model_copy(update={"clip": True})})


def _trials(name: str, settings: Settings, passes: int, attempt: Callable[[Trial], Trial]) -> list[Trial]:
    """Run the trials of one optimizer."""
    searches = OPTIMIZERS[name].searches
    if searches == "step":
        first: float = settings.optimizer.switched_to(name).model_dump()["step"]
        return _search(lambda step: attempt(Trial(name, step)), first)
    if searches == "passes":
        restarts = {min(passes_of_iteration(settings), passes)}
        if settings.optimizer.max_change is None:
            restarts.add(passes)
        return [attempt(Trial(name, restart=restart)) for restart in sorted(restarts)]
    return [attempt(Trial(name))]


def _search(attempt: Callable[[float], Trial], step: float) -> list[Trial]:
    """Run trials with longer and shorter steps until the trials next to the best are worse, at most MOST_TRIALS.

    Returns the trials in the order of their step sizes.
    """
    trials = {step: attempt(step)}
    for factor in (FACTOR, 1 / FACTOR):
        best = step
        while len(trials) < MOST_TRIALS:
            other = best * factor
            trials[other] = attempt(other)
            if trials[other].loss >= trials[best].loss:
                break
            best = other
        if best != step:
            break  # the other direction cannot be better
    return [trials[size] for size in sorted(trials)]
