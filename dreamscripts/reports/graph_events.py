"""A network's graph for TensorBoard: a GraphDef with a scope for each block, in an event file.

It is made of the layers themselves, so that it is the same on every backend.
"""

import socket
import tempfile
import time
from pathlib import Path

import keras

from dreamscripts.atomic_files import output_errors, write_atomically
from dreamscripts.reports.graph import describe_graph


def write_events(model: keras.Model, folder: Path) -> Path:
    """Write an event file with the graph of `model` into `folder`, and give its path. Raises OutputError."""
    import tensorflow as tf  # seconds, where it is not Keras's backend

    now = time.time()
    with tempfile.TemporaryDirectory() as beside:
        records = Path(beside) / "records"
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


def _graph_def(model: keras.Model):
    """The layers as nodes of a tf.compat.v1.GraphDef, named block/layer."""
    import tensorflow as tf

    nodes = describe_graph(model)
    scoped = {node.name: f"{node.block}/{node.name}" if node.block else node.name for node in nodes}
    graph = tf.compat.v1.GraphDef()
    for node in nodes:
        told = graph.node.add(name=scoped[node.name], op=node.kind, input=[scoped[name] for name in node.inputs])
        shape = told.attr["_output_shapes"].list.shape.add()
        for side in node.size:
            shape.dim.add(size=-1 if side is None else side)
        for fact, value in node.facts.items():
            told.attr[fact.replace(" ", "_")].s = value.replace("×", "x").encode()  # which TensorBoard shows as bytes
    return graph
