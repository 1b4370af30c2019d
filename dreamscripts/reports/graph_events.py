"""Write a network's graph for TensorBoard: an event file with a GraphDef that has a scope for each block.

The graph is made from the Keras layers, so it is the same on every backend.
"""

import socket
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

import keras

from dreamscripts.atomic_files import output_errors, write_atomically
from dreamscripts.reports.graph import describe_graph

if TYPE_CHECKING:
    import tensorflow as tf


def write_events(model: keras.Model, folder: Path) -> Path:
    """Write an event file with the graph of `model` to `folder`, and return its path. Raises OutputError."""
    import tensorflow as tf  # takes seconds if it is not Keras's backend

    now = time.time()
    with tempfile.TemporaryDirectory() as temporary:
        records = Path(temporary) / "records"
        with tf.io.TFRecordWriter(str(records)) as writer:
            version = tf.compat.v1.Event(wall_time=now, file_version="brain.Event:2")
            graph = tf.compat.v1.Event(wall_time=now, graph_def=_graph_def(model).SerializeToString())
            for event in (version, graph):
                writer.write(event.SerializeToString())
        content = records.read_bytes()
    with output_errors(folder):
        folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"events.out.tfevents.{now:.0f}.{socket.gethostname()}"
    write_atomically(path, content)
    return path


def _graph_def(model: keras.Model) -> "tf.compat.v1.GraphDef":
    """Return a GraphDef with one node per layer, named block/layer."""
    import tensorflow as tf

    nodes = describe_graph(model)
    scoped = {node.name: f"{node.block}/{node.name}" if node.block else node.name for node in nodes}
    graph = tf.compat.v1.GraphDef()
    for node in nodes:
        entry = graph.node.add(name=scoped[node.name], op=node.kind, input=[scoped[name] for name in node.inputs])
        shape = entry.attr["_output_shapes"].list.shape.add()
        for side in node.size:
            shape.dim.add(size=-1 if side is None else side)
        for fact, value in node.facts.items():
            entry.attr[fact.replace(" ", "_")].s = value.replace("×", "x").encode()  # TensorBoard shows bytes
    return graph
