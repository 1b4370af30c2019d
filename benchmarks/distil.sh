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
export KERAS_BACKEND="${KERAS_BACKEND:-jax}"
export XLA_PYTHON_CLIENT_PREALLOCATE=false TF_FORCE_GPU_ALLOW_GROWTH=true # or the first takes the memory of the card
trap 'trap "" INT TERM; kill 0; wait; exit 130' INT TERM # both finish their step, write the student, and say how to continue
layers=block2_conv2
for block in 3 4 5; do layers+=,block${block}_conv1,block${block}_conv2,block${block}_conv3; done
mkdir -p "$folder"

teach() {
    "${PYTHON:-python3}" -m dreamscripts distil vgg16 --weights "$weights" --photos "$photos" --student "$1" \
        --layers "$layers" --minutes 10 --set batch=64 --set crop=96 --set dreams=512 --set rate=0.0002 \
        -o "$folder/$1.keras" "${@:2}" > >(trap "" INT TERM; exec tee -i "$folder/$1.log") 2>&1
}

teach pocket "$@" &
quarter=$!
teach pocket_large "$@" &
half=$! status=0
wait "$quarter" || status=$?
wait "$half" || status=$?
exit "$status"
