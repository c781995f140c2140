#!/usr/bin/env bash
# Third call (README.md): real CIFAR-10, the paper's networks. $ROW: arguments of "run table5".
set -uo pipefail
kit=${KIT:-$HOME/kit}
: "${OUT:?the folder for results}"
mkdir -p "$OUT"
export PYTHONPATH="$kit/site" PYTHONUNBUFFERED=1
. benchmarks/perf/gpu_machine/unpack.sh

ROW=${ROW:---methods di ni --set protocol.classifier.epochs=40 --set protocol.classifier.batch_size=256
    --set protocol.classifier.lr=0.2 --set protocol.classifier.nesterov=true --set protocol.classifier.schedule=cosine
    --set protocol.classifier.warmup=0.15 --set protocol.classifier.evaluate_every=0 --set protocol.student.epochs=30
    --set protocol.student.evaluate_every=0 --set di.batches=24 --set ni.batches=24
    --set di.settings.iterations=500 --set ni.settings.iterations=500}
# shellcheck disable=SC2086
timeout -k 15 520 python3 -m benchmarks run table5 --rows resnet34-resnet18 --scale mini --dataset cifar10 \
    --data-root "$kit/data" --device "${DEVICE:-cuda}" --precision bf16 --workers 2 \
    --max-hours "${MAX_HOURS:-0.135}" $ROW > "$OUT/run.txt" 2>&1
status=$?
tail -n 100 "$OUT/run.txt"
[ -d runs ] || exit "$status"

# What comes back: records, grids, logs; weights of teachers in pieces that are small enough to travel.
find runs reports/out \( -name '*.json' -o -name '*.png' -o -name '*.csv' -o -name '*.md' -o -name log.txt \) -size -2M \
    | tar -czf "$OUT/records.tar.gz" -T -
find runs/classifier -path '*resnet34*' -name weights.safetensors | tar -cf - -T - | split -b 15500000 -d - "$OUT/teacher."
ls -la "$OUT"
exit "$status"
