"""A measure or a penalty is one class or one function in one file."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from keras import ops

import dreamscripts.losses
from dreamscripts import registry
from dreamscripts.errors import SettingsError
from dreamscripts.losses.build import build_loss
from dreamscripts.losses.layers import LayerMean
from dreamscripts.losses.named import LayerTerm, measure, penalty
from dreamscripts.losses.regions import WHOLE
from dreamscripts.losses.term import Term
from dreamscripts.networks.loading import load_network
from dreamscripts.objective.evaluator import Evaluator
from dreamscripts.registry import MEASURES, PENALTIES
from dreamscripts.settings.schema import Settings
from dreamscripts.settings.tables import Tiles

MODULES = sorted(
    path.stem for path in Path(dreamscripts.losses.__file__).parent.glob("*.py") if path.stem != "__init__"
)


def in_process(program):
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_terms_are_named_and_combined_without_keras():
    in_process(
        "import sys\n"
        + "".join(f"import dreamscripts.losses.{module}\n" for module in MODULES)
        + "from dreamscripts.registry import MEASURES, PENALTIES\n"
        + "loss = 0.5 * MEASURES['l2'].make('block4_conv1') + PENALTIES['continuity'].make()\n"
        + "assert loss.names == ['block4_conv1', 'continuity']\n"
        + "heavy = {'keras', 'tensorflow', 'jax', 'torch', 'dreamscripts.networks.network'} & set(sys.modules)\n"
        + "assert not heavy, heavy\n"
    )


@pytest.mark.parametrize("first", ["losses.priors", "losses.diversity", "registry", "losses.build"])
def test_penalties_have_the_same_order_whatever_is_imported_first(first):
    listed = in_process(
        f"import dreamscripts.{first}\nfrom dreamscripts.registry import *\nprint(*PENALTIES, *MEASURES)"
    )
    ours = ["diversity", "continuity", "dream_l2", "total_variation"]
    ours += ["l2", "mean", "mean_square", "energy", "neuron", "guide"]
    assert [name for name in listed.split() if name in ours] == ours  # there may be more


def test_an_entry_carries_what_is_known_of_it():
    l2, diversity, variation = MEASURES["l2"], PENALTIES["diversity"], PENALTIES["total_variation"]
    assert (l2.name, l2.edge, l2.tileable, l2.guided) == ("l2", 2, True, False)
    assert l2.description == "Σ F² / (h·w·c), as in the Keras examples."
    assert {name for name, entry in MEASURES.items() if entry.edge} == {"l2"}
    assert {name for name, entry in MEASURES.items() if entry.guided} == {"guide"}
    assert (diversity.on, diversity.label) == ("layer", "diversity")
    assert (variation.on, variation.label, variation.tileable) == ("picture", "total_variation", True)
    assert all(entry.description.endswith(".") for entry in (*MEASURES.values(), *PENALTIES.values()))


@pytest.fixture
def registries(monkeypatch):
    """Registries to which a test may add."""
    for one in (MEASURES, PENALTIES):
        monkeypatch.setattr(one, "_entries", dict(one._all()))


@pytest.fixture(scope="module")
def network():
    return load_network("pocket", layers=["block2_conv1"])


@pytest.mark.usefixtures("registries")
def test_decorated_functions_are_a_measure_and_penalties(network, rng):
    @measure("largest", edge=1)
    def largest(f, region):
        """The largest value of F."""
        return ops.max(region.core(f, 1))

    @penalty("blue", tileable=True)
    def blue(x, region):
        """Mean of the first channel."""
        return ops.sum(region.core(x)[..., 0]) / region.positions(x)

    @penalty("density", on="layer", tileable=True, label="activity")
    def density(f, region):
        """Mean of |F|."""
        return ops.sum(ops.abs(region.core(f))) / region.size(f)

    assert issubclass(largest, LayerTerm)
    assert MEASURES["largest"].description == "The largest value of F."
    assert (MEASURES["largest"].edge, MEASURES["largest"].tileable, PENALTIES["blue"].tileable) == (1, False, True)
    loss = 2 * largest("block2_conv1", {3: 0.5, 9: -1}) + blue() + 0.5 * density(LayerMean("block2_conv1"))
    assert loss.names == ["block2_conv1[3,9]", "blue", "activity of block2_conv1"]
    x = rng.normal(0, 50, (40, 50, 3)).astype(np.float32)
    f = ops.convert_to_numpy(network.features(ops.convert_to_tensor(x[None]))["block2_conv1"])
    chosen = np.stack([0.5 * f[..., 3], -f[..., 9]], axis=-1)[:, 1:-1, 1:-1]
    expected = [-2 * chosen.max(), x[..., 0].mean(), 0.5 * np.abs(f).mean()]
    assert list(Evaluator(network, loss).terms(x).values()) == pytest.approx(expected, rel=1e-4)
    tiled = Evaluator(network, blue() + density(LayerMean("block2_conv1")), tiles=Tiles(kind="exact", size=32))
    assert list(tiled.terms(x).values()) == pytest.approx([expected[1], 2 * expected[2]], rel=1e-4)


@pytest.mark.usefixtures("registries")
def test_settings_build_what_is_registered(network, monkeypatch):
    class Warmth(Term):
        """Minus the mean of red."""

        tileable = True

        def __call__(self, x, features, regions):
            return -ops.sum(regions.picture.core(x)[..., 2]) / regions.picture.positions(x)

    penalty("coolness")(Warmth)
    settings = Settings(features={"block2_conv1": 2}, measure="mean", penalties={"continuity": 0.5})
    assert build_loss(settings, network).names == ["block2_conv1", "continuity"]
    weights = type("Weights", (dict,), {})(continuity=0.5, coolness=0.1)
    settings = settings.model_copy(update={"penalties": weights})
    assert build_loss(settings, network).names == ["block2_conv1", "continuity", "coolness"]
    assert float(Warmth()(ops.ones((1, 2, 2, 3)), {}, WHOLE)) == -1


@pytest.mark.usefixtures("registries")
def test_a_nameless_or_foreign_entry_is_refused():
    for decorator in (measure, penalty):
        with pytest.raises(SettingsError, match=r'needs a name.*@(measure|penalty)\("silent"\)'):

            @decorator
            def silent(x, region): ...

    with pytest.raises(ValueError, match="'silent' has no docstring"):
        penalty("silent")(lambda x, region: 0)
    with pytest.raises(TypeError, match="LayerMean is not derived from LayerPenalty"):
        penalty("mean", on="layer")(LayerMean)

    def continuity(x, region):
        """Another."""

    with pytest.raises(
        ValueError, match=r"there is another penalty called 'continuity', in dreamscripts\.losses\.priors"
    ):
        penalty("continuity")(continuity)
    assert registry.PENALTIES["continuity"].module == "dreamscripts.losses.priors"
