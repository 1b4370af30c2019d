"""Which layers of one family of networks stand in for which of another, for settings that are given another network.

The table goes by stride first, then by the place in the depth of the network. It says where to look for patterns of
about the same size, not that they are the same patterns.
"""

FAMILIES = {
    "pocket": "vgg",
    "pocket_large": "vgg",
    "vgg16": "vgg",
    "vgg19": "vgg",
    "squeezenet": "squeezenet",
    "inception_v3": "inception",
    "googlenet": "googlenet",
}

# Where a layer stands in several rows, the first one counts.
_COLUMNS = ("vgg", "squeezenet", "inception", "googlenet")
_ROWS = [
    ("block1_conv2", "relu_conv1", None, "conv2d0"),
    ("block2_conv2", "relu_conv1", None, "conv2d0"),
    ("block3_conv1", "fire2", None, "conv2d2"),
    ("block3_conv2", "fire3", None, "conv2d2"),
    ("block3_conv3", "fire3", None, "conv2d2"),
    ("block4_conv1", "fire4", "mixed0", "mixed3a"),  # stride 8 from here
    ("block4_conv2", "fire5", "mixed1", "mixed3b"),
    ("block4_conv3", "fire5", "mixed2", "mixed3b"),
    ("block5_conv1", "fire6", "mixed3", "mixed4a"),  # stride 16 from here
    ("block5_conv2", "fire7", "mixed4", "mixed4b"),
    ("block5_conv2", "fire8", "mixed5", "mixed4c"),
    ("block5_conv3", "fire9", "mixed6", "mixed4d"),
    ("block5_conv3", "fire9", "mixed7", "mixed4e"),
    ("block5_conv3", "fire9", "mixed8", "mixed5a"),
    ("block5_conv3", "fire9", "mixed9", "mixed5b"),
    ("block5_conv3", "fire9", "mixed10", "mixed5b"),
]


def stand_in(layer: str, network: str) -> str | None:
    """The layer of `network` in the place of another family's `layer`; None where the table knows of none.

    A layer that `network` has itself needs none.
    """
    if network not in FAMILIES:
        return None
    column = _COLUMNS.index(FAMILIES[network])
    if any(row[column] == layer for row in _ROWS):
        return None
    return next((row[column] for row in _ROWS if layer in row), None)
