"""Measure how much one network dreams as another does.

    python samples/likeness.py gradients --weights vgg16.h5 photo.jpg …    # pocket and pocket_large against VGG16
    python samples/likeness.py dreams castle-vgg16 castle-pocket …         # runs of one photograph: the first with each

`gradients` is the cosine between the gradients in the pixels: do both networks want to change the picture in the same
way? It is taken for the energy of single layers, and for the loss of named settings: for its features alone, as the
penalties are the same for all networks. `dreams` is the cosine between the changes that whole dreams made, from
iteration_000.png to final.png: of the pictures as they are, and blurred by 4 pixels, as features may be alike and lie
a few pixels apart.
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
    """{title: the features of a loss and its measure}: the energy of each layer, and the named settings."""
    energies = {f"energy of {layer}": {"features": {layer: 1}, "measure": "energy"} for layer in layers}
    whole = {name: Settings.load(name) for name in named}
    return energies | {name: {"features": one.features, "measure": one.measure} for name, one in whole.items()}


def gradients(arguments):
    networks = {arguments.reference: arguments.weights} | dict.fromkeys(arguments.of)
    print(f"{'cosine with ' + arguments.reference:<24}" + "".join(f"{name:>22}" for name in arguments.of))
    for title, loss in losses(arguments.layers, arguments.settings).items():
        found = {}
        for name, weights in networks.items():
            settings = Settings(network=name, weights=weights, **loss)
            network = open_network(settings)
            if network.preprocessing.name != "caffe":
                raise SystemExit(f"{name} sees its pictures in other units than VGG16")
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
    ours = change(reference)
    blurred = ndimage.gaussian_filter(ours, (4, 4, 0))
    for folder in others:
        theirs = change(folder)
        soft = cosine(blurred, ndimage.gaussian_filter(theirs, (4, 4, 0)))
        print(f"{folder}: {cosine(ours, theirs):.3f}, blurred {soft:.3f}")


def names(text):
    return text.split(",") if text else []


def main():
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    kinds = parser.add_subparsers(required=True)
    one = kinds.add_parser("gradients", help="compare gradients in the pixels of photographs")
    one.add_argument("photos", nargs="+", metavar="PHOTO")
    one.add_argument("--of", type=names, default="pocket,pocket_large", metavar="NETWORK,NETWORK")
    one.add_argument("--reference", default="vgg16", metavar="NETWORK")
    one.add_argument("--weights", metavar="FILE", help="of the reference; its own without")
    one.add_argument("--layers", type=names, default="block3_conv3,block4_conv1,block4_conv3,block5_conv1")
    one.add_argument("--settings", type=names, default="bad_trip,dreamy", metavar="NAME,NAME")
    one.add_argument("--size", type=int, default=192, help="longest side in pixels")
    one.set_defaults(run=gradients)
    two = kinds.add_parser("dreams", help="compare what whole dreams of one photograph changed")
    two.add_argument("folders", nargs="+", metavar="FOLDER")
    two.set_defaults(run=dreams)
    arguments = parser.parse_args()
    arguments.run(arguments)


if __name__ == "__main__":
    main()
