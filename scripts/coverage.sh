#!/bin/bash
# Prints the lines of the programs that neither the tests nor the sweep ever reach. Both run on a
# build that counts executed lines (gcov) and has the faults of the sweep linked in. A program that
# is killed writes no counts, so what only such programs execute is printed, too.
#
#   scripts/coverage.sh
set -eu
cd "$(dirname "$0")/.."
BUILD=build/coverage
SUM=$BUILD/sum # the added counts of all runs

main() {
    umask 0 # some tests run as another user
    rm -rf $BUILD
    make -s CC=gcc $BUILD/server $BUILD/driver
    TEST_BUILD=$BUILD scripts/test.sh >$BUILD/tests.tap || true
    tail -n 1 $BUILD/tests.tap
    SWEEP_BUILD=$BUILD scripts/torture/sweep.sh --full >$BUILD/sweep || true
    tail -n 1 $BUILD/sweep
    add_up
    find $BUILD -name '*.gcno' -exec gcov --stdout --relative-only {} + | unreached_lines
}

# Adds up the counts. The tests leave theirs beside the objects, each run of the sweep in a
# directory of its own. Counts that a fault has spoiled are left out.
add_up() {
    local run
    mkdir $SUM
    (cd $BUILD && find . -name '*.gcda' -not -path './counts/*' -exec cp --parents -t sum {} +)
    for run in "$BUILD"/counts/*/"$BUILD"; do
        rm -rf $BUILD/new
        if gcov-tool merge -o $BUILD/new "$run" $SUM 2>/dev/null; then
            rm -r $SUM
            mv $BUILD/new $SUM
        fi
    done
    cp -r $SUM/. $BUILD
}

# Reads gcov's report on each object. A line of a header may be in several objects; it counts as
# reached if one of them has reached it.
unreached_lines() {
    awk -F: '
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
}

main
