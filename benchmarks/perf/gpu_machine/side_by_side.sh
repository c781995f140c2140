#!/usr/bin/env bash
# side_by_side.sh METHOD COUNT COUNT…: iterations a second of so many processes on one GPU, without MPS and, but for the first
# count, with it.
set -uo pipefail
mkdir -p /tmp/side_by_side
trap 'rmdir /tmp/side_by_side' EXIT
export OMP_NUM_THREADS=1
method=$1
shift
echo "without MPS"
python3 -m benchmarks.perf.side_by_side --device "${DEVICE:-cuda}" --method "$method" --counts "$@"
# shellcheck source=/dev/null
. "$(dirname "$0")/mps.sh"
echo "with MPS"
python3 -m benchmarks.perf.side_by_side --device "${DEVICE:-cuda}" --method "$method" --counts "${@:2}"
