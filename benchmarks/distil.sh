#!/usr/bin/env bash
# Teach `pocket` and `pocket_large` further on one GPU, side by side, for ten minutes each. It needs the package, JAX or
# PyTorch, a folder of photographs, and the weights of VGG16.
#   benchmarks/distil.sh PHOTOS WEIGHTS FOLDER [OPTION…]
# The agreement of both with VGG16 is printed. FOLDER gets pocket.keras, pocket_large.keras, their pages, and a log of each.
# The OPTIONs are those of `dreamscripts distil`.
set -euo pipefail
photos=$1 weights=$2 folder=$3
shift 3
top=$(cd "$(dirname "$0")/.." && pwd)
export PYTHONPATH="$top${PYTHONPATH:+:$PYTHONPATH}" PYTHONUNBUFFERED=1
export XLA_PYTHON_CLIENT_PREALLOCATE=false # with JAX, the first process would take the memory of the card
layers=block2_conv2
for block in 3 4 5; do layers+=,block${block}_conv1,block${block}_conv2,block${block}_conv3; done
mkdir -p "$folder"

teach() {
    "${PYTHON:-python3}" -m dreamscripts distil vgg16 --weights "$weights" --photos "$photos" --student "$1" \
        --layers "$layers" --minutes 10 --set batch=64 --set crop=96 --set dreams=512 --set rate=0.0002 \
        -o "$folder/$1.keras" "${@:2}" 2>&1 | tee "$folder/$1.log"
}

teach pocket "$@" &
quarter=$!
teach pocket_large "$@" &
half=$!
trap 'kill 0' INT TERM
wait "$quarter" && wait "$half"
