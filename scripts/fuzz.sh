#!/bin/bash
# Runs each fuzz target for so many seconds: scripts/fuzz.sh SECONDS. What it finds that is new goes
# to build/fuzz; an input that fails is kept there, too, and named.
set -eu
cd "$(dirname "$0")/.."
seconds=$1

for target in frames commands session; do
    mkdir -p "build/fuzz/found-$target"
    # The server's code sets all signals to default, so libFuzzer's own timer would end it (0:
    # none).
    if ! timeout -k 5 $((seconds + 60)) "build/fuzz/$target" -max_total_time="$seconds" -timeout=0 \
        -artifact_prefix="build/fuzz/$target-" "build/fuzz/found-$target" "tests/corpus/$target" \
        >"build/fuzz/$target.log" 2>&1; then
        tail -n 40 "build/fuzz/$target.log"
        echo "fuzz: $target failed" >&2
        exit 1
    fi
    echo "fuzz: $target: $(grep '^Done' "build/fuzz/$target.log")"
done
