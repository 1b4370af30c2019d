import pytest
from hypothesis import given
from hypothesis import strategies as st

from dreamscripts.batch.request import Request, parse_grid, parse_seeds, read_jobs_file
from dreamscripts.errors import SettingsError


@pytest.mark.parametrize(
    ("text", "seeds"),
    [("0-3", [0, 1, 2, 3]), ("7", [7]), ("1,5,7", [1, 5, 7]), ("0-2, 1-4", [0, 1, 2, 3, 4]), ("5-5", [5])],
)
def test_seeds(text, seeds):
    assert parse_seeds(text) == seeds


@pytest.mark.parametrize("text", ["", "a", "3-1", "-1", "1-", "1,,2", "0-99999999999", "1.5"])
def test_seeds_that_are_none_are_refused(text):
    with pytest.raises(SettingsError, match="write them as 0-3 or 1,5,7"):
        parse_seeds(text)


@given(st.sets(st.integers(0, 10**9), min_size=1, max_size=20))
def test_seeds_that_are_listed_are_those(seeds):
    assert set(parse_seeds(",".join(map(str, seeds)))) == seeds


@pytest.mark.parametrize(
    ("text", "values"),
    [
        ("optimizer.step=1,2,4", [1, 2, 4]),
        ("size = 400 , 800", [400, 800]),
        ("network=vgg16,pocket", ["vgg16", "pocket"]),
        ("optimizer.max_change=1.5,1.5", [1.5]),
        (
            "features={block1_conv1=1, block2_conv1=2},{block3_conv1=1}",
            [{"block1_conv1": 1, "block2_conv1": 2}, {"block3_conv1": 1}],
        ),
        ("weights='a,b.keras',\"c.keras\"", ["a,b.keras", "c.keras"]),
    ],
)
def test_a_grid_has_values(text, values):
    (found,) = parse_grid([text]).values()
    assert found == values


@pytest.mark.parametrize(
    ("texts", "words"),
    [(["size"], "write it as key=value,value"), (["=1,2"], "write it as"), (["size=1", "size=2"], "is given twice")],
)
def test_a_grid_that_cannot_be_read_is_refused(texts, words):
    with pytest.raises(SettingsError, match=words):
        parse_grid(texts)


def test_every_value_is_combined_with_every_other():
    request = Request(grid={"size": [400, 800], "optimizer.step": [1, 2]}, seeds=[0, 1])
    found = [tuple(values.values()) for values in request.combinations()]
    assert found == [(size, step, seed) for size in (400, 800) for step in (1, 2) for seed in (0, 1)]
    assert list(Request().combinations()) == [{}]


def test_a_jobs_file_says_the_same(tmp_path):
    path = tmp_path / "jobs.toml"
    path.write_text(
        'photographs = ["holiday/*.jpg"]\nsettings = ["dreamy"]\nseeds = "0-1"\n'
        "[grid]\nsize = [400, 800]\noptimizer.step = [1]\n[set]\noctaves.count = 2\n"
    )
    request = read_jobs_file(path)
    assert request.photographs == ["holiday/*.jpg"]
    assert request.settings == ["dreamy"]
    assert request.seeds == [0, 1]
    assert request.grid == {"size": [400, 800], "optimizer.step": [1]}
    assert request.set == {"octaves.count": 2}
    assert request.folder == tmp_path


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("photos = []", "there is no key 'photos'; the keys are photographs"),
        ("photographs = 3", "photographs: "),
        ("seeds = [-1]", "seeds"),
        ('seeds = "many"', "write them as 0-3"),
        ("[grid]\nsize = []", "the grid has no value of size"),
        ("not toml", "jobs.toml"),
    ],
)
def test_a_jobs_file_with_a_mistake_is_refused_in_words(tmp_path, text, words):
    path = tmp_path / "jobs.toml"
    path.write_text(text)
    with pytest.raises(SettingsError, match=words) as error:
        read_jobs_file(path)
    assert "\n" not in str(error.value)


def test_one_value_needs_no_list(tmp_path):
    path = tmp_path / "jobs.toml"
    path.write_text("seeds = 3\n[grid]\nsize = 400\n")
    assert (read_jobs_file(path).seeds, read_jobs_file(path).grid) == ([3], {"size": [400]})
