"""Group the layers of a network into blocks, and lay out a graph in series, side by side and in rows.

Both use only the connections and names of the layers. A pivot is an item that every path passes through. A module is
the part of the graph between two pivots, where branches separate and join again.
"""

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby, pairwise, takewhile
from statistics import fmean

LARGEST_MODULE = 60  # layers; larger modules, such as the whole of NASNet, are cut at concatenations
LEAST_STEM = 4  # number of layers with automatic names before the first module that form a block

Graph = Mapping[str, Sequence[str]]  # {item: its inputs, which are items}, in topological order


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
    """Space for a line that passes other parts."""

    start: str
    end: str


@dataclass(frozen=True)
class Tail:
    """A part that does not lead to the main output, for example the auxiliary classifiers of GoogLeNet."""

    part: "Plan"


Plan = str | Series | Beside | Lane | Tail


def arrange(graph: Graph, ends: Iterable[str] = ()) -> Series:
    """Lay out a graph: the pivots in series, and the parallel branches between them.

    Items that do not lead to one of the `ends` are in tails. The default end is the deepest item.
    """
    main = _main(graph, ends)
    origin: dict[str, str | None] = {name: name for name in main}  # the item of the main part where a tail begins
    for name in graph:
        origin.setdefault(name, next((origin[source] for source in graph[name]), None))
    parts: list[Plan] = []
    top: str | None = None
    cuts: list[tuple[list[str], str | None]] = [*_cut(main), ([], None)]
    for middle, pivot in cuts:
        between = [name for name in graph if name in middle or (name not in main and origin[name] in (top, *middle))]
        if between:
            parts.append(_between(between, graph, top, pivot))
        if pivot:
            parts.append(pivot)
        top = pivot
    return Series(tuple(parts))


def _main(graph: Graph, ends: Iterable[str] = ()) -> Graph:
    """Return the items that lead to the ends (default: the deepest item), and parts with inputs from several items."""
    depth: dict[str, int] = {}
    for name, inputs in graph.items():
        depth[name] = 1 + max((depth[source] for source in inputs), default=0)
    leads = set(ends) or {max(graph, key=depth.__getitem__)}
    for name in reversed(list(graph)):
        if name in leads:
            leads.update(graph[name])
    for names in _components(_within(graph, graph.keys() - leads)):
        sources = {source for name in names for source in graph[name]}
        if len(sources - set(names)) + any(not graph[name] for name in names) > 1:
            leads.update(names)
    return _within(graph, leads)


def _cut(graph: Graph) -> Iterator[tuple[list[str], str | None]]:
    """Cut a graph at its pivots. Yields (the items before the pivot, the pivot) from the top down.

    The last pivot can be None. No line passes a pivot. An item without inputs counts as if its line began above the
    first item. An item without readers counts as if its line ended below the last item.
    """
    place = {name: i for i, name in enumerate(graph)}
    farthest: dict[str, int] = {}  # the position of the last reader of each item
    for name, inputs in graph.items():
        farthest |= dict.fromkeys(inputs, place[name])
    middle: list[str] = []
    lowest = max(place[name] for name in graph if not graph[name])  # the last position with a line from above
    for name in graph:
        if lowest <= place[name]:
            yield middle, name
            middle = []
        else:
            middle.append(name)
        lowest = max(lowest, farthest.get(name, len(graph)))
    if middle:
        yield middle, None


def _between(items: Sequence[str], graph: Graph, top: str | None, bottom: str | None) -> Plan:
    """Lay out the branches between two pivots in the order of the lower pivot's inputs, then the tails."""
    order = list(graph[bottom]) if bottom else []
    branches: list[tuple[int, Plan]] = []
    for names in _components(_within(graph, items)):
        plan = _branch(_within(graph, names), graph, top, bottom)
        if ends := [order.index(name) for name in names if name in order]:
            branches.append((min(ends), plan))
        else:
            branches.append((len(order), Tail(plan) if bottom else plan))
    if top and bottom and top in order:
        branches.append((order.index(top), Lane(top, bottom)))
    branches.sort(key=lambda branch: branch[0])
    return branches[0][1] if len(branches) == 1 else Beside(tuple(plan for _, plan in branches))


def _branch(inner: Graph, graph: Graph, top: str | None, bottom: str | None) -> Plan:
    """Lay out one branch.

    If lines enter only at its top and leave only at its bottom, and it has a pivot, its parts are in series. Otherwise
    they are in rows.
    """
    ends = [source for source in graph[bottom] if source in inner] if bottom else []
    read = {source for inputs in _main(inner, ends).values() for source in inputs}
    enters = any(inner[name] and top in graph[name] for name in inner)
    leaves = any(end in read for end in ends)
    if not enters and not leaves and any(pivot for _, pivot in _cut(_main(inner, ends))):
        return arrange(inner, ends)
    return _in_rows(inner, graph, top, bottom)


def _in_rows(inner: Graph, graph: Graph, top: str | None, bottom: str | None) -> Plan:
    """Lay out chains in rows by their longest path from the top, with lanes for the lines that pass a row."""
    readers = Counter(source for name in [*inner, *([bottom] if bottom else [])] for source in graph[name])
    head: dict[str, str] = {}  # the first item of each item's chain
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

    at = dict.fromkeys(edges, 0.5)  # horizontal position of each line (0..1) in the last row that it passed
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
    """Return the part of a graph with these items."""
    kept = set(names)
    return {name: [source for source in graph[name] if source in kept] for name in graph if name in kept}


def _components(graph: Graph) -> list[list[str]]:
    """Return the connected components of a graph."""
    part = {name: i for i, name in enumerate(graph)}
    for name, inputs in graph.items():
        joined = {part[other] for other in (name, *inputs)}
        part = {other: min(joined) if i in joined else i for other, i in part.items()}
    return [[name for name in graph if part[name] == i] for i in sorted(set(part.values()))]


# The blocks


def group_blocks(graph: Graph, kinds: Mapping[str, str]) -> dict[str, str]:
    """Return {layer: name of its block} for all layers that are in a block.

    A block is a module with the neighbouring layers of the same name, or a chain of layers whose names have the same
    start: block4 for block4_conv1, block4_conv2 and block4_pool.
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
    """Return whether Keras chose the name, for example conv2d_37 for a Conv2D."""
    own = re.sub(r"_\d+$", "", name.rpartition("/")[2])  # without the names of enclosing models
    return kind == "InputLayer" or own.replace("_", "") == kind.lower()


def _is_number(token: str) -> bool:
    """Return whether a part of a name ends in a counter, as in block4, mixed4d and 1, but not conv and expand1x1."""
    return bool(re.fullmatch(r"\w*\d[a-z]?", token)) and not re.search(r"\dx\d", token)


def _common(names: Iterable[str]) -> str:
    """Return the text that all names start with, up to the last number in it.

    For conv2_block1_0_bn and conv2_block1_3_conv, this is conv2_block1.
    """
    alike = takewhile(lambda tokens: len(set(tokens)) == 1, zip(*(name.split("_") for name in names), strict=False))
    tokens = [token for token, *_ in alike]
    numbers = [i for i, token in enumerate(tokens) if _is_number(token)]
    return "_".join(tokens[: numbers[-1] + 1] if numbers else tokens)


def _stem(name: str, modules: Sequence[str]) -> str:
    """Return the group of a layer in a chain: the name of a module, or its own name up to the first number."""
    if matching := [module for module in modules if module and f"{name}_".startswith(f"{module}_")]:
        return max(matching, key=len)
    tokens = name.split("_")
    return "_".join(tokens[: next((i for i, token in enumerate(tokens) if _is_number(token)), 0) + 1])


def _name_stem(stems: list[str], modules: Sequence[str], kinds: Sequence[str]) -> None:
    """Put the layers before the first module into a block called "stem", as in the papers, if Keras named them.

    There must be at least LEAST_STEM such layers.
    """
    end = begin = next((i for i, module in enumerate(modules) if module), 0)
    while begin > 0 and not stems[begin - 1] and kinds[begin - 1] != "InputLayer":
        begin -= 1
    if end - begin >= LEAST_STEM:
        stems[begin:end] = ["stem"] * (end - begin)


def _bridge(stems: list[str], modules: Sequence[str]) -> None:
    """If one or two layers without a block stand between two layers of a block, add them to this block.

    For example, bn_Conv1 between Conv1 and Conv1_relu is added to the block Conv1.
    """
    count = Counter(stems)
    for stem in [stem for stem in count if stem]:
        for first, second in pairwise([i for i, found in enumerate(stems) if found == stem]):
            between = range(first + 1, second)
            if len(between) <= 2 and all(not modules[i] and (not stems[i] or count[stems[i]] == 1) for i in between):
                stems[first + 1 : second] = [stem] * len(between)


def _cut_at_concatenations(graph: Graph, kinds: Mapping[str, str]) -> dict[str, str]:
    """Return {layer: the first concatenation after it}. For a concatenation, this is the concatenation itself."""
    place = {name: i for i, name in enumerate(graph)}
    ends: dict[str, str] = {}
    for name in reversed(list(graph)):
        if kinds[name] == "Concatenate":
            ends[name] = name
        if name in ends:
            for source in graph[name]:
                ends[source] = min(ends.get(source, ends[name]), ends[name], key=place.__getitem__)
    return ends
