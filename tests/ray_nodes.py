"""A cluster of Ray whose machines are processes on this one."""

import secrets
from pathlib import Path

import psutil

TOKEN = secrets.token_hex(32)  # of all clusters of this process, because Ray reads it once
NODE = {"object_store_memory": 80 << 20}
NAMES = ("first", "second")


class Nodes:
    """A cluster of a head without processors, and machines with one each."""

    def __init__(self, names=NAMES):
        from ray.cluster_utils import Cluster

        head = {"num_cpus": 0, "include_dashboard": False, "node_name": "head", **NODE}
        self.cluster = Cluster(initialize_head=True, head_node_args=head)
        self.address = self.cluster.address
        self.nodes = {}
        for name in names:
            self.add(name)

    def add(self, name):
        """Start a machine."""
        self.nodes[name] = self.cluster.add_node(num_cpus=1, node_name=name, **NODE)

    def kill(self, name):
        """Kill a machine."""
        self.nodes.pop(name).kill_raylet()

    def kill_actors(self, name):
        """Kill the actors of a machine."""
        raylet = self.nodes[name].all_processes["raylet"][0].process.pid
        for process in psutil.Process(raylet).children(recursive=True):
            if "RayActor" in process.name() + " ".join(process.cmdline()):
                process.kill()

    def close(self):
        self.cluster.shutdown()


def results(folder: Path) -> dict[str, object]:
    """Return the files of a run, without those that contain seconds."""
    found = {path.name: path.read_bytes() for path in folder.iterdir() if path.suffix in (".png", ".toml")}
    rows = [line.split(",") for line in (folder / "loss.csv").read_text().splitlines()]
    return found | {
        "losses": [row[:3] + row[4:] for row in rows],
        "names": sorted(path.name for path in folder.iterdir()),
    }
