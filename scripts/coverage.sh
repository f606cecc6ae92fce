#!/bin/bash
# Says which lines of server.c and driver.c are never reached, by the tests and the fault sweep
# together: both run on a build that counts (gcov) and has the faults of the sweep linked in. A
# program that is killed writes no counts.
set -eu
cd "$(dirname "$0")/.."

umask 0 # some tests run as another user
rm -rf build/coverage
make -s CC=gcc build/coverage/server build/coverage/driver
TEST_BUILD=build/coverage scripts/test.sh >build/coverage/tests.tap || true
tail -n 1 build/coverage/tests.tap
SWEEP_BUILD=build/coverage scripts/torture/sweep.sh --full >build/coverage/sweep || true
tail -n 1 build/coverage/sweep

reached_lines() {
    local program=$1 counts
    # What a fault has spoiled is left out.
    for counts in build/coverage/counts/*/"$program".gcda; do
        mkdir -p build/coverage/one build/coverage/all
        cp "$counts" build/coverage/one
        cp build/coverage/"$program".gcda build/coverage/all
        ! gcov-tool merge -o build/coverage/sum build/coverage/one build/coverage/all 2>/dev/null ||
            cp build/coverage/sum/"$program".gcda build/coverage
        rm -r build/coverage/{one,all}
    done
    gcov --stdout --object-file build/coverage/*"$program".gcno "$program".c
}

# A line of proto.h counts as reached if either program has reached it.
{ reached_lines server; reached_lines driver; } | awk -F: '
    $3 == "Source" { file = $4 }
    $1 ~ /[0-9]|#####/ && $2 > 0 {
        line = sprintf("%s:%d", file, $2)
        text[line] = $0
        if (!(line in missed)) { missed[line] = 1; order[++lines] = line; all[file]++ }
        if ($1 !~ /#####/) missed[line] = 0
    }
    END {
        for (i = 1; i <= lines; i++)
            if (missed[order[i]]) {
                split(order[i], at, ":"); unreached[at[1]]++
                sub(/^ *#####: *[0-9]+:/, "", text[order[i]]); print order[i] ":" text[order[i]]
            }
        for (file in all)
            printf "%s: %d of %d lines were reached\n", file, all[file] - unreached[file], all[file]
    }'
