#!/bin/bash
# Runs each fuzz target for a while. New inputs that it finds go to build/fuzz. An input that fails is
# kept there, too, and its name is shown.
#
#   scripts/fuzz.sh SECONDS      for each target; make fuzz builds them first
set -eu
cd "$(dirname "$0")/.."
[[ $# = 1 && $1 =~ ^[1-9][0-9]*$ ]] || { echo 'usage: scripts/fuzz.sh SECONDS' >&2; exit 2; }
seconds=$1

for target in frames commands session; do
    mkdir -p "build/fuzz/found-$target"
    # The server's code sets all signals to default, so libFuzzer's own timer would end the program:
    # -timeout=0 switches the timer off.
    if ! timeout -k 5 $((seconds + 60)) "build/fuzz/$target" -max_total_time="$seconds" -timeout=0 \
        -artifact_prefix="build/fuzz/$target-" "build/fuzz/found-$target" "tests/corpus/$target" \
        >"build/fuzz/$target.log" 2>&1; then
        tail -n 40 "build/fuzz/$target.log"
        echo "fuzz: $target failed" >&2
        exit 1
    fi
    echo "fuzz: $target: $(grep '^Done' "build/fuzz/$target.log")"
done
