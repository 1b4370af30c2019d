from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dreamscripts.errors import SettingsError
from dreamscripts.objective.random_tiles import cut, draw_shift
from dreamscripts.settings.loading import parse_override
from dreamscripts.settings.schema import Settings
from dreamscripts.settings.tables import Tiles

kinds = st.sampled_from(["tutorial", "notebook"])
sizes = st.integers(1, 24)
sides = st.integers(1, 100)


def spans(side, kind, size):
    """(start, stop) of the tiles along one side."""
    return [(columns.start, columns.stop) for _, columns in cut(1, side, Tiles(kind=kind, size=size))]


def test_without_tiles_the_whole_picture_is_one():
    assert cut(40, 60, None) == [(slice(0, 40), slice(0, 60))]
    assert draw_shift(np.random.default_rng(0), None).tolist() == [0, 0]


@pytest.mark.parametrize(
    ("side", "expected"),
    [
        (300, [(0, 300)]),  # the only start is kept
        (512, [(0, 512)]),
        (513, [(0, 512)]),
        (1024, [(0, 512)]),  # even where it began a whole tile the last start is dropped
        (1025, [(0, 512), (512, 1024)]),
        (1500, [(0, 512), (512, 1024)]),
    ],
)
def test_the_tutorial_drops_the_last_start(side, expected):
    assert spans(side, "tutorial", 512) == expected


@pytest.mark.parametrize(
    ("side", "expected"),
    [
        (300, [(0, 300)]),
        (512, [(0, 512)]),
        (768, [(0, 512)]),
        (769, [(0, 512), (512, 769)]),  # more than half a tile is left: a tile of its own
        (1024, [(0, 512), (512, 1024)]),
        (1280, [(0, 512), (512, 1024)]),
    ],
)
def test_the_notebook_has_a_smaller_tile_last_where_half_of_one_is_left(side, expected):
    assert spans(side, "notebook", 512) == expected


def test_tiles_are_every_row_with_every_column():
    tiles = cut(70, 100, Tiles(kind="notebook", size=32))
    assert tiles == [
        (slice(row, min(row + 32, 70)), slice(column, min(column + 32, 100)))
        for row in (0, 32)
        for column in (0, 32, 64)
    ]


@given(sides, kinds, sizes)
def test_tiles_lie_side_by_side_from_the_first_pixel_and_leave_out_less_than_they_may(side, kind, size):
    tiles = spans(side, kind, size)
    assert tiles[0][0] == 0
    assert all(stop == start for (_, stop), (start, _) in pairwise(tiles))
    assert all(stop - start == size for start, stop in tiles[:-1])
    assert tiles[-1][1] <= side
    assert side - tiles[-1][1] <= {"tutorial": size, "notebook": -(-size // 2)}[kind]
    if len(tiles) > 1:
        assert tiles[-1][1] - tiles[-1][0] >= {"tutorial": size, "notebook": size // 2}[kind]


@given(sides, kinds, sizes)
def test_every_pixel_is_reached_by_some_roll(side, kind, size):
    reached = np.zeros(side, bool)
    rolls = range(-size, size + 1) if kind == "tutorial" else range(size)
    for roll in rolls:
        covered = np.zeros(side, bool)
        for start, stop in spans(side, kind, size):
            covered[start:stop] = True
        reached |= np.roll(covered, -roll)
    assert reached.all()


@given(kinds, st.integers(1, 6))
def test_rolls_go_as_far_as_a_tile_both_ways_or_almost_one_way(kind, size):
    rng = np.random.default_rng(0)
    drawn = np.array([draw_shift(rng, Tiles(kind=kind, size=size)) for _ in range(300)])
    expected = set(range(-size, size + 1) if kind == "tutorial" else range(size))
    assert set(drawn[:, 0].tolist()) == set(drawn[:, 1].tolist()) == expected
    assert size == 1 or len({tuple(roll) for roll in drawn.tolist()}) > len(expected)  # down and right by themselves


@pytest.mark.parametrize(
    ("said", "tiles"),
    [
        ("tiles=exact", Tiles(kind="exact")),
        ("tiles=notebook", Tiles(kind="notebook", size=512)),
        ('tiles={kind = "exact", size = 800}', Tiles(kind="exact", size=800)),
        ("tiles.size=300", Tiles(kind="tutorial", size=300)),
    ],
)
def test_a_word_is_the_kind_of_tiles_and_only_exact_ones_leave_their_size_open(said, tiles, tmp_path):
    settings = Settings.load("bad_trip", **dict([parse_override(said)]))
    assert settings.tiles == tiles
    (tmp_path / "again.toml").write_text(settings.to_toml())
    assert Settings.load(tmp_path / "again.toml") == settings


@pytest.mark.parametrize(
    ("said", "says"),
    [
        ({"tiles": "exacd"}, r"tiles\.kind = 'exacd'"),
        ({"tiles": {"kind": "exact", "size": 0}}, r"tiles\.size = 0"),
    ],
)
def test_tiles_that_cannot_be_are_refused(said, says):
    with pytest.raises(SettingsError, match=says):
        Settings.load("bad_trip", **said)
