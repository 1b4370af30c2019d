"""Write a web page that shows a network: its layers as nodes, in blocks that can be opened and closed.

The layout is a tree of parts, in series or side by side. HTML arranges the parts, and the script of the page only draws
the lines between them.
"""

import base64
import json
import math
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from string import Template

import keras

from dreamscripts.atomic_files import write_atomically
from dreamscripts.errors import quoted
from dreamscripts.networks.graph import calls, is_channels_first, maker, public_name
from dreamscripts.networks.layers import LayerFacts, describe_layers
from dreamscripts.reports.channel_pictures import CELL, COLUMNS, join_pictures
from dreamscripts.reports.counted import counted
from dreamscripts.reports.graph_layout import Beside, Graph, Lane, Plan, Series, Tail, arrange, group_blocks
from dreamscripts.reports.labels import escape
from dreamscripts.runs.gallery_folder import Gallery

OPEN_UP_TO = 70  # layers; the blocks of larger networks are closed at first
THUMBS = 4  # pictures of channels on a node
# {family: pattern of the kinds of its layers}. A layer of the family "following" is drawn directly below its input, and
# no line connects them.
FAMILIES = {"convolution": "Conv|Dense", "pooling": "Pool", "following": "Activ|ReLU|Norm|Dropout|Scale|Identity"}


@dataclass(frozen=True)
class Node:
    """A layer with the names of its inputs, its block (or ""), and the facts that the page shows.

    `size` is the shape of the output, with the batch dimension. `nameable`: whether a settings file can name it.
    """

    name: str
    kind: str
    inputs: tuple[str, ...]
    block: str
    size: tuple[int | None, ...]
    nameable: bool
    facts: Mapping[str, str]


def write_graph(
    model: keras.Model, path: Path, network: str, *, weights: str | None = None, gallery: Gallery | None = None
) -> None:
    """Write the page of `model`. The commands on it use the names `network` and `weights`. Raises OutputError."""
    write_atomically(path, _page(model, network, weights, gallery).encode())


# The layers


def describe_graph(model: keras.Model) -> list[Node]:
    """Return all layers of `model`, from input to output."""
    operations = {public_name(operation): operation for operation in model.operations}
    graph = _read_graph(model)
    kinds = {name: type(operation).__name__ for name, operation in operations.items()}
    blocks = group_blocks(graph, kinds)
    described = {facts.name: facts for facts in describe_layers(model)}
    first = is_channels_first(model)
    return [
        Node(
            name,
            kinds[name],
            tuple(inputs),
            blocks.get(name, ""),
            tuple(keras.tree.flatten(operations[name].output)[0].shape),
            name in described,
            _facts(operations[name], described.get(name), first),
        )
        for name, inputs in graph.items()
    ]


def _read_graph(model: keras.Model) -> Graph:
    """Return the names of the inputs of each layer."""
    read: dict[str, dict[str, None]] = {public_name(operation): {} for operation in model.operations}
    for call in calls(model):
        read[public_name(call.operation)] |= dict.fromkeys(public_name(maker(tensor)) for tensor in call.inputs)
    graph: dict[str, list[str]] = {}
    for name, sources in read.items():
        # A layer that is called twice can have a later layer as its second input. Such inputs are omitted.
        graph[name] = [source for source in sources if source in graph]
    return graph


def _facts(operation: keras.Operation, layer: LayerFacts | None, channels_first: bool) -> dict[str, str]:
    """Return the facts about an operation that the page shows, as text by name."""

    def sides(value: int | Sequence[int]) -> str:
        return " × ".join(map(str, (value, value) if isinstance(value, int) else value))

    stride = layer.stride if layer and layer.stride < math.inf else 1
    shapes = [tensor.shape for tensor in keras.tree.flatten(operation.output)]
    facts = {
        "kind": type(operation).__name__,
        "output": ", ".join(_shape(shape, stride, channels_first) for shape in shapes),
    }
    if layer:
        facts["channels"] = f"{layer.channels:,}"
        if layer.receptive_field == math.inf:
            facts["receptive field"] = "the whole picture"
        else:
            facts["total stride"] = f"{layer.stride} px"
            facts["receptive field"] = f"{layer.receptive_field} × {layer.receptive_field} px"
    for fact, attribute in [("kernel", "kernel_size"), ("window", "pool_size"), ("strides", "strides")]:
        if hasattr(operation, attribute):
            facts[fact] = sides(getattr(operation, attribute))
    if hasattr(operation, "padding"):
        facts["padding"] = str(operation.padding)
    if callable(activation := getattr(operation, "activation", None)):
        facts["activation"] = getattr(activation, "__name__", type(activation).__name__)
    if isinstance(operation, keras.Layer) and operation.count_params():
        facts["weights"] = f"{operation.count_params():,}"
    return facts


def _shape(shape: Sequence[int | None], stride: float, channels_first: bool) -> str:
    """Format the shape of an output for a picture of H × W pixels, for example H/2 × W/2 × 64."""
    sides: list[int | str | None] = list(shape[1:])
    if len(sides) == 3:
        sides = sides[1:] + sides[:1] if channels_first else sides
        by = "" if stride == 1 else f"/{stride}"
        sides = [side or f"{letter}{by}" for side, letter in zip(sides, "HWC", strict=True)]
    return " × ".join(str(side or "?") for side in sides)


# The page


def _page(model: keras.Model, network: str, weights: str | None, gallery: Gallery | None) -> str:
    drawing = _Drawing(describe_graph(model), gallery)
    nodes = drawing.nodes
    blocks = f" in {counted(len(drawing.blocks), 'block')}" if drawing.blocks else ""
    about = counted(len(nodes), "layer") + blocks
    about += f", {model.count_params():,} weights"
    sheets = {
        i: join_pictures(list(found.values())) for i, node in enumerate(nodes) if (found := drawing.pictures(node))
    }
    if gallery:
        about += f"; pictures of channels from {gallery.folder}"
        weights = weights or gallery.weights
    numbers = {node.name: i for i, node in enumerate(nodes)}
    data = {
        "command": [
            f"dreamscripts visualize {quoted(network)} ",
            f" --weights {quoted(weights)}" if weights else "",
        ],
        "lines": drawing.lines,
        "layers": [
            {
                "name": node.name,
                "key": _toml_key(node.name) if node.nameable else None,
                "argument": quoted(node.name),
                "facts": node.facts,
                "inputs": [numbers[name] for name in node.inputs],
                "channels": list(drawing.pictures(node)),
            }
            for node in nodes
        ],
    }
    return Template((Path(__file__).parent / "graph.html").read_text("utf-8")).substitute(
        network=escape(network),
        about=escape(about),
        graph=drawing.html,
        cell=CELL,
        columns=COLUMNS,
        sheets="\n".join(
            f"  .sheet-{i} {{ background-image: url(data:image/jpeg;base64,{base64.b64encode(sheet).decode()}); }}"
            for i, sheet in sheets.items()
        ),
        data=json.dumps(data, separators=(",", ":")).replace("<", "\\u003c"),
    )


def _toml_key(name: str) -> str:
    return name if re.fullmatch(r"[\w-]+", name, re.ASCII) else json.dumps(name)


class _Drawing:
    """The nodes and blocks as HTML, and the lines as pairs of element ids (start, end).

    Ids: n3 is a node, b1 a block, h1 the head of this block (the start of its inside), x1 the end of its inside.
    """

    def __init__(self, nodes: Sequence[Node], gallery: Gallery | None):
        self.nodes = nodes
        self.blocks = list(dict.fromkeys(node.block for node in nodes if node.block))
        self._gallery = gallery
        self._id = {node.name: f"n{i}" for i, node in enumerate(nodes)}
        self._readers = Counter(source for node in nodes for source in node.inputs)
        self._hanging: set[tuple[str, str]] = set()
        self._lines: list[tuple[str, str]] = []
        self.html = self._plan(arrange(self._outline()))
        self.lines = [line for line in self._lines if line not in self._hanging]

    def pictures(self, node: Node) -> Mapping[int, Path]:
        """Return the pictures of a layer's channels, by channel number."""
        return self._gallery.pictures.get(node.name, {}) if self._gallery else {}

    def _outline(self) -> Graph:
        """Return the graph of the network with each block as one item."""
        item = {
            node.name: f"b{self.blocks.index(node.block)}" if node.block else self._id[node.name] for node in self.nodes
        }
        last = {name: i for i, name in enumerate(item.values())}  # a block is placed at its last layer
        graph: dict[str, dict[str, None]] = {name: {} for name in sorted(last, key=last.__getitem__)}
        for node in self.nodes:
            sources = (item[source] for source in node.inputs)
            graph[item[node.name]] |= dict.fromkeys(source for source in sources if source != item[node.name])
        return self._drawn({name: list(sources) for name, sources in graph.items()})

    def _inside(self, number: int, members: Mapping[str, Node]) -> Graph:
        """Return the graph of a block's layers. The head of the block replaces inputs from outside."""
        head, end = f"h{number}", f"x{number}"
        graph: dict[str, list[str]] = {head: []}
        for node in members.values():
            sources = (self._id[source] if source in members else head for source in node.inputs)
            graph[self._id[node.name]] = list(dict.fromkeys(sources))
        read = (source for node in self.nodes if node.name not in members for source in node.inputs)
        self._lines += [(self._id[source], end) for source in dict.fromkeys(read) if source in members]
        return self._drawn(graph)

    def _drawn(self, graph: Graph) -> Graph:
        """Add the lines of a graph, and return the graph."""
        self._lines += [(source, item) for item, sources in graph.items() for source in sources]
        return graph

    def _plan(self, plan: Plan, above: Plan = "") -> str:
        """Return a part of the layout as HTML. `above` is the previous part in the series."""
        match plan:
            case str():
                return self._block(int(plan[1:])) if plan[0] == "b" else self._layer(int(plan[1:]), above)
            case Lane(start, end):
                return f'<i class="lane" data-line="{start} {end}"></i>'
            case Beside(parts):
                passed = len(parts) == 2 and any(isinstance(part, Lane) for part in parts)
                return f'<div class="beside{" passed" if passed else ""}">{"".join(map(self._plan, parts))}</div>'
            case Tail(part):
                return f'<div class="tail">{self._plan(part)}</div>'
            case Series(parts):
                return f'<div class="series">{"".join(map(self._plan, parts, ("", *parts[:-1])))}</div>'

    def _block(self, number: int) -> str:
        name = self.blocks[number]
        members = {node.name: node for node in self.nodes if node.block == name}
        _, *parts = arrange(self._inside(number, members)).parts  # without the head, which is added below
        *_, last = members.values()
        opened = len(self.nodes) <= OPEN_UP_TO
        return (
            f'<section class="block{" open" if opened else ""}" id="b{number}"><h2>'
            f'<button class="head" id="h{number}" aria-expanded="{str(opened).lower()}" aria-controls="i{number}">'
            f"<b>{_broken(name)}</b> <span>{len(members)} layers</span> "
            f"<span>{escape(last.facts['output'])}</span></button></h2>"
            f'<div class="inside" id="i{number}"{"" if opened else " inert"}>{self._plan(Series(tuple(parts)))}</div>'
            "</section>"
        )

    def _layer(self, number: int, above: Plan) -> str:
        node = self.nodes[number]
        family = next((family for family, kind in FAMILIES.items() if re.search(kind, node.kind)), "other")
        classes = ["node", family if len(node.inputs) <= 1 else "merge"]
        sources = [self._id[source] for source in node.inputs if self._readers[source] == 1]
        if family == "following" and isinstance(above, str) and sources == [above]:
            classes.append("hanging")
            self._hanging.add((above, f"n{number}"))
        window = node.facts.get("kernel", node.facts.get("window", "")).replace(" ", "\u00a0")
        strides = node.facts.get("strides", "1 × 1")
        kind = f"{node.kind} {window}" + ("" if strides == "1 × 1" else f", stride {strides.split()[0]}")
        stem = f"{node.block}_" if node.name.startswith(f"{node.block}_") else ""
        thumbs = [f'<i class="sheet-{number}" style="--x: {i}"></i>' for i in range(len(self.pictures(node)))][:THUMBS]
        return (
            f'<button class="{" ".join(classes)}" id="n{number}">'
            f"<b><i>{_broken(stem)}</i>{_broken(node.name.removeprefix(stem))}</b> "
            f"<span>{escape(kind)}</span> <span>{escape(node.facts['output'])}</span>"
            f'<span class="thumbs">{"".join(thumbs)}</span></button>'
        )


def _broken(name: str) -> str:
    """Escape a name for HTML, and allow a line break after each underscore."""
    return escape(name).replace("_", "_<wbr>")
