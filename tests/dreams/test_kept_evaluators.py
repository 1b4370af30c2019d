import numpy as np
import pytest
from conftest import changed

from dreamscripts.dreams import kept_evaluators
from dreamscripts.dreams.dream import dream
from dreamscripts.dreams.kept_evaluators import KeptEvaluators
from dreamscripts.errors import SettingsError
from dreamscripts.images.files import save_picture
from dreamscripts.networks.tuning import Choices
from dreamscripts.settings.tables import Tiles


@pytest.fixture
def built(monkeypatch):
    """Return the list of evaluators that were built."""
    made, build = [], kept_evaluators.build_evaluator

    def counted(*arguments, **options):
        made.append(build(*arguments, **options))
        return made[-1]

    monkeypatch.setattr(kept_evaluators, "build_evaluator", counted)
    return made


def facts(iterates):
    return [(iterate.x.tobytes(), iterate.loss, iterate.terms, iterate.passes, iterate.drawn) for iterate in iterates]


def test_dreams_with_a_kept_evaluator_are_those_without(picture, settings, built):
    octaves = changed(settings, octaves={"count": 2})
    others = [(picture, settings), (picture, octaves), (picture[:40, ::-1], settings), (picture, settings)]
    kept = KeptEvaluators()
    together = [facts(dream(one, chosen, kept=kept)) for one, chosen in others]
    assert len(built) == 1
    assert together == [facts(dream(one, chosen)) for one, chosen in others]


def test_another_seed_uses_the_same_code_and_draws_its_own(picture, settings, built):
    seeds = [changed(settings, seed=seed, jitter={"shift": 4}) for seed in (0, 1, 0)]
    kept = KeptEvaluators()
    together = [facts(dream(picture, chosen, kept=kept)) for chosen in seeds]
    assert len(built) == 1
    assert together == [facts(dream(picture, chosen)) for chosen in seeds]
    assert together[0] != together[1]


def test_a_dream_that_was_stopped_leaves_nothing_behind(picture, settings, built):
    kept = KeptEvaluators()
    stopped = dream(picture[::-1], settings, kept=kept, on_pass=lambda passes, loss: None)
    next(stopped), next(stopped)
    stopped.close()
    assert facts(dream(picture, settings, kept=kept)) == facts(dream(picture, settings))
    assert len(built) == 1
    assert built[0].on_pass is None


def test_a_dream_goes_on_with_a_kept_evaluator(picture, settings):
    kept = KeptEvaluators()
    whole = list(dream(picture, settings))
    list(dream(picture, settings, kept=kept))
    rest = list(dream(picture, settings, after=whole[2], kept=kept))
    assert facts(rest) == facts(whole[3:])


@pytest.mark.parametrize(
    "changes",
    [
        {"measure": "mean"},
        {"features": {"block1_conv1": 0.1}},
        {"penalties": {"continuity": 0.2}},
        {"jitter": {"noise": 4}},
    ],
)
def test_another_loss_has_an_evaluator_of_its_own(changes, picture, settings, built):
    kept = KeptEvaluators()
    for chosen in (settings, changed(settings, **changes), settings):
        next(dream(picture, chosen, kept=kept))
    assert len(built) == 2


def test_a_larger_picture_is_measured_against_the_memory_again(picture, settings, built):
    kept = KeptEvaluators()
    for one in (picture[:40], picture, picture[:40]):
        next(dream(one, settings, kept=kept))
    assert len(built) == 2


def test_an_evaluator_that_was_compiled_for_many_sizes_is_built_again(picture, settings, built, monkeypatch):
    monkeypatch.setattr(kept_evaluators, "MOST_SIZES", 2)
    kept = KeptEvaluators()
    for height in (48, 40, 48, 36):
        next(dream(picture[:height], settings, kept=kept))
    assert len(built) == 2


def test_other_algorithms_have_an_evaluator_of_their_own(picture, settings, built):
    kept = KeptEvaluators()
    for choices in (Choices(), Choices(winograd_from=0.0), Choices(winograd_from=0.0)):
        next(dream(picture, settings, choices=choices, kept=kept))
    assert len(built) == 2


def test_tiles_that_the_memory_chose_are_chosen_again(picture, settings, built, monkeypatch):
    monkeypatch.setattr("dreamscripts.dreams.prepare.tiles_for", lambda *arguments: Tiles(kind="exact", size=32))
    kept = KeptEvaluators()
    for _ in range(2):
        next(dream(np.tile(picture, (3, 3, 1)), settings, kept=kept))
    assert len(built) == 2


def test_only_the_last_are_kept_and_none_of_a_file(picture, settings, built, tmp_path):
    kept = KeptEvaluators(most=2)
    for noise in (0, 1, 0, 2, 0, 1):  # 1 is the one that was used least recently
        next(dream(picture, changed(settings, jitter={"noise": noise}), kept=kept))
    assert len(built) == 4
    guide = tmp_path / "guide.png"
    save_picture(picture, guide)
    guided = changed(settings, measure="guide", guide={"picture": str(guide)}, features={"block2_conv1": 1})
    for _ in range(2):
        next(dream(picture, guided, kept=kept))
    assert len(built) == 6


def test_it_is_not_for_a_loss_that_it_does_not_know(picture, settings):
    with pytest.raises(SettingsError, match="kept"):
        next(dream(picture, settings, loss=lambda x, features, regions: 0.0, kept=KeptEvaluators()))
