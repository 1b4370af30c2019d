import itertools
import re
import shlex
from pathlib import Path

import pytest

from dreamscripts.batch.plan import plan, plan_variants
from dreamscripts.batch.request import Request, parse_grid
from dreamscripts.errors import SettingsError


def test_each_photograph_gets_each_of_the_settings(planned):
    dreams = planned(grid={"size": [24, 32]}, seeds=[0, 1])
    assert len(dreams) == 3 * 4
    assert [dream.name for dream in dreams[:4]] == [
        *("cat-look-size=24-seed=0", "cat-look-size=24-seed=1"),
        *("cat-look-size=32-seed=0", "cat-look-size=32-seed=1"),
    ]
    assert dreams[0].variant.values == {"settings": "look", "size": "24", "seed": "0"}
    assert [dream.size for dream in dreams[:4]] == [(16, 24), (16, 24), (21, 32), (21, 32)]
    assert dreams[1].variant.settings.seed == 1


def test_the_identifier_is_that_of_the_photograph_and_the_settings(planned):
    dreams = planned(seeds=[0, 1])
    assert len({dream.id for dream in dreams}) == 6
    assert [dream.id for dream in planned(seeds=[1, 0])] == [
        id for one, two in zip(dreams[::2], dreams[1::2], strict=True) for id in (two.id, one.id)
    ]


def test_dreams_that_share_compiled_code_are_a_group(planned):
    groups = [dream.group for dream in planned(grid={"optimizer.step": [1, 2]}, seeds=[0, 1])]
    assert len(set(groups)) == 2  # the sizes of the photographs
    assert len({dream.group for dream in planned(grid={"jitter.noise": [1, 2]})}) == 4


def test_the_work_grows_with_the_pixels_and_the_passes(planned):
    small, large, long = (
        planned(grid=grid)[0] for grid in ({"size": [24]}, {"size": [48]}, {"optimizer.iterations": [6]})
    )
    assert large.variant.work(large.size) == 4 * small.variant.work(small.size)
    assert long.variant.work(long.size) == 2 * large.variant.work(large.size)


def test_a_photograph_that_cannot_be_opened_is_left_out(photos, look):
    photos[1].write_bytes(b"no picture")
    dreams, (left_out,) = plan(photos, plan_variants(Request(settings=[str(look)]), {}, False, True))
    assert [dream.photo for dream in dreams] == [photos[0], photos[2]]
    assert left_out.path == str(photos[1])
    assert left_out.reason.startswith("is not a picture")


def test_noise_needs_no_photograph(look):
    (variant,) = plan_variants(Request(settings=[str(look)], set={"start": "noise", "size": 24}), {}, False, False)
    ((dream,), _) = plan([], [variant])
    assert (dream.photo, dream.size, dream.name) == (None, (24, 24), "look")
    variants = plan_variants(Request(settings=[str(look)]), {}, False, False)
    with pytest.raises(SettingsError, match="name some photographs"):
        plan([], variants)


def test_a_wrong_value_names_its_key(look):
    with pytest.raises(SettingsError, match=r"optimizer\.step"):
        plan_variants(Request(settings=[str(look)], grid={"optimizer.step": [1, "far"]}), {}, False, True)


def test_settings_beside_the_jobs_file_are_found(look):
    request = Request(settings=["look.toml", "dreamy"], folder=look.parent)
    assert [variant.values["settings"] for variant in plan_variants(request, {}, False, True)] == ["look", "dreamy"]


@pytest.mark.parametrize("where", ["set", "grid"])
def test_a_jobs_file_names_no_model_without_a_word(look, where):
    named = {"weights": "/a.h5"} if where == "set" else {}
    grid = {"network": ["/a.keras"]} if where == "grid" else {}
    request = Request(settings=["look.toml"], set=named, grid=grid, folder=look.parent)
    with pytest.raises(SettingsError, match="--allow-files"):
        plan_variants(request, {}, False, True)
    assert plan_variants(request, {}, True, True)
    by_hand = Request(settings=[str(look)], set=named, grid=grid)
    assert plan_variants(by_hand, {}, False, True)


def test_names_that_no_folder_could_have_become_plain(photos, planned):
    odd = photos[0].rename(photos[0].with_name("a b:c$ü.png"))
    (dream,) = planned(photographs=[odd])
    assert dream.name == "a-b-c-ü-look"


@pytest.mark.parametrize("path", ["README.md", "docs/guide/batch.md", "dreamscripts/scripts/batch.py"])
def test_the_commands_in_the_documents_can_be_planned(path):
    """Their options fit their settings. The photographs in them need not exist."""
    text = (Path(__file__).parents[2] / path).read_text("utf-8")
    commands = re.findall(r"dreamscripts batch ((?!jobs)\S+\.?\w* [^\n#`\"]*-[^\n#`\"]*)", text)
    assert commands
    for words in map(shlex.split, commands):
        pairs = list(itertools.pairwise(words))
        named = [value for option, value in pairs if option in ("-s", "--settings")] or ["dreamy"]
        grid = parse_grid([value for option, value in pairs if option == "--grid"])
        request = Request(settings=named[0].split(","), grid=grid)
        assert plan_variants(request, {"network": "pocket"}, False, True)
