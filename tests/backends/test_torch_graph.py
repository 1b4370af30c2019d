"""Graphs of PyTorch's operators compute what the function computes, and copy nothing only to change the layout."""

import numpy as np
import pytest
from conftest import BACKENDS

pytestmark = pytest.mark.skipif("torch" not in BACKENDS, reason="PyTorch is not installed")

SHAPE = (40, 44, 3)


def pass_and_graph():
    """The numbers and the gradient of a pass with every jitter, for two draws: plain, and by one graph."""
    import keras

    from dreamscripts.backends import compiling, torch_graph
    from dreamscripts.losses.build import build_loss
    from dreamscripts.networks.loading import load_network
    from dreamscripts.objective.evaluator import Evaluator
    from dreamscripts.objective.protocol import evaluate_at
    from dreamscripts.settings.schema import Settings
    from dreamscripts.settings.tables import Jitter

    kept = []

    def keep(function, terms_of, variables, **others):
        kept.append((function, terms_of))
        return lambda *arguments: None

    settings = Settings(features={"block3_conv1": 1}, penalties={"continuity": 0.02, "dream_l2": 0.1})
    network = load_network("pocket", layers=settings.features)
    jitter = Jitter(noise=3, shift=4, rotate=5)
    evaluator = Evaluator(network, build_loss(settings, network), jitter=jitter, seed=1)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(compiling, "compile_with_gradient", keep)
        evaluator.compiled(evaluate_at, SHAPE)
    ((function, terms_of),) = kept

    def evaluate(x, *others):
        import torch

        with torch.enable_grad():
            x = x.detach().requires_grad_()
            terms = terms_of(x, *others)
            return terms.detach(), torch.autograd.grad(terms.sum(), x)[0]

    x = np.random.default_rng(0).uniform(-100, 100, SHAPE).astype(np.float32)
    arguments = [(x, evaluator.draws([number]).of(0)) for number in (0, 1)]
    tensors = [[keras.ops.convert_to_tensor(leaf) for leaf in keras.tree.flatten(one)] for one in arguments]
    flat = torch_graph.flattened(lambda *given: function(evaluate, *given), arguments[0])
    graph = torch_graph.trace(flat, tensors[0])
    copies = [node.name for node in graph.graph.nodes if "clone" in str(node.target)]
    results = [[part.numpy() for each in tensors for part in run(*each)] for run in (flat, graph)]
    return results, copies


def test_a_graph_computes_what_the_function_computes(on_backend):
    (plain, graph), copies = on_backend("torch", pass_and_graph)
    for mine, other in zip(graph, plain, strict=True):
        np.testing.assert_allclose(mine, other, rtol=1e-4, atol=1e-4 * np.abs(other).max())
    assert np.abs(plain[1] - plain[3]).max() > 0  # the draws differ
    assert not copies


def one_tensor_twice():
    import torch

    from dreamscripts.backends import torch_graph

    zeros, flat = torch.zeros(3), lambda a, b: a - 2 * b
    graph = torch_graph.trace(flat, [zeros, zeros])
    return [run(torch.tensor([3.0, 4, 5]), torch.tensor([1.0, 1, 2])).tolist() for run in (flat, graph)]


def test_two_arguments_that_are_one_tensor_when_traced_are_two_arguments(on_backend):
    assert on_backend("torch", one_tensor_twice) == [[1, 2, 1], [1, 2, 1]]


def assigned_between():
    """The results of a function of variables, before and after they are assigned."""
    import keras

    from dreamscripts.backends.compiling import compile_function

    variables = [keras.Variable([1.0, 2], trainable=trainable) for trainable in (True, False)]
    run = compile_function(lambda x: x * variables[0].value + 3 * keras.ops.square(variables[1].value))
    results = [run(np.float32(1)).tolist()]
    for variable in variables:
        variable.assign([3.0, 5])
        results.append(run(np.float32(1)).tolist())
    return results


def test_variables_are_read_at_every_call(on_backend):
    assert on_backend("torch", assigned_between) == [[4, 14], [6, 17], [30, 80]]


def nested():
    import torch

    from dreamscripts.backends import torch_graph
    from dreamscripts.objective.transforms import Draw

    arguments = (torch.ones(2), {"b": 2.0, "a": Draw(3, np.float32(4), ())}, ())
    flat = torch_graph.flattened(lambda x, table, nothing: (x * table["b"], {"sum": table["a"].noise + 1}), arguments)
    doubled, others = flat(torch.ones(2), torch.tensor(7), torch.tensor(4), torch.tensor(5))
    return doubled.tolist(), {name: int(value) for name, value in others.items()}


def test_the_tensors_of_nested_arguments_are_in_the_order_of_keras(on_backend):
    assert on_backend("torch", nested) == ([5, 5], {"sum": 8})


def constants_and_changes():
    import torch

    from dreamscripts.backends import torch_graph

    def with_constant(x):
        return x * torch.tensor([1.0, 2.0]).sqrt()

    def in_place(x):
        total = torch.zeros(2)
        total[0] += x[0]
        return total

    graphs = [torch_graph.trace(flat, [torch.ones(2)]) for flat in (with_constant, in_place)]
    operators = [node.name for node in graphs[0].graph.nodes if node.op == "call_function"]
    twice = [[graph(torch.tensor([3.0, 4])).tolist() for _ in range(2)] for graph in graphs]
    return operators, twice


def test_constants_are_computed_once_unless_an_operator_changes_a_tensor(on_backend):
    operators, (scaled, added) = on_backend("torch", constants_and_changes)
    assert operators == ["mul"]
    np.testing.assert_allclose(scaled, 2 * [[3, 4 * 2**0.5]], rtol=1e-6)
    assert added == 2 * [[3, 0]]


def read_on_the_host():
    import torch

    from dreamscripts.backends import torch_graph

    def flat(x):
        return x * 2 if float(x.sum()) > 0 else x * 3

    made = [make(flat, [torch.ones(2)]) for make in (torch_graph.traced, torch_graph.recorded)]
    return [[run(torch.tensor(values)).tolist() for values in ([1.0, 1], [-1.0, -1])] for run in made]


def test_what_cannot_be_traced_runs_step_by_step(on_backend):
    assert on_backend("torch", read_on_the_host) == 2 * [[[2, 2], [-3, -3]]]
