#!/bin/bash
# Measures what the server costs, beside bare programs that are measured in the same run.
#
#   scripts/bench/run.sh               prints a table of all rows
#   scripts/bench/run.sh ROW...        prints these rows
#   scripts/bench/run.sh --rows        lists the names of the rows
#   scripts/bench/run.sh --smoke       runs all rows once, in tiny sizes, to see whether they work
#
# Two programs are compared in turns, ROUNDS times (by default 9). The table shows the median of each,
# and the median and the quartiles of the ratios of the turns. A machine that is busy with something else
# is busy for both, so the ratios mean more than the times. "met" means that even the worse quartile meets
# the target, "NOT met" that not even the better one does, and "straddles" that the target lies between them.
# "1 processor" means that all processes, even the client, run on one processor; otherwise they use two. A
# bare program does what its name says and nothing more; see the first lines of each.
#
# The exit status is 0 if each row has its figures, whether or not they meet their targets; else 1. The row of
# another tool that is not installed, or fails, says so, and does not count.
# shellcheck disable=SC2317 # the rows are called by their names
set -u
cd "$(dirname "$0")/../.." || exit
BENCH=build/bench
LOAD=$BENCH/load
source scripts/bench/figures.sh
source scripts/bench/rows.sh
source scripts/bench/others.sh
ROUNDS=${ROUNDS:-9}
PATIENCE=120 # seconds for one program

ROWS=(trip pipeline spread create start memory own many crowd deaths tasks calls fair
    jobs crew each queue workers query orphans batch submit)

run_row() {
    rows_reported=0 skipped=''
    "row_$1" && [ $rows_reported -gt 0 ] || [ -n "$skipped" ] || no_figure "$1"
}

finish() {
    rm -rf "$dir"
}

# ---- which rows, and where

smoke=
rows=()
for argument; do
    case $argument in
    --smoke) smoke=1 ROUNDS=1 ;;
    --rows) printf '%s\n' "${ROWS[@]}" && exit ;;
    -h | --help)
        sed -n '2,/^[^#]/{ /^# shellcheck/d; s/^# \{0,1\}//p; }' "$0"
        exit
        ;;
    *)
        [[ " ${ROWS[*]} " == *" $argument "* ]] ||
            { echo "run.sh: no row '$argument' (try --help)" >&2; exit 2; }
        rows+=("$argument")
        ;;
    esac
done
[ ${#rows[@]} -gt 0 ] || rows=("${ROWS[@]}")

make -s bench-programs || exit
dir=$(mktemp -d)
trap finish EXIT
trap 'exit 130' INT TERM HUP

# The processors that we may use.
processors=()
for range in $(taskset -cp $$ | sed 's/.*: //; s/,/ /g'); do
    for ((i = ${range%-*}; i <= ${range#*-}; i++)); do
        processors+=("$i")
    done
done
ONE=${processors[0]}
TWO=$ONE${processors[1]:+,${processors[1]}}

echo "Linux $(uname -r), $(uname -m); ${#processors[@]} processors; medians of $ROUNDS pairs"
[ -n "${processors[1]:-}" ] || echo 'There is only one processor, even for the rows that need two.'
echo
line what measured against 'ratio (quartiles)' target verdict
line --- --- --- --- --- ---
status=0
for row in "${rows[@]}"; do
    run_row "$row"
done
exit $status
