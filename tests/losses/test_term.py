"""Losses add up, scale and subtract like the numbers that they compute."""

import keras
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from keras import ops

from dreamscripts.errors import SettingsError
from dreamscripts.losses.layers import LayerDirections, LayerL2, LayerMean
from dreamscripts.losses.priors import Continuity, ImageL2, TotalVariation
from dreamscripts.losses.regions import WHOLE
from dreamscripts.losses.term import Loss, Term, as_loss, term
from dreamscripts.networks.loading import load_network
from dreamscripts.objective.evaluator import Evaluator

LAYERS = ("block1_conv2", "block2_conv1")


@pytest.fixture(scope="module")
def network():
    return load_network("pocket", layers=LAYERS)


@term(layers=LAYERS[:1])
def brightest(x, features, regions):
    return ops.max(features["block1_conv2"])


TERMS = (LayerL2("block2_conv1"), LayerMean("block1_conv2", {3: 1.0}), Continuity(), ImageL2(), brightest)
X = np.random.default_rng(0).normal(0, 50, (16, 20, 3)).astype(np.float32)
weights = st.floats(-10, 10).map(lambda weight: round(weight, 3))


@pytest.fixture(scope="module")
def alone(network):
    """The loss and the gradient of each term by itself."""
    evaluators = [Evaluator(network, one) for one in TERMS]
    return [(evaluator.loss(X), evaluator.gradient(X).astype(float)) for evaluator in evaluators]


@settings(max_examples=10, deadline=None)
@given(chosen=st.lists(st.tuples(weights, st.sampled_from(range(len(TERMS)))), min_size=1, max_size=4), scale=weights)
def test_the_loss_and_gradient_of_a_sum_are_the_sums_and_of_a_multiple_the_multiples(network, alone, chosen, scale):
    loss = scale * sum(weight * TERMS[i] for weight, i in chosen)
    evaluator = Evaluator(network, loss)
    parts = [(scale * weight * alone[i][0], scale * weight * alone[i][1]) for weight, i in chosen]
    assert evaluator.loss(X) == pytest.approx(
        sum(p[0] for p in parts), rel=1e-4, abs=1e-6 * max(abs(p[0]) for p in parts)
    )
    largest = max(np.abs(p[1]).max() for p in parts)
    np.testing.assert_allclose(evaluator.gradient(X), sum(p[1] for p in parts), rtol=1e-4, atol=1e-5 * largest)
    assert list(evaluator.terms(X).values()) == pytest.approx([p[0] for p in parts], rel=1e-4)


a, b = Continuity(), TotalVariation()


@pytest.mark.parametrize(
    ("loss", "expected"),
    [
        (a + b, [1, 1]),
        (a - b, [1, -1]),
        (-a + 2 * b, [-1, 2]),
        (-(a - 3 * b), [-1, 3]),
        ((a + b) * 0.5 / 2, [0.25, 0.25]),
        (a - (b - a), [1, -1, 1]),
        (np.float32(0.5) * a + np.int64(3) * b, [0.5, 3]),
        (np.float64(2) * (a + b), [2, 2]),
        (sum([a, 2 * b]), [1, 2]),
    ],
)
def test_arithmetic_keeps_each_term_with_its_weight(loss, expected):
    assert isinstance(loss, Loss)
    assert [weight for weight, _ in loss.terms] == expected
    assert [term for _, term in loss.terms] == [a, b, a][: len(expected)]


@pytest.mark.parametrize(
    "nonsense",
    [lambda: a + 1, lambda: 1 - a, lambda: a * b, lambda: "2" * a, lambda: a / b, lambda: 2 / a, lambda: a - 1],
)
def test_other_arithmetic_is_a_type_error(nonsense):
    with pytest.raises(TypeError):
        nonsense()


@pytest.mark.parametrize("weight", [float("nan"), float("inf")])
def test_a_weight_that_is_not_finite_is_refused(weight):
    with pytest.raises(SettingsError, match=f"^the weight of the term 'continuity' is {weight}: use a finite number"):
        weight * a + b


def test_terms_of_the_same_name_have_columns_of_their_own(network):
    @term(name="continuity 2")
    def taken(x, features, regions):
        return ops.mean(x)

    loss = a + 2 * a + taken + taken + b
    assert loss.names == ["continuity", "continuity 3", "continuity 2", "continuity 2 2", "total_variation"]
    terms = Evaluator(network, loss).terms(X)
    assert list(terms) == loss.names
    assert terms["continuity 3"] == pytest.approx(2 * terms["continuity"])


def test_a_loss_lists_what_its_terms_read():
    directions = keras.Variable(np.zeros((1, 16), np.float32))
    loss = LayerDirections("block1_conv2", directions) + LayerL2("block2_conv1") + a + LayerMean("block1_conv2")
    assert loss.layers == ("block1_conv2", "block2_conv1")
    assert (loss + loss).variables == [directions]
    assert loss.edge == 2
    assert (a + LayerMean("block1_conv2")).edge == 0


def test_a_decorated_function_is_a_term():
    @term
    def plain(x, features, regions):
        return ops.sum(x)

    @term(layers="block1_conv2", tileable=True, name="other")
    def named(x, features, regions):
        return ops.sum(x)

    assert (plain.name, plain.layers, plain.tileable) == ("plain", (), False)
    assert (named.name, named.layers, named.tileable) == ("other", ("block1_conv2",), True)
    assert float(plain(ops.ones((1, 2, 2, 3)), {}, None)) == 12


def test_a_plain_function_is_a_loss(network):
    def mean(x, features, regions):
        return ops.mean(x)

    assert Evaluator(network, mean).terms(X) == {"mean": pytest.approx(X.mean(), rel=1e-4)}
    assert as_loss(lambda x, features, regions: 0).names == ["lambda"]
    assert as_loss(a).terms == ((1.0, a),)
    assert as_loss(a + b) == a + b


@pytest.mark.parametrize("axes", [(1, 2, 3), ()])
def test_a_term_that_is_not_a_scalar_is_refused(axes, network):
    @term
    def by_picture(x, features, regions):
        return ops.sum(x, axis=axes)

    with pytest.raises(SettingsError, match=r"the term 'by_picture' has the shape \(1.*\): return a scalar"):
        Evaluator(network, by_picture).loss(X)


class Nameless(Term):
    tileable = True


@pytest.mark.parametrize(
    ("loss", "says"),
    [
        (3, r"a loss is a Loss, a Term or a function \(x, features, regions\), not int"),
        (None, "a loss is .* not NoneType"),
        (Continuity, r"the loss is the class Continuity: use an instance, such as Continuity\(\)"),
        (lambda x: x, r"a term takes three arguments: def my_term\(x, features, regions\)"),
        (Nameless(), 'Nameless has no name: set name = "…" in the class'),
    ],
)
def test_what_is_not_a_loss_is_refused(loss, says, network):
    with pytest.raises(SettingsError, match=f"^{says}"):
        Evaluator(network, loss)
    with pytest.raises(SettingsError, match="a loss needs at least one term"):
        Loss(())


def test_a_layer_that_the_network_does_not_output_is_refused(network):
    says = r"^the term 'block4_conv1' reads the layer block4_conv1, but pocket was opened for block1_conv2, block2"
    with pytest.raises(SettingsError, match=says):
        Evaluator(network, a + LayerMean("block4_conv1"))


def test_a_function_can_be_added_to_a_term_without_a_decorator():
    def brightness(x, features, regions):
        return ops.sum(x)

    assert (Continuity() + brightness).names == ["continuity", "brightness"]
    assert (brightness + Continuity()).names == ["brightness", "continuity"]
    with pytest.raises(TypeError):
        Continuity() + 3


def test_a_layer_that_a_term_does_not_name_is_refused_with_the_way_to_name_it():
    @term(layers=["a"])
    def greedy(x, features, regions):
        return ops.sum(features["b"])

    class Greedy(Term):
        name = "greedy"
        layers = ("a",)

        def __call__(self, x, features, regions):
            return ops.sum(features["b"])

    for loss in (as_loss(greedy), as_loss(Greedy())):
        with pytest.raises(SettingsError, match=r"'greedy' reads the layer 'b'.*@term\(layers=\[\"b\"\]\).*class"):
            loss(np.ones((1, 4, 4, 3), "float32"), {"a": np.ones((1, 4, 4, 3), "float32")}, WHOLE)
