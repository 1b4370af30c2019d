"""`dreamscripts layers NETWORK`: list the layers that a settings file can name under [features]."""

import math
from pathlib import Path

from dreamscripts.scripts import options
from dreamscripts.settings.network_names import is_model_file


def layers(
    network: options.NetworkName,
    weights: options.Weights = None,
) -> None:
    """List the layers of NETWORK that can be used under [features], with their receptive fields.

    No weights are downloaded, except for googlenet. For a network that `distil` made, this also says how.
    """
    from rich.table import Table

    from dreamscripts.backends.startup import start_keras
    from dreamscripts.networks.family import check_name

    check_name(network)  # before Keras is imported, which takes seconds
    start_keras()
    from dreamscripts.networks.layers import describe_layers
    from dreamscripts.networks.loading import build
    from dreamscripts.networks.origin import origin_in_words, read_origin

    table = Table(box=None, pad_edge=False)
    table.add_column("layer", overflow="fold")
    table.add_column("kind", no_wrap=True)
    for heading in ("channels", "stride", "receptive field"):
        table.add_column(heading, justify="right", no_wrap=True)
    for facts in describe_layers(build(network, weights)):
        whole = facts.receptive_field == math.inf
        stride, field = ("", "whole picture") if whole else (str(facts.stride), f"{facts.receptive_field} px")
        table.add_row(facts.name, facts.kind, str(facts.channels), stride, field)
    console = options.open_console(quiet=False)
    console.print_table(table)
    if is_model_file(network) and (origin := read_origin(Path(network))):
        console.print()
        console.print(origin_in_words(origin))
