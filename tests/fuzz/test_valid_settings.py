"""Valid settings of every combination: each runs or is refused in one line, and no value is ignored without a word."""

import logging
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tensorflow as tf
import tomli_w
from fuzz.harness import MINUTES
from hypothesis import HealthCheck, given
from hypothesis import settings as examples
from hypothesis import strategies as st

from dreamscripts.dreams import prepare
from dreamscripts.dreams.dream import dream
from dreamscripts.errors import DreamError
from dreamscripts.images.files import save_picture
from dreamscripts.images.resizing import fitted, noise
from dreamscripts.registry import MEASURES, OPTIMIZERS, PENALTIES, SCHEDULES
from dreamscripts.settings.schema import Settings

pytestmark = pytest.mark.slow

LAYERS = ("block1_conv1", "block1_conv2", "block2_conv1", "block2_conv1_pre_relu", "block3_conv1")
INEXACT = 1e-5
"""The largest relative difference between a loss and the sum of its terms."""
WITHOUT_A_DIFFERENCE = {
    "seed": "nothing may be random",
    "convolutions": "both algorithms give the same numbers",
    "optimizer.where": "both give the same numbers if there is nothing to gain",
    "optimizer.normalise": "mean and notebook differ only for faint gradients",
    **dict.fromkeys(("optimizer.clip", "optimizer.max_change"), "a limit that no pixel may reach"),
    "optimizer.max_score": "a limit that may be reached in the last pass only",
    "optimizer.history": "a limit that few passes do not reach",
}


def numbers(least: float, most: float) -> st.SearchStrategy[float]:
    return st.floats(least, most, width=16)


weights = st.sampled_from((0.01, 0.3, 1.0, 7.0, 1e4))
channels = st.lists(st.integers(0, 15), min_size=1, max_size=3, unique=True) | st.dictionaries(
    st.integers(0, 15).map(str), st.sampled_from((-2.0, 0.5, 1.0)), min_size=1, max_size=3
)
measures = st.sampled_from([*MEASURES])
features = st.dictionaries(
    st.sampled_from(LAYERS),
    weights | st.fixed_dictionaries({"weight": weights}, optional={"measure": measures, "channels": channels}),
    min_size=1,
    max_size=2,
)
common = {
    "iterations": st.integers(1, 2),
    "passes": st.integers(1, 4),
    "clip": st.booleans(),
    "max_change": st.sampled_from((0.5, 3.0)),
    "parameters": st.sampled_from(("pixels", "fourier")),
}
own = {
    "step": st.sampled_from((0.01, 0.5, 3.0)),
    "laplacian": st.integers(0, 3),
    "max_score": st.sampled_from((-1e9, 0.5)),
    "normalise": st.sampled_from(("mean", "notebook", "std", "none")),
    "where": st.sampled_from(("scipy", "device")),
    "history": st.integers(1, 2),
}


def optimizers(name: str) -> st.SearchStrategy[dict[str, Any]]:
    keys = OPTIMIZERS[name].settings.model_fields
    short = {key: common[key] for key in ("iterations", "passes")}
    optional = {key: value for key, value in (common | own).items() if key in keys and key not in short}
    return st.fixed_dictionaries({"name": st.just(name), **short}, optional=optional)


@st.composite
def octaves(draw: st.DrawFn) -> dict[str, Any]:
    """Draw octaves, with `above` only where it can be used."""
    count, kind = draw(st.integers(1, 3)), draw(st.sampled_from([*SCHEDULES]))
    table = {"kind": kind, "count": count} | draw(st.fixed_dictionaries({}, optional={"scale": numbers(1.125, 2)}))
    if count > 1 and SCHEDULES[kind].returns and draw(st.booleans()):
        table["above"] = draw(st.integers(0, count - 1))
    return table


tables = st.fixed_dictionaries(
    {
        "features": features,
        "optimizer": st.sampled_from([*OPTIMIZERS]).flatmap(optimizers),
        "size": st.integers(24, 40),
    },
    optional={
        "start": st.just("noise"),
        "seed": st.integers(0, 3),
        "measure": measures,
        "convolutions": st.sampled_from(("auto", "direct", "winograd")),
        "precision": st.sampled_from(("auto", "float32", "tf32", "mixed_bfloat16")),
        "penalties": st.dictionaries(st.sampled_from([*PENALTIES]), weights, max_size=3),
        "jitter": st.fixed_dictionaries(
            {},
            optional={
                "noise": numbers(0.5, 20),
                "shift": st.integers(1, 100),
                "rotate": numbers(1, 180),
                "scale": numbers(0.0625, 0.75),
            },
        ),
        "octaves": octaves(),
        "tiles": st.just("exact")
        | st.fixed_dictionaries(
            {"kind": st.sampled_from(("tutorial", "notebook", "exact")), "size": st.integers(8, 50)}
        ),
    },
)


@pytest.fixture(scope="module")
def ways(tmp_path_factory):
    """Let all dreams share the networks, and compute passes without compiling them, which would take a second each."""
    networks: dict[str, Any] = {}
    load = prepare.load_network

    def load_once(name, weights, layers, **options):
        key = repr((name, weights, sorted(layers), options))
        if key not in networks:
            networks[key] = load(name, weights, layers, **options)
        return networks[key]

    folder = tmp_path_factory.mktemp("valid")
    save_picture(noise_of(20, 16, 1), folder / "guide.png")
    tf.config.run_functions_eagerly(True)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(prepare, "load_network", load_once)
        patch.chdir(folder)
        yield folder
    tf.config.run_functions_eagerly(False)


def noise_of(height: int, width: int, seed: int) -> np.ndarray:
    return np.random.default_rng(seed).uniform(0, 255, (height, width, 3)).astype(np.float32)


PHOTO = noise_of(30, 40, 0)


class Heard(logging.Handler):
    """The warnings of a run."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.lines: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.lines.append(record.getMessage())


def outcome(table: dict[str, Any]) -> tuple[Any, list[str]]:
    """Dream with a table of settings. Returns the iterates or the message of a DreamError, and the warnings."""
    Path("valid.toml").write_text(tomli_w.dumps(table), "utf-8")
    heard, log = Heard(), logging.getLogger("dreamscripts")
    log.addHandler(heard)
    try:
        overrides = {"guide.picture": table["guide"]["picture"]} if "guide" in table else {}
        settings = Settings.load("valid.toml", **overrides)
        return (settings, list(dream(start_of(settings), settings))), heard.lines
    except DreamError as error:
        return str(error), heard.lines
    finally:
        log.removeHandler(heard)


def start_of(settings: Settings) -> np.ndarray:
    return noise(settings.side, settings.seed) if settings.start == "noise" else PHOTO


def guided(table: dict[str, Any]) -> dict[str, Any]:
    """Add a guide picture if a layer needs one."""
    used = {
        f.get("measure", table.get("measure")) if isinstance(f, dict) else table.get("measure")
        for f in table["features"].values()
    }
    return table | ({"guide": {"picture": "guide.png", "size": 24}} if "guide" in used else {})


def written(table: dict[str, Any]) -> list[str]:
    """Return the keys, with dots, that can be removed."""
    keys = [key for key in table if key not in ("features", "optimizer", "guide", "size")]
    inner = [f"{name}.{key}" for name in ("optimizer", "jitter", "octaves", "penalties") for key in table.get(name, {})]
    return [*keys, *(key for key in inner if key not in ("optimizer.name", "optimizer.iterations", "optimizer.passes"))]


def without(table: dict[str, Any], key: str) -> dict[str, Any]:
    name, _, inner = key.partition(".")
    if inner:
        return table | {name: {k: v for k, v in table[name].items() if k != inner}}
    return {k: v for k, v in table.items() if k != name}


def is_same(one: Any, other: Any) -> bool:
    if isinstance(one, str) or isinstance(other, str):
        return one == other
    (_, ours), (_, theirs) = one, other
    return len(ours) == len(theirs) and all(
        a.loss == b.loss and np.array_equal(a.x, b.x) for a, b in zip(ours, theirs, strict=True)
    )


def check_iterates(settings: Settings, iterates: list) -> None:
    for iterate in iterates:
        picture, terms = iterate.picture, [*iterate.terms.values()]
        assert np.isfinite(picture).all() and picture.min() >= 0 and picture.max() <= 255
        assert abs(iterate.loss - sum(terms)) <= INEXACT * sum(map(abs, terms))
    if SCHEDULES[settings.octaves.kind].returns:
        size = (settings.side,) * 2 if settings.start == "noise" else fitted(*PHOTO.shape[:2], settings.size)
        assert iterates[-1].picture.shape == (*size, 3)


def check(table: dict[str, Any], number: int) -> str:
    """Run settings, and run them again without one of their keys. Returns how the first run ended."""
    table = guided(table)
    result, warnings = outcome(table)
    assert all(len(line.splitlines()) == 1 for line in warnings)
    if isinstance(result, str):
        assert len(result.splitlines()) == 1 and len(result) < 1000, result
        return "refused"
    check_iterates(*result)
    if not (keys := written(table)):
        return "ran"
    key = keys[number % len(keys)]
    before, default = result[0].value(key), Settings(features={"a": 1}, optimizer={"name": table["optimizer"]["name"]})
    if before == default.value(key) or key in WITHOUT_A_DIFFERENCE or (key == "tiles" and before["kind"] == "exact"):
        return "ran"
    words = ("is skipped",) if key.startswith("octaves") else ()  # one octave may be left
    said = [line for line in warnings if any(word in line for word in (key, *words))]
    assert said or not is_same(result, outcome(without(table, key))[0]), f"{key} = {before} makes no difference"
    return "warned" if said else "ran"


@pytest.mark.usefixtures("ways")
@examples(max_examples=int(20 * MINUTES), derandomize=True, deadline=None, suppress_health_check=list(HealthCheck))
@given(tables, st.integers(0, 50))
def test_valid_settings_run_or_are_refused_and_none_of_their_keys_is_ignored_silently(table, number):
    check(table, number)
