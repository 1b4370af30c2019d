"""Measure how similar the dreams of two networks are.

    python samples/likeness.py gradients --weights vgg16.h5 photo.jpg …    # compare pocket and pocket_large with VGG16
    python samples/likeness.py dreams castle-vgg16 castle-pocket …         # compare the first run with the others

`gradients` prints the cosine between the gradients with respect to the pixels. A high value means that both networks
change the picture in the same direction. The losses are the energies of single layers, and the features of named
settings. Penalties are omitted, because they are the same for all networks.

`dreams` prints the cosine between the changes that two runs made to the same photograph, from iteration_000.png to
final.png. The second number is for pictures blurred by 4 pixels, because similar patterns may be a few pixels apart.
"""

import argparse
from pathlib import Path

import keras
import numpy as np
from scipy import ndimage

from dreamscripts.dreams.prepare import open_network
from dreamscripts.images.files import open_picture
from dreamscripts.images.resizing import fit
from dreamscripts.losses.build import build_loss
from dreamscripts.objective.evaluator import Evaluator
from dreamscripts.settings.schema import Settings


def cosine(a, b):
    a, b = (np.ravel(x).astype(np.float64) for x in (a, b))
    return float(a @ b / np.sqrt((a @ a) * (b @ b)))


def losses(layers, named):
    """Return {title: features and measure of a loss}, for the energy of each layer and for the named settings."""
    energies = {f"energy of {layer}": {"features": {layer: 1}, "measure": "energy"} for layer in layers}
    loaded = {name: Settings.load(name) for name in named}
    return energies | {name: {"features": it.features, "measure": it.measure} for name, it in loaded.items()}


def gradients(arguments):
    networks = {arguments.reference: arguments.weights} | dict.fromkeys(arguments.of)
    print(f"{'cosine with ' + arguments.reference:<24}" + "".join(f"{name:>22}" for name in arguments.of))
    for title, loss in losses(arguments.layers, arguments.settings).items():
        found = {}
        for name, weights in networks.items():
            settings = Settings(network=name, weights=weights, **loss)
            network = open_network(settings)
            if network.preprocessing.name != "caffe":
                raise SystemExit(f"{name} has another preprocessing than VGG16; use a network with the same")
            evaluator = Evaluator(network, build_loss(settings, network))
            for photo in arguments.photos:
                x = network.preprocessing.normalise(fit(open_picture(photo), arguments.size)).astype(np.float32)
                found[name, photo] = keras.ops.convert_to_numpy(evaluator.gradient(x))
        row = f"{title:<24}"
        for name in arguments.of:
            each = [cosine(found[arguments.reference, photo], found[name, photo]) for photo in arguments.photos]
            row += f"{np.mean(each):>10.3f} ({min(each):.2f}–{max(each):.2f})"
        print(row, flush=True)


def change(folder):
    before, after = (open_picture(Path(folder) / name) for name in ("iteration_000.png", "final.png"))
    return after - before


def dreams(arguments):
    reference, *others = arguments.folders
    reference_change = change(reference)
    blurred = ndimage.gaussian_filter(reference_change, (4, 4, 0))
    for folder in others:
        other_change = change(folder)
        soft = cosine(blurred, ndimage.gaussian_filter(other_change, (4, 4, 0)))
        print(f"{folder}: {cosine(reference_change, other_change):.3f}, blurred {soft:.3f}")


def names(text):
    return text.split(",") if text else []


def main():
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    kinds = parser.add_subparsers(required=True)
    by_gradients = kinds.add_parser("gradients", help="compare gradients with respect to the pixels of photographs")
    by_gradients.add_argument("photos", nargs="+", metavar="PHOTO")
    by_gradients.add_argument("--of", type=names, default="pocket,pocket_large", metavar="NETWORK,NETWORK")
    by_gradients.add_argument("--reference", default="vgg16", metavar="NETWORK")
    by_gradients.add_argument("--weights", metavar="FILE", help="weights of the reference network")
    by_gradients.add_argument("--layers", type=names, default="block3_conv3,block4_conv1,block4_conv3,block5_conv1")
    by_gradients.add_argument("--settings", type=names, default="bad_trip,dreamy", metavar="NAME,NAME")
    by_gradients.add_argument("--size", type=int, default=192, help="longest side in pixels")
    by_gradients.set_defaults(run=gradients)
    by_dreams = kinds.add_parser("dreams", help="compare the changes that runs made to one photograph")
    by_dreams.add_argument("folders", nargs="+", metavar="FOLDER")
    by_dreams.set_defaults(run=dreams)
    arguments = parser.parse_args()
    arguments.run(arguments)


if __name__ == "__main__":
    main()
