"""Which layers of a network make a block, and how a graph is laid out: in series, side by side, in rows.

Both work on names alone. Branches that part and meet again are found by the pivots of a graph, the items that
everything else comes before or after: between two of them lies a module.
"""

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby, pairwise, takewhile
from statistics import fmean

LARGEST_MODULE = 60  # layers; what is larger, as NASNet from end to end, is cut at its concatenations
LEAST_STEM = 4  # layers without names of their own that make a block before the first module

Graph = Mapping[str, Sequence[str]]  # the inputs of each item, themselves among the items, in topological order


@dataclass(frozen=True)
class Series:
    """Parts one after the other."""

    parts: tuple["Plan", ...]


@dataclass(frozen=True)
class Beside:
    """Parts side by side."""

    parts: tuple["Plan", ...]


@dataclass(frozen=True)
class Lane:
    """Room for a line that passes other parts by."""

    start: str
    end: str


@dataclass(frozen=True)
class Tail:
    """A part that leads to another end than the rest, as the heads that a network was trained with."""

    part: "Plan"


Plan = str | Series | Beside | Lane | Tail


def arrange(graph: Graph, ends: Iterable[str] = ()) -> Series:
    """Where everything goes: the pivots in series, and between them what runs in parallel.

    What does not lead to one of the `ends`, without any to the deepest item, is a tail.
    """
    main = _main(graph, ends)
    origin: dict[str, str | None] = {name: name for name in main}  # of a tail, where it leaves the rest
    for name in graph:
        origin.setdefault(name, next((origin[source] for source in graph[name]), None))
    parts: list[Plan] = []
    top = None
    for middle, pivot in [*_cut(main), ([], None)]:
        between = [name for name in graph if name in middle or (name not in main and origin[name] in (top, *middle))]
        if between:
            parts.append(_between(between, graph, top, pivot))
        if pivot:
            parts.append(pivot)
        top = pivot
    return Series(tuple(parts))


def _main(graph: Graph, ends: Iterable[str] = ()) -> Graph:
    """The part of the graph that leads to the ends, or to the deepest item; and what hangs by more than one item."""
    depth: dict[str, int] = {}
    for name, inputs in graph.items():
        depth[name] = 1 + max((depth[source] for source in inputs), default=0)
    leads = set(ends) or {max(graph, key=depth.__getitem__)}
    for name in reversed(graph):
        if name in leads:
            leads.update(graph[name])
    for names in _components(_within(graph, graph.keys() - leads)):
        if len({source for name in names for source in graph[name] or [None]} - set(names)) > 1:
            leads.update(names)
    return _within(graph, leads)


def _cut(graph: Graph) -> Iterator[tuple[list[str], str | None]]:
    """The graph in pieces: (what lies before a pivot, the pivot), from the top down; the last may have no pivot.

    A pivot is an item that no line leads past. An item that reads nothing, and one that nothing reads, count as if
    they had a line from above the first item, and to below the last.
    """
    place = {name: i for i, name in enumerate(graph)}
    farthest: dict[str, int] = {}  # the place of the last reader of each item
    for name, inputs in graph.items():
        farthest |= dict.fromkeys(inputs, place[name])
    middle: list[str] = []
    reach = max(place[name] for name in graph if not graph[name])  # the place that lines from above lead to
    for name in graph:
        if reach <= place[name]:
            yield middle, name
            middle = []
        else:
            middle.append(name)
        reach = max(reach, farthest.get(name, len(graph)))
    if middle:
        yield middle, None


def _between(items: Sequence[str], graph: Graph, top: str | None, bottom: str | None) -> Plan:
    """The branches between two pivots, in the order in which the lower one reads them, and then the tails."""
    order = list(graph[bottom]) if bottom else []
    branches: list[tuple[int, Plan]] = []
    for names in _components(_within(graph, items)):
        plan = _branch(_within(graph, names), graph, top, bottom)
        if ends := [order.index(name) for name in names if name in order]:
            branches.append((min(ends), plan))
        else:
            branches.append((len(order), Tail(plan) if bottom else plan))
    if top in order:
        branches.append((order.index(top), Lane(top, bottom)))
    branches.sort(key=lambda branch: branch[0])
    return branches[0][1] if len(branches) == 1 else Beside(tuple(plan for _, plan in branches))


def _branch(inner: Graph, graph: Graph, top: str | None, bottom: str | None) -> Plan:
    """One branch: in series where it can be, with nothing that enters or leaves it half way down."""
    ends = [source for source in graph[bottom] if source in inner] if bottom else []
    read = {source for inputs in _main(inner, ends).values() for source in inputs}
    enters = any(inner[name] and top in graph[name] for name in inner)
    leaves = any(end in read for end in ends)
    if not enters and not leaves and any(pivot for _, pivot in _cut(_main(inner, ends))):
        return arrange(inner, ends)
    return _in_rows(inner, graph, top, bottom)


def _in_rows(inner: Graph, graph: Graph, top: str | None, bottom: str | None) -> Plan:
    """Chains in rows by their longest path from the top, with lanes for the lines that pass a row."""
    readers = Counter(source for name in [*inner, *([bottom] if bottom else [])] for source in graph[name])
    head: dict[str, str] = {}  # the first of each item's chain
    for name in inner:
        follows = len(graph[name]) == len(inner[name]) == 1 and readers[graph[name][0]] == 1
        head[name] = head[graph[name][0]] if follows else name
    row: dict[str | None, int] = {top: 0}
    for name, inputs in inner.items():
        row[name] = row[head[name]] if head[name] != name else 1 + max((row[source] for source in inputs), default=0)
    last = 1 + max(row.values())
    edges = [(source, name) for name in inner for source in graph[name] if source in row]
    if bottom:
        row[bottom] = last
        edges += [(source, bottom) for source in graph[bottom] if source in inner]

    at = dict.fromkeys(edges, 0.5)  # where each line is, from left to right, in the last row that it came through
    rows: list[Plan] = []
    for number in range(1, last):
        found: list[tuple[float, Plan, list[tuple[str, str]]]] = []
        for first in [name for name in inner if head[name] == name and row[name] == number]:
            chain = tuple(name for name in inner if head[name] == first)
            found.append(
                (
                    fmean([at[edge] for edge in edges if edge[1] == first] or [0.5]),
                    Series(chain),
                    [edge for edge in edges if edge[0] in chain],
                )
            )
        found += [(at[edge], Lane(*edge), [edge]) for edge in edges if row[edge[0]] < number < row[edge[1]]]
        found.sort(key=lambda part: part[0])
        for i, (_, _, lines) in enumerate(found):
            at |= dict.fromkeys(lines, (i + 0.5) / len(found))
        rows.append(Beside(tuple(plan for _, plan, _ in found)))
    return Series(tuple(rows))


def _within(graph: Graph, names: Iterable[str]) -> Graph:
    kept = set(names)
    return {name: [source for source in graph[name] if source in kept] for name in graph if name in kept}


def _components(graph: Graph) -> list[list[str]]:
    """The parts of a graph that hang together."""
    part = {name: i for i, name in enumerate(graph)}
    for name, inputs in graph.items():
        joined = {part[other] for other in (name, *inputs)}
        part = {other: min(joined) if i in joined else i for other, i in part.items()}
    return [[name for name in graph if part[name] == i] for i in sorted(set(part.values()))]


# The blocks


def group_blocks(graph: Graph, kinds: Mapping[str, str]) -> dict[str, str]:
    """The name of its block for each layer that belongs to one.

    A block is a module, from where the network branches to where it comes together, with the layers beside it that
    bear its name; or a chain of layers whose names begin alike: block4 of block4_conv1, block4_conv2, block4_pool.
    """
    named = {name for name, kind in kinds.items() if not _is_automatic(name, kind)}
    main = _main(graph)
    units = [[*middle, *([pivot] if pivot else [])] for middle, pivot in _cut(main)]
    units += [[name] for tail in _components(_within(graph, graph.keys() - main.keys())) for name in tail]
    modules = [(_common(named.intersection(unit)) or unit[-1]) if len(unit) > 1 else "" for unit in units]
    stems = [
        module or (_stem(unit[0], modules) if unit[0] in named else "")
        for unit, module in zip(units, modules, strict=True)
    ]
    _name_stem(stems, modules, [kinds[unit[0]] for unit in units])
    _bridge(stems, modules)

    blocks: dict[str, str] = {}
    for stem, run in groupby(zip(stems, units, strict=True), key=lambda pair: pair[0]):
        members = [name for _, unit in run for name in unit]
        if not stem or len(members) < 2:
            continue
        if len(members) > LARGEST_MODULE:
            blocks |= _cut_at_concatenations(_within(graph, members), kinds)
            continue
        name = stem if re.search(r"\d", stem) else _common(named.intersection(members)) or stem
        while name in blocks.values() or (name in graph and name not in members):
            name += "_"
        blocks |= dict.fromkeys(members, name)
    return blocks


def _is_automatic(name: str, kind: str) -> bool:
    """Whether Keras made up the name, as conv2d_37 of a Conv2D."""
    own = re.sub(r"_\d+$", "", name.rpartition("/")[2])  # without the models that it is in
    return kind == "InputLayer" or own.replace("_", "") == kind.lower()


def _is_number(token: str) -> bool:
    """Whether a part of a name counts something: block4, mixed4d, 1; neither conv nor expand1x1."""
    return bool(re.fullmatch(r"\w*\d[a-z]?", token)) and not re.search(r"\dx\d", token)


def _common(names: Iterable[str]) -> str:
    """What names begin with, up to its last number: conv2_block1 of conv2_block1_0_bn and conv2_block1_3_conv."""
    alike = takewhile(lambda tokens: len(set(tokens)) == 1, zip(*(name.split("_") for name in names), strict=False))
    tokens = [token for token, *_ in alike]
    numbers = [i for i, token in enumerate(tokens) if _is_number(token)]
    return "_".join(tokens[: numbers[-1] + 1] if numbers else tokens)


def _stem(name: str, modules: Sequence[str]) -> str:
    """What a layer in a chain is grouped by: the module whose name it bears, or its own up to the first number."""
    if bearing := [module for module in modules if module and f"{name}_".startswith(f"{module}_")]:
        return max(bearing, key=len)
    tokens = name.split("_")
    return "_".join(tokens[: next((i for i, token in enumerate(tokens) if _is_number(token)), 0) + 1])


def _name_stem(stems: list[str], modules: Sequence[str], kinds: Sequence[str]) -> None:
    """Call what comes before the first module a stem, as the papers do, where its layers have no names."""
    end = begin = next((i for i, module in enumerate(modules) if module), 0)
    while begin > 0 and not stems[begin - 1] and kinds[begin - 1] != "InputLayer":
        begin -= 1
    if end - begin >= LEAST_STEM:
        stems[begin:end] = ["stem"] * (end - begin)


def _bridge(stems: list[str], modules: Sequence[str]) -> None:
    """Take a layer or two between layers of the same block into it: bn_Conv1 between Conv1 and Conv1_relu."""
    count = Counter(stems)
    for stem in [stem for stem in count if stem]:
        for one, other in pairwise([i for i, found in enumerate(stems) if found == stem]):
            between = range(one + 1, other)
            if len(between) <= 2 and all(not modules[i] and (not stems[i] or count[stems[i]] == 1) for i in between):
                stems[one + 1 : other] = [stem] * len(between)


def _cut_at_concatenations(graph: Graph, kinds: Mapping[str, str]) -> dict[str, str]:
    """Each layer with the first concatenation that it reaches."""
    place = {name: i for i, name in enumerate(graph)}
    ends: dict[str, str] = {}
    for name in reversed(graph):
        if kinds[name] == "Concatenate":
            ends[name] = name
        if name in ends:
            for source in graph[name]:
                ends[source] = min(ends.get(source, ends[name]), ends[name], key=place.__getitem__)
    return ends
