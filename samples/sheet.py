"""Make a sheet with pictures of selected channels of a layer, and their numbers.

    python samples/sheet.py vgg16 block5_conv2 2,4,16,19 --weights vgg16.h5 --output vgg16-block5_conv2.jpg

`dreamscripts gallery` makes a sheet of all channels, this script only of the channels that you select. `--settings` and
`--set` are the same as in `dreamscripts gallery`.
"""

import argparse
import math
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from dreamscripts import Settings, visualize_channels
from dreamscripts.dreams.prepare import open_network
from dreamscripts.settings.loading import parse_override

GAP, LABEL = 4, 16  # pixels, between pictures and below each of them


def lay_out(pictures, columns):
    """Join the pictures {number: array (side, side, 3), 0..255} into one picture, in rows."""
    side = len(next(iter(pictures.values())))
    across, down = side + GAP, side + LABEL
    size = columns * across - GAP, math.ceil(len(pictures) / columns) * down
    sheet = Image.new("RGB", size, "white")
    draw = ImageDraw.Draw(sheet)
    for place, (number, picture) in enumerate(pictures.items()):
        row, column = divmod(place, columns)
        left, upper = column * across, row * down
        sheet.paste(Image.fromarray(np.rint(picture.clip(0, 255)).astype(np.uint8)), (left, upper))
        draw.text((left + side / 2, upper + side + 2), str(number), "#6b6b70", ImageFont.load_default(11), anchor="ma")
    return sheet


def main():
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("network")
    parser.add_argument("layer")
    parser.add_argument("channels", help="channel numbers, for example 2,4,16")
    parser.add_argument("--weights")
    parser.add_argument("--settings", default="fourier")
    parser.add_argument("--set", dest="changes", action="append", default=[], metavar="KEY=VALUE")
    parser.add_argument("--size", type=int, default=128, help="side of each picture in pixels")
    parser.add_argument("--columns", type=int, default=8)
    parser.add_argument("--output", type=Path, help="default: <network>-<layer>.jpg")
    arguments = parser.parse_args()
    changes = dict(parse_override(text) for text in arguments.changes)
    settings = Settings.load(
        arguments.settings,
        network=arguments.network,
        weights=arguments.weights,
        size=arguments.size,
        features={f"{arguments.layer}_pre_relu": 1},
        **changes,
    )
    channels = [int(number) for number in arguments.channels.split(",")]
    output = arguments.output or Path(f"{arguments.network}-{arguments.layer}.jpg")
    pictures = {}
    for batch in visualize_channels(open_network(settings), settings, channels):
        pictures |= batch
        print(f"{len(pictures)} of {len(channels)}", flush=True)
    lay_out(pictures, arguments.columns).save(output, quality=88, optimize=True)


if __name__ == "__main__":
    main()
