"""Graphs of PyTorch's operators: trace a function once, and run it again without the Python code around them.

Keras copies the maps for each layer into another layout and back: NHWC to NCHW, to NHWC for cuDNN. Within a graph, they
stay NHWC in memory, which is the faster layout on GPUs with tensor cores (BENCHMARKS.md), and nothing is copied. A GPU
records the kernels of a graph and starts them all at once (a CUDA graph), because starting them one by one takes longer
than computing them.
"""

from collections.abc import Callable, Sequence
from functools import cache
from threading import RLock
from typing import Any

import keras
import torch
from torch.fx import GraphModule, Node
from torch.fx.experimental.proxy_tensor import make_fx

aten = torch.ops.aten
_TRACER = RLock()  # PyTorch's tracer changes torch.nn.Module while it runs, so there can be only one
WARM_UP = 2  # runs before a recording, in which cuDNN and cuBLAS make what they need
TO_NCHW = [0, 3, 1, 2]  # the axes of a picture NHWC in the order of NCHW

Flat = Callable[..., Any]  # takes tensors


def flattened(function: Callable[..., Any], arguments: Any) -> Flat:
    """Return the function of the tensors in `arguments`, which may be nested tuples and dictionaries."""

    def of_tensors(*tensors: torch.Tensor) -> Any:
        results = function(*keras.tree.pack_sequence_as(arguments, list(tensors)))
        return keras.tree.map_structure(keras.ops.convert_to_tensor, results)

    return of_tensors


def traced(function: Flat, tensors: Sequence[torch.Tensor]) -> Flat:
    """Trace a function for tensors of these shapes. A function that cannot be traced runs step by step, as it is."""
    return _or_as_it_is(function, lambda: trace(function, tensors))


def recorded(function: Flat, tensors: Sequence[torch.Tensor]) -> Flat:
    """Trace a function, and record it on the GPU. A function for which this is impossible runs step by step, as it is.

    The recordings share their memory, so only one of them can run at a time. Their results are copies.
    """
    return _or_as_it_is(function, lambda: _record(trace(function, tensors), tensors))


def _or_as_it_is(function: Flat, make: Callable[[], Flat]) -> Flat:
    try:
        with _TRACER:
            return make()
    except Exception:  # of any kind; what is wrong with the function itself is raised again when it runs
        return function


def _record(graph: GraphModule, tensors: Sequence[torch.Tensor]) -> Flat:
    inputs = [tensor.clone() for tensor in tensors]
    beside, recording = torch.cuda.Stream(), torch.cuda.CUDAGraph()
    beside.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(beside):
        for _ in range(WARM_UP):
            graph(*inputs)
    torch.cuda.current_stream().wait_stream(beside)
    with torch.cuda.graph(recording, pool=_memory(), capture_error_mode="thread_local"):
        results = graph(*inputs)

    def replay(*tensors: torch.Tensor) -> Any:
        for mine, given in zip(inputs, tensors, strict=True):
            mine.copy_(given)
        recording.replay()
        return keras.tree.map_structure(torch.clone, results)

    # The kernels read the constants and the weights of the graph from where they are, so it must not be freed.
    replay.graph = graph  # type: ignore[attr-defined]
    return replay


@cache
def _memory() -> Any:
    return torch.cuda.graph_pool_handle()


def trace(function: Flat, tensors: Sequence[torch.Tensor]) -> GraphModule:
    """Run the function once, and return the graph of the operators that ran. It is for tensors of the same shapes.

    Tensors that are not arguments, as the weights of a network, are read from where they are now. Raises an error of
    PyTorch if the function reads the value of a tensor.
    """
    apart = [tensor.detach() for tensor in tensors]  # the tracer would take two arguments that are one tensor as one
    graph = make_fx(function)(*apart)
    if not _changes_tensors(graph):  # every operator then makes a new tensor, and a copy has no effect
        _keep_layout(graph)
        _fold(graph)
    graph.graph.eliminate_dead_code()
    graph.recompile()
    return graph


def _keep_layout(graph: GraphModule) -> None:
    """Remove copies that only change the layout. Views must then not rely on a layout."""
    for node in graph.graph.find_nodes(op="call_function", target=aten.clone.default):
        source = node.args[0]
        if source.target is aten.permute.default and source.args[1] == TO_NCHW:
            node.replace_all_uses_with(source)
        elif "memory_format" in node.kwargs:
            node.target = aten.contiguous.default  # copies only what has another layout
    for node in graph.graph.find_nodes(op="call_function", target=aten.view.default):
        node.target = aten.reshape.default


def _fold(graph: GraphModule) -> None:
    """Compute what follows from constants alone, once."""
    constants: dict[Node, Any] = {}
    for node in graph.graph.nodes:
        if node.op == "get_attr" and node.target.startswith("_tensor_constant"):
            constants[node] = getattr(graph, node.target)
        elif node.op == "call_function" and all(source in constants for source in node.all_input_nodes):
            arguments, keywords = torch.fx.map_arg((node.args, node.kwargs), constants.__getitem__)
            constants[node] = node.target(*arguments, **keywords)
    for number, node in enumerate(constants):
        if node.op == "call_function" and any(user not in constants for user in node.users):
            graph.register_buffer(f"constant{number}", constants[node])
            with graph.graph.inserting_before(node):
                node.replace_all_uses_with(graph.graph.get_attr(f"constant{number}"))


def _changes_tensors(graph: GraphModule) -> bool:
    """Return whether an operator changes a tensor in place."""
    operators = [node.target for node in graph.graph.nodes if node.op == "call_function"]
    return any(isinstance(one, torch._ops.OpOverload) and one._schema.is_mutable for one in operators)
