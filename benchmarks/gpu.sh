#!/usr/bin/env bash
# Measure dreamscripts on one GPU in at most eight minutes, beside plain PyTorch. It needs the package, and JAX or PyTorch.
#   benchmarks/gpu.sh [--output FOLDER] [--minutes 8] [--size 800] [--quick]
# Every number is printed as soon as it is measured. FOLDER gets gpu.json and gpu.md, a chapter for BENCHMARKS.md.
# Without a GPU, the CPU is measured: use --quick, with a small picture and a small network.
set -euo pipefail
top=$(cd "$(dirname "$0")/.." && pwd)
PYTHONPATH="$top${PYTHONPATH:+:$PYTHONPATH}" exec "${PYTHON:-python3}" "$top/benchmarks/gpu.py" "$@"
