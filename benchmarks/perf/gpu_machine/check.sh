#!/usr/bin/env bash
# First call on the GPU machine (README.md): what runs differently there against the CPU, then the speed figures.
set -uo pipefail
kit=${KIT:-$HOME/kit} device=${DEVICE:-cuda}
: "${OUT:?the folder for results}"
mkdir -p "$kit" "$OUT"
cp .carry/data/half.00 "$kit/" || echo "half of the data is missing: row.sh will have none"
python3 -m pip install --quiet --no-index --no-deps --no-compile --no-cache-dir --upgrade --target "$kit/site" \
    .carry/wheels/*.whl || exit 3
export PYTHONPATH="$kit/site" PYTHONUNBUFFERED=1
[ "$device" = cpu ] || nvidia-smi -L || exit 3

status=0
timeout -k 10 "${CHECK_SECONDS:-100}" python3 -m benchmarks.perf.gpu_check --device "$device" 2>&1 \
    | tee "$OUT/gpu_check.txt" || status=1
if [ "$device" != cpu ]; then
    timeout -k 10 130 python3 -m benchmarks.perf.gpu --whole 100 --out "$OUT" 2>&1 | tee "$OUT/bench_gpu.txt" || status=1
fi
exit $status
