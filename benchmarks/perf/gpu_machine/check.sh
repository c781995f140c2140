#!/usr/bin/env bash
# First call on the GPU machine (README.md): what runs differently there against the CPU, then the speed figures.
# CHECK_SECONDS=0 leaves out the checks, BENCH_SECONDS=0 the figures; "ni 1 8 15" in $SIDE starts side_by_side.sh at the end.
set -uo pipefail
kit=${KIT:-$HOME/kit} device=${DEVICE:-cuda} check=${CHECK_SECONDS:-100} bench=${BENCH_SECONDS:-130}
: "${OUT:?the folder for results}"
mkdir -p "$kit" "$OUT"
cp .carry/1/part.00 "$kit/" || echo "a part of the data is missing: small.sh and row.sh will have none"
python3 -m pip install --quiet --no-index --no-deps --no-compile --no-cache-dir --upgrade --target "$kit/site" \
    .carry/1/wheels/*.whl || exit 3
export PYTHONPATH="$kit/site" PYTHONUNBUFFERED=1
[ "$device" = cpu ] || nvidia-smi -L || exit 3

status=0
if [ "$check" != 0 ]; then
    timeout -k 10 "$check" python3 -m benchmarks.perf.gpu_check --device "$device" 2>&1 \
        | tee "$OUT/gpu_check.txt" || status=1
fi
if [ "$device" != cpu ] && [ "$bench" != 0 ]; then
    timeout -k 10 "$bench" python3 -m benchmarks.perf.gpu --whole 100 --out "$OUT" 2>&1 | tee "$OUT/bench_gpu.txt" || status=1
fi
if [ -n "${SIDE:-}" ]; then
    mkdir -p "$kit/side"  # a copy, as the next call replaces the tree
    cp -r benchmarks baselines naturalinversion "$kit/side/"
    # shellcheck disable=SC2086
    (cd "$kit/side" && exec setsid bash benchmarks/perf/gpu_machine/side_by_side.sh $SIDE) > "$kit/side_by_side.txt" 2>&1 &
fi
exit $status
