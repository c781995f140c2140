#!/usr/bin/env bash
# prepare.sh DATA, in the repository's root: fills .carry/ with what a bare GPU machine lacks (README.md).
set -euo pipefail
data=${1:?the folder with cifar10-*.tar and unpack.py}
version=${PYTHON_VERSION:-3.12} limit=${LIMIT_MIB:-64}
[ -f constraints.txt ] || { echo "run it in the repository's root"; exit 2; }

ignored=$(git rev-parse --git-path info/exclude)
mkdir -p "$(dirname "$ignored")"
grep -qx '/.carry/' "$ignored" 2>/dev/null || printf '\n/.carry/\n' >> "$ignored"
rm -rf .carry
mkdir -p .carry/wheels .carry/data .carry/data2

platforms=()
for n in 2_39 2_35 2_34 2_31 2_28 2_27 2_24 2_17; do platforms+=(--platform "manylinux_${n}_x86_64"); done
mapfile -t packages < <(
    grep -iE '^(msgspec|tyro|docstring.parser|typeguard|torch.fidelity|torch.pruning)==' constraints.txt)
[ "${#packages[@]}" = 6 ] || { echo "constraints.txt names ${#packages[@]} of 6 packages"; exit 1; }
python3 -m pip download --quiet --no-deps --only-binary=:all: --python-version "$version" --implementation cp \
    "${platforms[@]}" --platform manylinux2014_x86_64 --platform manylinux1_x86_64 -d .carry/wheels "${packages[@]}"

cp "$data/unpack.py" .carry/data2/
(cd "$data" && tar -cf - cifar10-*.tar) | split -b 50000000 -d - .carry/half.
mv .carry/half.00 .carry/data/
mv .carry/half.01 .carry/data2/
[ -z "$(ls .carry/half.* 2>/dev/null)" ] || { echo "the data make more than two halves"; exit 1; }

tree=$(git ls-files -z | xargs -0 du -cb | tail -n 1 | cut -f 1)
for part in "wheels data" "data2"; do
    # shellcheck disable=SC2086
    all=$((tree + $(cd .carry && du -sb $part | awk '{s += $1} END {print s}')))
    echo "with $part travel $((all / 1048576)) MiB"
    [ "$all" -lt $((limit * 1048576)) ] || { echo "over $limit MiB"; exit 1; }
done
