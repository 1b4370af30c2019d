"""A network as a web page of its own: its layers as nodes, its modules as blocks that open and close.

The layout is worked out here as parts in series and parts side by side, which HTML lays out by itself; the page's
script only draws the lines between them.
"""

import base64
import html
import json
import math
import re
import shlex
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from string import Template

import keras

from dreamscripts.atomic_files import write_atomically
from dreamscripts.networks.graph import calls, is_channels_first, maker, public_name
from dreamscripts.networks.layers import LayerFacts, describe_layers
from dreamscripts.reports.channel_pictures import CELL, COLUMNS, join_pictures
from dreamscripts.reports.graph_layout import Beside, Graph, Lane, Plan, Series, Tail, arrange, group_blocks
from dreamscripts.runs.gallery_folder import Gallery

OPEN_UP_TO = 70  # layers; a larger network begins with its blocks closed
THUMBS = 4  # of a layer's pictures, on its node
# By the kind of layer; what follows another as a matter of course hangs below it, without a line.
FAMILIES = {"convolution": "Conv|Dense", "pooling": "Pool", "following": "Activ|ReLU|Norm|Dropout|Scale|Identity"}


@dataclass(frozen=True)
class Node:
    """A layer: what it reads, the block it belongs to ("" for none), and what there is to say of it.

    `size` is the shape of its output, batch included; `nameable` is whether a settings file can name it.
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
    """Write the page of `model`, which a person calls `network` and gives `weights`. Raises OutputError."""
    write_atomically(path, _page(model, network, weights, gallery).encode())


# The layers


def describe_graph(model: keras.Model) -> list[Node]:
    """Every layer of `model`, from the input on."""
    operations = {public_name(operation): operation for operation in model.operations}
    graph = _read_graph(model)
    kinds = {name: type(operation).__name__ for name, operation in operations.items()}
    blocks = group_blocks(graph, kinds)
    seen = {facts.name: facts for facts in describe_layers(model)}
    first = is_channels_first(model)
    return [
        Node(
            name,
            kinds[name],
            tuple(inputs),
            blocks.get(name, ""),
            tuple(keras.tree.flatten(operations[name].output)[0].shape),
            name in seen,
            _facts(operations[name], seen.get(name), first),
        )
        for name, inputs in graph.items()
    ]


def _read_graph(model: keras.Model) -> Graph:
    read: dict[str, dict[str, None]] = {public_name(operation): {} for operation in model.operations}
    for call in calls(model):
        read[public_name(call.operation)] |= dict.fromkeys(public_name(maker(tensor)) for tensor in call.inputs)
    graph: dict[str, list[str]] = {}
    for name, sources in read.items():
        # A layer called twice may stand before what it reads the second time, which a graph of layers, and not of
        # calls, leaves out.
        graph[name] = [source for source in sources if source in graph]
    return graph


def _facts(operation: keras.Operation, seen: LayerFacts | None, channels_first: bool) -> dict[str, str]:
    def sides(value: int | Sequence[int]) -> str:
        return " × ".join(map(str, (value, value) if isinstance(value, int) else value))

    stride = seen.stride if seen and seen.stride < math.inf else 1
    shapes = [tensor.shape for tensor in keras.tree.flatten(operation.output)]
    facts = {
        "kind": type(operation).__name__,
        "output": ", ".join(_shape(shape, stride, channels_first) for shape in shapes),
    }
    if seen:
        facts["channels"] = f"{seen.channels:,}"
        if seen.receptive_field == math.inf:
            facts["receptive field"] = "the whole picture"
        else:
            facts["total stride"] = f"{seen.stride} px of the picture"
            facts["receptive field"] = f"{seen.receptive_field} × {seen.receptive_field} px of it"
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


def _shape(shape: Sequence[int | None], stride: int, channels_first: bool) -> str:
    """An output's shape for a picture of H × W; a side that is the same for every picture is a number."""
    sides = list(shape[1:])
    if len(sides) == 3:
        sides = sides[1:] + sides[:1] if channels_first else sides
        by = "" if stride == 1 else f"/{stride}"
        sides = [side or f"{letter}{by}" for side, letter in zip(sides, "HWC", strict=True)]
    return " × ".join(str(side or "?") for side in sides)


# The page


def _page(model: keras.Model, network: str, weights: str | None, gallery: Gallery | None) -> str:
    drawing = _Drawing(describe_graph(model), gallery)
    nodes = drawing.nodes
    about = f"{len(nodes)} layers in {len(drawing.blocks)} blocks" if drawing.blocks else f"{len(nodes)} layers"
    about += f", {model.count_params():,} weights"
    sheets = {
        i: join_pictures(list(found.values())) for i, node in enumerate(nodes) if (found := drawing.pictures(node))
    }
    if gallery:
        about += f"; pictures of channels from {gallery.folder}"
        weights = weights or gallery.weights
    numbers = {node.name: i for i, node in enumerate(nodes)}
    told = {
        "command": [
            f"dreamscripts visualize {shlex.quote(network)} ",
            f" --weights {shlex.quote(weights)}" if weights else "",
        ],
        "lines": drawing.lines,
        "layers": [
            {
                "name": node.name,
                "key": _toml_key(node.name) if node.nameable else None,
                "argument": shlex.quote(node.name),
                "facts": node.facts,
                "inputs": [numbers[name] for name in node.inputs],
                "channels": list(drawing.pictures(node)),
            }
            for node in nodes
        ],
    }
    return Template((Path(__file__).parent / "graph.html").read_text("utf-8")).substitute(
        network=html.escape(network),
        about=html.escape(about),
        graph=drawing.html,
        cell=CELL,
        columns=COLUMNS,
        sheets="\n".join(
            f"  .sheet-{i} {{ background-image: url(data:image/jpeg;base64,{base64.b64encode(sheet).decode()}); }}"
            for i, sheet in sheets.items()
        ),
        told=json.dumps(told, ensure_ascii=False, separators=(",", ":")).replace("<", "\\u003c"),
    )


def _toml_key(name: str) -> str:
    return name if re.fullmatch(r"[\w-]+", name, re.ASCII) else json.dumps(name)


class _Drawing:
    """The nodes and blocks as HTML, and the lines between them as pairs of the elements where they begin and end.

    Elements: node n3; block b1, its head h1, where its inside begins, and x1, where its inside ends.
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
        """The pictures of a layer's channels."""
        return self._gallery.pictures.get(node.name, {}) if self._gallery else {}

    def _outline(self) -> Graph:
        """The network with each block as one item."""
        item = {
            node.name: f"b{self.blocks.index(node.block)}" if node.block else self._id[node.name] for node in self.nodes
        }
        last = {name: i for i, name in enumerate(item.values())}  # a block comes where its last layer does
        graph: dict[str, dict[str, None]] = {name: {} for name in sorted(last, key=last.__getitem__)}
        for node in self.nodes:
            sources = (item[source] for source in node.inputs)
            graph[item[node.name]] |= dict.fromkeys(source for source in sources if source != item[node.name])
        return self._drawn({name: list(sources) for name, sources in graph.items()})

    def _inside(self, number: int, members: Mapping[str, Node]) -> Graph:
        """The layers of a block below its head, which stands for all that they read from outside."""
        head, end = f"h{number}", f"x{number}"
        graph: dict[str, list[str]] = {head: []}
        for node in members.values():
            sources = (self._id[source] if source in members else head for source in node.inputs)
            graph[self._id[node.name]] = list(dict.fromkeys(sources))
        read = (source for node in self.nodes if node.name not in members for source in node.inputs)
        self._lines += [(self._id[source], end) for source in dict.fromkeys(read) if source in members]
        return self._drawn(graph)

    def _drawn(self, graph: Graph) -> Graph:
        self._lines += [(source, item) for item, sources in graph.items() for source in sources]
        return graph

    def _plan(self, plan: Plan, above: Plan = "") -> str:
        """A part of the layout; `above` is the one before it in series."""
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
        _, *parts = arrange(self._inside(number, members)).parts  # without the head, which is written here
        *_, last = members.values()
        opened = len(self.nodes) <= OPEN_UP_TO
        return (
            f'<section class="block{" open" if opened else ""}" id="b{number}"><h2>'
            f'<button class="head" id="h{number}" aria-expanded="{str(opened).lower()}" aria-controls="i{number}">'
            f"<b>{_broken(name)}</b> <span>{len(members)} layers</span> "
            f"<span>{html.escape(last.facts['output'])}</span></button></h2>"
            f'<div class="inside" id="i{number}"{"" if opened else " inert"}>{self._plan(Series(tuple(parts)))}</div>'
            "</section>"
        )

    def _layer(self, number: int, above: Plan) -> str:
        node = self.nodes[number]
        family = next((family for family, kind in FAMILIES.items() if re.search(kind, node.kind)), "other")
        classes = ["node", family if len(node.inputs) <= 1 else "merge"]
        sources = [self._id[source] for source in node.inputs if self._readers[source] == 1]
        if family == "following" and sources == [above]:
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
            f"<span>{html.escape(kind)}</span> <span>{html.escape(node.facts['output'])}</span>"
            f'<span class="thumbs">{"".join(thumbs)}</span></button>'
        )


def _broken(name: str) -> str:
    """A name that may be broken after each underscore."""
    return html.escape(name).replace("_", "_<wbr>")
