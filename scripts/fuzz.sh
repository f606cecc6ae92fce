#!/bin/bash
# Runs each fuzz target for SECONDS. The new inputs that it finds are kept in build/fuzz, as is an
# input that makes it fail, whose name is printed.
#
#   scripts/fuzz.sh SECONDS      make fuzz builds the targets first
set -eu
cd "$(dirname "$0")/.."
[[ $# = 1 && $1 =~ ^[1-9][0-9]*$ ]] || { echo 'usage: scripts/fuzz.sh SECONDS' >&2; exit 2; }
seconds=$1

for target in frames commands session; do
    mkdir -p "build/fuzz/found-$target"
    # The server's code resets all signal handlers, so libFuzzer's timer would kill the program. We
    # switch it off: -timeout=0.
    if ! timeout -k 5 $((seconds + 60)) "build/fuzz/$target" -max_total_time="$seconds" -timeout=0 \
        -artifact_prefix="build/fuzz/$target-" "build/fuzz/found-$target" "tests/corpus/$target" \
        >"build/fuzz/$target.log" 2>&1; then
        tail -n 40 "build/fuzz/$target.log"
        echo "fuzz: $target failed" >&2
        exit 1
    fi
    echo "fuzz: $target: $(grep '^Done' "build/fuzz/$target.log")"
done
