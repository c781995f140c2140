#!/usr/bin/env bash
# Third call (README.md): scale small, many narrow networks side by side. $LANES has a line for each process that takes
# cells, all in one runs folder: how many workers, then arguments of "run", further ones after ";". They go on after this
# call, until $HOURS are over, in a copy of the tree, which a call replaces; a fourth one of the same script waits for them
# $LIMIT seconds more, and needs no $LANES.
set -uo pipefail
kit=${KIT:-$HOME/kit} device=${DEVICE:-cuda} limit=${LIMIT:-480} began=$(date +%s)
: "${OUT:?the folder for results}"
mkdir -p "$OUT" "$kit/tree"
export PYTHONPATH="$kit/site" PYTHONUNBUFFERED=1 OMP_NUM_THREADS=1

lane() {  # NUMBER WORKERS RUN;RUN…
    IFS=';' read -ra runs <<< "$3"
    for run in "${runs[@]}"; do
        left=$(python3 -c "import time; print(max(0.001, ${HOURS:-0.15} - (time.time() - $began) / 3600))")
        echo "== run $run"
        # shellcheck disable=SC2086
        python3 -m benchmarks run $run --scale small --dataset cifar10 --data-root "$kit/data" --device "$device" \
            --precision "${PRECISION:-bf16}" --workers "$2" --threads 1 --runs-dir "$kit/runs" --out-dir "$kit/out" \
            --max-hours "$left"
    done > "$kit/lane-$1.txt" 2>&1
    touch "$kit/lane-$1.over"
}

if [ -n "${LANES:-}" ]; then
    # shellcheck source=/dev/null
    . benchmarks/perf/gpu_machine/unpack.sh
    for _ in $(seq 300); do [ -d /tmp/side_by_side ] || break; sleep 0.2; done
    pkill -f side_by_side
    # No process should be killed before the last one ends: the others can fail then.
    # shellcheck source=/dev/null
    [ "$device" = cpu ] || . benchmarks/perf/gpu_machine/mps.sh
    tar -cf - --exclude=./.carry --exclude=./.venv --exclude=./runs . | tar -xf - -C "$kit/tree" || exit 3
    rm -f "$kit"/lane-*
    number=0
    while read -r workers runs; do
        [ -n "$workers" ] || continue
        number=$((number + 1))
        export kit device began PRECISION HOURS
        setsid bash -c "$(declare -f lane); cd '$kit/tree'; lane $number $workers '$runs'" < /dev/null > /dev/null 2>&1 &
        echo "$number" > "$kit/lanes"
        sleep "${APART:-3}"
    done <<< "$LANES"
fi

[ -f "$kit/lanes" ] || { echo "another machine: no lanes are here"; exit 3; }
packed=$began
pack() {  # What comes back, in pieces that are small enough: records, grids, logs. The images stay there.
    (cd "$kit" && find runs out \( -name '*.json' -o -name '*.png' -o -name '*.csv' -o -name '*.md' -o -name log.txt \) \
        -size -2M 2> /dev/null | tar -czf "$kit/records.tar.gz" -T -)
    rm -f "$OUT"/records.*
    split -b 15500000 -d "$kit/records.tar.gz" "$OUT/records."
    tail -n +1 "$kit"/lane-*.txt "$kit/side_by_side.txt" > "$OUT/lanes.txt" 2> /dev/null
    packed=$(date +%s)
}
while [ $(($(date +%s) - began)) -lt "$limit" ] \
    && [ "$(ls "$kit"/lane-*.over 2> /dev/null | wc -l)" -lt "$(cat "$kit/lanes")" ]; do
    sleep 1
    [ $(($(date +%s) - packed)) -lt "${EVERY:-30}" ] || pack
done
pack
[ "$device" = cpu ] || nvidia-smi --query-gpu=name,memory.used,utilization.gpu --format=csv
for file in "$kit"/lane-*.txt; do echo "== $file"; grep -E '^(== |\[|error|warning)' "$file" | tail -n 12 | cut -c 1-150; done
cat "$kit/side_by_side.txt" 2> /dev/null | tail -n 12
ls -la "$OUT"
! grep -qhE '^(error|\[.*FAILED)' "$kit"/lane-*.txt
