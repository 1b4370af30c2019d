import base64
import io
import json
import re
from html.parser import HTMLParser

import keras
import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from dreamscripts.errors import OutputError, PictureError
from dreamscripts.images.files import save_picture
from dreamscripts.networks.loading import build
from dreamscripts.reports.channel_pictures import CELL
from dreamscripts.reports.graph import THUMBS, describe_graph, write_graph
from dreamscripts.reports.graph_events import write_events
from dreamscripts.reports.graph_layout import Beside, Lane, Series, Tail, arrange, group_blocks
from dreamscripts.runs.gallery_folder import Gallery, open_gallery

# The layers


@pytest.fixture(scope="module")
def squeezenet():
    return build("squeezenet")


def test_a_layer_is_described_with_what_a_person_asks_of_it(squeezenet):
    nodes = {node.name: node for node in describe_graph(build("pocket"))}
    assert list(nodes)[:3] == ["picture", "block1_conv1", "block1_conv2"]
    assert nodes["block4_conv3"].facts == {
        "kind": "Conv2D",
        "output": "H/8 × W/8 × 128",
        "channels": "128",
        "total stride": "8 px",
        "receptive field": "92 × 92 px",
        "kernel": "3 × 3",
        "strides": "1 × 1",
        "padding": "same",
        "activation": "relu",
        "weights": "147,584",
    }
    assert (nodes["block4_conv3"].block, nodes["block4_conv3"].inputs) == ("block4", ("block4_conv2",))
    assert nodes["picture"].facts == {"kind": "InputLayer", "output": "H × W × 3"}
    assert not nodes["picture"].nameable
    fire = {node.name: node for node in describe_graph(squeezenet)}["fire6"]
    assert fire.inputs == ("fire6_relu_expand1x1", "fire6_relu_expand3x3")


def test_shapes_are_said_as_they_are(tmp_path):
    """Of a network of one's own: channels first, of a fixed size, with a gate and a layer called twice."""
    x = inputs = keras.Input((3, 32, 48))
    twice = keras.layers.Activation("relu", name="twice")
    x = keras.layers.Conv2D(8, (1, 3), strides=(1, 2), data_format="channels_first", name="a")(twice(x))
    gate = keras.layers.GlobalAveragePooling2D(data_format="channels_first", name="mean")(x)
    x = twice(keras.layers.Multiply(name="gated")([x, keras.layers.Reshape((8, 1, 1), name="gate")(gate)]))
    nodes = {node.name: node for node in describe_graph(keras.Model(inputs, x))}
    assert nodes["a"].facts["output"] == "32 × 23 × 8"
    assert (nodes["a"].facts["kernel"], nodes["a"].facts["strides"]) == ("1 × 3", "1 × 2")
    assert (nodes["mean"].facts["output"], nodes["gate"].facts["output"]) == ("8", "1 × 1 × 8")
    assert nodes["gated"].inputs == ("a", "gate")


# The blocks


def blocks(name):
    """{block: how many layers} of a network, with the layers that belong to none as 1."""
    found = {}
    for node in describe_graph(build(name)):
        found.setdefault(node.block or node.name, []).append(node.name)
    return {block: len(layers) for block, layers in found.items()}


def test_chains_and_fire_modules_are_blocks_by_name():
    assert blocks("pocket") == {"picture": 1, "block1": 3, "block2": 3, "block3": 4, "block4": 4, "block5": 4}
    found = blocks("squeezenet")
    assert list(found)[:6] == ["picture", "conv1", "relu_conv1", "pool1", "fire2", "fire3"]
    assert {found[f"fire{number}"] for number in range(2, 10)} == {7}


def test_modules_without_names_are_blocks_by_where_they_end():
    """InceptionV3, whose layers Keras numbers, and whose mixed9 has smaller branchings inside."""
    (name, one), *found = blocks("inception_v3").items()
    assert (name.startswith("input_layer"), one) == (True, 1)
    assert found == [
        *[("stem", 17), ("mixed0", 23), ("mixed1", 23), ("mixed2", 23), ("mixed3", 14), ("mixed4", 32)],
        *[("mixed5", 32), ("mixed6", 32), ("mixed7", 32), ("mixed8", 20), ("mixed9", 31), ("mixed10", 31)],
    ]


@pytest.mark.parametrize(
    ("layers", "expected"),
    [
        # A residual block goes from where its lines part to what bears its name.
        (
            "in<; c2_b1_0_bn<in; c2_b1_1_conv<in; c2_b1_add<c2_b1_0_bn,c2_b1_1_conv; c2_b1_out<c2_b1_add;"
            "c2_b2_1_conv<c2_b1_out; c2_b2_add<c2_b1_out,c2_b2_1_conv; c2_b2_out<c2_b2_add",
            {"c2_b1": 4, "c2_b2": 3},
        ),
        # A layer between two of a block belongs to it; one number apart is another block.
        ("Conv1<; bn_Conv1<Conv1; Conv1_relu<bn_Conv1; block_1_a<Conv1_relu; block_1_b<block_1_a; block_2_a<block_1_b",
         {"Conv1": 3, "block_1": 2}),
        ("in<; stem_conv<in; stem_bn<stem_conv; top_conv<stem_bn", {"stem": 2}),
        ("in<; fire2_expand1x1<in; fire2_expand3x3<in; fire2<fire2_expand1x1,fire2_expand3x3", {"fire2": 3}),
        # What leads to another end is no part of the module beside it.
        (
            "in<; mixed4a_x<in; mixed4a_y<in; mixed4a<mixed4a_x,mixed4a_y; head0_pool<mixed4a; mixed4b_x<mixed4a;"
            "mixed4b_y<mixed4a; head0_conv<head0_pool; mixed4b<mixed4b_x,mixed4b_y; pool<mixed4b",
            {"mixed4a": 3, "mixed4b": 3, "head0": 2},
        ),
        # Two blocks do not share a name, and none takes a layer's that is not in it.
        ("a1_x<; a1_y<a1_x; b2<a1_y; b3<b2; c4<b3; a1_z<c4; a1_u<a1_z", {"a1": 2, "a1_": 2}),
    ],
)  # fmt: skip
def test_blocks_of_a_graph(layers, expected):
    graph = {}
    for line in layers.split(";"):
        name, _, inputs = line.strip().partition("<")
        graph[name] = inputs.split(",") if inputs else []
    found = group_blocks(graph, dict.fromkeys(graph, "Conv2D"))
    assert {name: list(found.values()).count(name) for name in found.values()} == expected


def test_a_network_without_one_waist_is_cut_at_its_concatenations():
    """As NASNet, each of whose cells reads the two before it."""
    graph, kinds = {"in": [], "start": ["in"]}, {"in": "InputLayer", "start": "Conv2D"}
    before, last = "in", "start"
    for cell in range(8):
        parts = [f"cell{cell}_part{i}" for i in range(9)]
        graph |= {part: [last if i % 2 else before] for i, part in enumerate(parts)} | {f"concat{cell}": parts}
        kinds |= dict.fromkeys(parts, "Conv2D") | {f"concat{cell}": "Concatenate"}
        before, last = last, f"concat{cell}"
    found = group_blocks(graph, kinds)
    assert [list(found.values()).count(f"concat{cell}") for cell in range(8)] == [11, *[10] * 7]


# The layout


def test_branches_stand_side_by_side_in_the_order_in_which_they_are_read():
    graph = {"in": [], "b": ["in"], "a": ["in"], "b2": ["b"], "join": ["a", "b2", "in"], "out": ["join"]}
    assert arrange(graph) == Series(
        ("in", Beside((Series(("a",)), Series(("b", "b2")), Lane("in", "join"))), "join", "out")
    )


def test_a_branching_inside_a_branch_is_laid_out_inside_it():
    graph = {"in": [], "a": ["in"], "b": ["in"], "b1": ["b"], "b2": ["b"], "b3": ["b1", "b2"], "join": ["a", "b3"]}
    inner = Series(("b", Beside((Series(("b1",)), Series(("b2",)))), "b3"))
    assert arrange(graph) == Series(("in", Beside((Series(("a",)), inner)), "join"))


def test_another_end_stands_beside_the_way_on():
    graph = {"in": [], "a": ["in"], "b": ["a"], "head": ["a"], "c": ["b"]}
    assert arrange(graph) == Series(("in", "a", Beside((Lane("a", "b"), Tail(Series(("head",))))), "b", "c"))


def test_what_is_neither_in_series_nor_parallel_goes_in_rows():
    graph = {"in": [], "a": ["in"], "b": ["in"], "a1": ["a"], "c": ["a1", "b"], "d": ["b"], "out": ["c", "d", "a1"]}
    top, rows, bottom = arrange(graph).parts
    first, second = rows.parts
    assert (top, bottom) == ("in", "out")
    assert set(first.parts) == {Series(("a", "a1")), Series(("b",))}
    assert set(second.parts) == {Series(("c",)), Series(("d",)), Lane("a1", "out")}


@st.composite
def graphs(draw):
    count = draw(st.integers(1, 12))
    graph = {"i0": []}
    for i in range(1, count):
        graph[f"i{i}"] = draw(st.lists(st.sampled_from(list(graph)), min_size=1, max_size=3, unique=True))
    return graph


@settings(max_examples=100, deadline=None)
@given(graphs())
def test_every_item_has_one_place_and_every_line_leads_down_past_nothing_but_its_lanes(graph):
    places, lanes = {}, {}

    def visit(plan, path):
        match plan:
            case str():
                assert plan not in places
                places[plan] = path
            case Lane(start, end):
                lanes.setdefault((start, end), []).append(path)
            case Tail(part):
                visit(part, path)
            case Series(parts) | Beside(parts):
                for i, part in enumerate(parts):
                    visit(part, (*path, (type(plan), i)))

    visit(arrange(graph), ())
    assert places.keys() == graph.keys()
    for name, inputs in graph.items():
        for source in inputs:
            above, below = places[source], places[name]
            depth = next(i for i, (one, other) in enumerate(zip(above, below, strict=False)) if one != other)
            (kind, first), (_, last) = above[depth], below[depth]
            assert kind is Series
            assert first < last
            passed = {path[depth][1] for path in lanes.get((source, name), []) if path[:depth] == above[:depth]}
            assert passed >= set(range(first + 1, last))


# The page


class Page(HTMLParser):
    """The elements of a page, their attributes, and the text inside of each kind."""

    def __init__(self, text):
        super().__init__()
        self.elements, self.said, self.open = [], {}, []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag, attributes):
        self.elements.append((tag, dict(attributes)))
        if tag not in ("meta", "input", "wbr"):
            self.open.append(tag)

    def handle_startendtag(self, tag, attributes):
        self.elements.append((tag, dict(attributes)))

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        tag = self.open[-1] if self.open else ""
        self.said[tag] = self.said.get(tag, "") + data

    def all(self, tag, **wanted):
        return [
            found
            for name, found in self.elements
            if name == tag and all(value in found.get(key, "").split() for key, value in wanted.items())
        ]


def page_of(model, tmp_path, network, **more):
    write_graph(model, tmp_path / "page.html", network, **more)
    text = (tmp_path / "page.html").read_text("utf-8")
    page = Page(text)
    page.text, page.data = text, json.loads(re.search(r'id="data">(.*?)</script>', text, re.DOTALL)[1])
    return page


@pytest.fixture
def gallery(tmp_path, rng):
    """Pictures of two of squeezenet's modules: all of 20 channels of fire2, every second of 6 of fire3."""
    folder = tmp_path / "squeezenet-gallery"
    done = {"fire2": list(range(20)), "fire3": [0, 2, 4]}
    record = {"network": "squeezenet", "weights": None, "settings": "", "layers": {}}
    for layer, channels in done.items():
        (folder / layer).mkdir(parents=True)
        for channel in channels:
            picture = np.full((96, 96, 3), 10.0 * channel, np.float32)
            save_picture(picture, folder / layer / f"{channel:04}.png")
        record["layers"][layer] = {"channels": 128, "done": channels, "size": 96, "sheet": False, "folder": layer}
    (folder / "gallery.json").write_text(json.dumps(record))
    return folder


def test_the_page_has_every_layer_every_block_and_every_line(squeezenet, tmp_path):
    page = page_of(squeezenet, tmp_path, "squeezenet")
    nodes = describe_graph(squeezenet)
    assert [layer["name"] for layer in page.data["layers"]] == [node.name for node in nodes]
    ids = [found["id"] for _, found in page.elements if "id" in found]
    assert len(ids) == len(set(ids))
    assert {f"n{i}" for i in range(len(nodes))} == {found["id"] for found in page.all("button", **{"class": "node"})}
    heads = page.all("button", **{"class": "head"})
    assert len(heads) == len(page.all("section", **{"class": "block"})) == 8
    assert all(head["aria-controls"] in ids for head in heads)
    assert {end.replace("x", "b") for line in page.data["lines"] for end in line} <= set(ids)

    # Within a module each line stands for itself, but for the activation that hangs below its convolution.
    number = {node.name: f"n{i}" for i, node in enumerate(nodes)}
    squeeze, one, three, end = (
        number[f"fire6{layer}"] for layer in ("_relu_squeeze1x1", "_expand1x1", "_expand3x3", "")
    )
    lines = [tuple(line) for line in page.data["lines"]]
    assert [line for line in lines if line[0] == squeeze] == [(squeeze, one), (squeeze, three)]
    assert {line[0] for line in lines if line[1] == end} == {
        number["fire6_relu_expand1x1"],
        number["fire6_relu_expand3x3"],
    }
    assert (end, "x4") in lines
    assert ("b4", "b5") in lines
    assert len(page.all("button", **{"class": "hanging"})) == 1 + 3 * 8
    assert "fire6_relu_expand3x3" not in {nodes[int(end[1:])].name for _, end in lines if end[0] == "n"}


def test_the_page_needs_no_other_file_and_serves_eye_ear_and_keyboard(squeezenet, tmp_path):
    page = page_of(squeezenet, tmp_path, "squeezenet")
    assert not {"link", "iframe", "object", "img"} & {tag for tag, _ in page.elements}
    assert not [found for _, found in page.elements if "src" in found or "href" in found]
    assert not re.search(r"https?://|@import|url\((?!data:)", page.text)
    assert "$" not in page.text  # nothing of the template is left open
    assert page.open == ["html"] or page.open == []
    assert page.elements[0] == ("html", {"lang": "en"})
    viewport = [a["content"] for tag, a in page.elements if tag == "meta" and a.get("name") == "viewport"]
    assert viewport == ["width=device-width, initial-scale=1"]
    assert page.all("input")[0]["aria-label"]
    assert page.said["h1"] == "squeezenet"
    assert "62 layers in 8 blocks, 722,496 weights" in page.said["p"]


def test_a_large_network_begins_with_its_blocks_closed(tmp_path):
    model = build("mobilenet")
    page = page_of(model, tmp_path, "mobilenet")
    assert not page.all("section", **{"class": "open"})
    assert all(head["aria-expanded"] == "false" for head in page.all("button", **{"class": "head"}))
    assert len(page.all("section", **{"class": "block"})) == 27


def test_what_people_named_is_escaped(tmp_path):
    x = inputs = keras.Input((None, None, 3), name='<!--<script><b>"in"')
    model = keras.Model(inputs, keras.layers.Conv2D(4, 3, name="é <i>1")(x))
    page = page_of(model, tmp_path, '<b>&"my file".keras', weights="it's.h5")
    assert page.said["h1"] == '<b>&"my file".keras'
    assert page.text.count("<script") == 2
    assert page.text.count("<!--") == 0
    (inside, layer) = page.data["layers"]
    assert inside["name"] == '<!--<script><b>"in"'
    assert inside["key"] is None
    assert (layer["key"], layer["argument"]) == (json.dumps("é <i>1"), "'é <i>1'")
    assert page.data["command"] == [
        "dreamscripts visualize '<b>&\"my file\".keras' ",
        " --weights 'it'\"'\"'s.h5'",
    ]


# The gallery


def test_channels_are_shown_from_one_picture_per_layer(squeezenet, gallery, tmp_path):
    page = page_of(squeezenet, tmp_path, "squeezenet", gallery=open_gallery(gallery, "squeezenet"))
    by_name = {layer["name"]: i for i, layer in enumerate(page.data["layers"])}
    two, three = by_name["fire2"], by_name["fire3"]
    assert page.data["layers"][two]["channels"] == list(range(20))
    assert page.data["layers"][three]["channels"] == [0, 2, 4]
    assert sum(bool(layer["channels"]) for layer in page.data["layers"]) == 2
    assert len(page.all("i", **{"class": f"sheet-{two}"})) == THUMBS
    assert len(page.all("i", **{"class": f"sheet-{three}"})) == 3
    sheets = dict(re.findall(r"\.sheet-(\d+) { background-image: url\(data:image/jpeg;base64,([^)]*)\)", page.text))
    assert set(sheets) == {str(two), str(three)}
    with Image.open(io.BytesIO(base64.b64decode(sheets[str(two)]))) as sheet:
        assert (sheet.format, sheet.size) == ("JPEG", (16 * CELL, 2 * CELL))
        middle = np.asarray(sheet.convert("L"))[CELL // 2 :: CELL, CELL // 2 :: CELL]
    np.testing.assert_allclose(middle.ravel()[:20], 10 * np.arange(20), atol=3)
    assert "pictures of channels from" in page.said["p"]


def test_a_gallery_says_what_is_wrong_with_it(gallery, tmp_path):
    with pytest.raises(OutputError, match="is a gallery of squeezenet, not of pocket"):
        open_gallery(gallery, "pocket")
    with pytest.raises(OutputError, match="is not a gallery"):
        open_gallery(tmp_path, "pocket")
    (gallery / "fire3" / "0002.png").unlink()  # gone since: it is left out
    assert list(open_gallery(gallery, "squeezenet").pictures["fire3"]) == [0, 4]
    for content in ("", "[]", "{}", '{"network": "squeezenet", "weights": null, "layers": {"fire2": 3}}'):
        (gallery / "gallery.json").write_text(content)
        with pytest.raises(OutputError, match=r"gallery.json: is damaged"):
            open_gallery(gallery, "squeezenet")


def test_a_damaged_picture_is_named_and_weights_are_the_gallery_s(squeezenet, tmp_path):
    (tmp_path / "0000.png").write_bytes(b"no picture")
    gallery = Gallery(tmp_path, "mine.h5", {"fire2": {0: tmp_path / "0000.png"}})
    with pytest.raises(PictureError, match=r"0000.png: is not a picture"):
        write_graph(squeezenet, tmp_path / "page.html", "squeezenet", gallery=gallery)
    assert not (tmp_path / "page.html").exists()
    save_picture(np.zeros((8, 8, 3)), tmp_path / "0000.png")
    page = page_of(squeezenet, tmp_path, "squeezenet", gallery=gallery)
    assert page.data["command"][1] == " --weights mine.h5"


# TensorBoard


def test_tensorboard_reads_every_layer_in_its_block_and_what_it_reads(squeezenet, tmp_path):
    path = write_events(squeezenet, tmp_path / "logs" / "squeezenet")
    assert path.parent == tmp_path / "logs" / "squeezenet"
    assert path.name.startswith("events.out.tfevents.")
    version, event = (tf.compat.v1.Event.FromString(record.numpy()) for record in tf.data.TFRecordDataset(str(path)))
    assert version.file_version == "brain.Event:2"
    graph = tf.compat.v1.GraphDef.FromString(event.graph_def)
    scoped = {node.name: f"{node.block}/{node.name}".removeprefix("/") for node in describe_graph(squeezenet)}
    assert [node.name for node in graph.node] == list(scoped.values())
    assert scoped["fire6_expand3x3"] == "fire6/fire6_expand3x3"
    found = {node.name: node for node in graph.node}
    for node in describe_graph(squeezenet):
        entry = found[scoped[node.name]]
        assert entry.op == node.kind
        assert list(entry.input) == [scoped[name] for name in node.inputs]
    sides = [dim.size for dim in found["fire6/fire6"].attr["_output_shapes"].list.shape[0].dim]
    assert sides == [-1, -1, -1, 384]
    assert found["fire6/fire6_expand3x3"].attr["kernel"].s == b"3 x 3"
    (tmp_path / "a file").touch()
    with pytest.raises(OutputError, match="a file: cannot be written"):
        write_events(squeezenet, tmp_path / "a file")
