#!/usr/bin/env bash
# In place of row.sh (README.md): scale small, many narrow networks side by side under CUDA MPS. $RUN: arguments of "run".
set -uo pipefail
kit=${KIT:-$HOME/kit} device=${DEVICE:-cuda} limit=${LIMIT:-480} began=$(date +%s)
: "${OUT:?the folder for results}" "${RUN:?arguments of run, e.g. table5 --rows vgg11-resnet18 --seeds 3}"
mkdir -p "$OUT"
[ -f "$kit/half.00" ] || { echo "another machine: half of the data is not here"; exit 3; }
export PYTHONPATH="$kit/site" PYTHONUNBUFFERED=1 OMP_NUM_THREADS=1
cat "$kit/half.00" .carry/data2/half.01 | tar -xf - -C "$kit" || exit 3
cp .carry/data2/unpack.py "$kit/" && (cd "$kit" && python3 unpack.py cifar10 "$kit/data") || exit 3

if [ "$device" = cuda ]; then
    # No process should be killed before the last one ends: the others can fail then.
    export CUDA_MPS_PIPE_DIRECTORY=/tmp/mps CUDA_MPS_LOG_DIRECTORY=/tmp/mps-log
    mkdir -p /tmp/mps /tmp/mps-log
    setsid nvidia-cuda-mps-control -d
fi
left=$((limit - $(date +%s) + began))
# shellcheck disable=SC2086
timeout -k 15 $((left + 15)) python3 -m benchmarks run $RUN --scale small --dataset cifar10 --data-root "$kit/data" \
    --device "$device" --precision bf16 --workers "${WORKERS:-15}" --threads 1 --runs-dir "$kit/runs" --out-dir "$kit/out" \
    --max-hours "$(python3 -c "print($left / 3600)")" > "$OUT/run.txt" 2>&1
status=$?
tail -n 100 "$OUT/run.txt"

# What comes back, in pieces that are small enough: records, grids, logs. The images stay there.
(cd "$kit" && find runs out \( -name '*.json' -o -name '*.png' -o -name '*.csv' -o -name '*.md' -o -name log.txt \) -size -2M \
    | tar -czf - -T - | split -b 15500000 -d - "$OUT/records.")
ls -la "$OUT"
exit "$status"
