#!/bin/bash
# Measures what the server costs, beside bare programs that are measured in the same run.
#
#   scripts/bench/run.sh               prints a table of all rows
#   scripts/bench/run.sh ROW...        prints these rows
#   scripts/bench/run.sh --rows        lists the names of the rows
#   scripts/bench/run.sh --smoke       runs all rows once, in tiny sizes, to see whether they work
#
# The programs that are compared run in turns, ROUNDS times (by default 5; other supervisors at most
# 3), and the table shows the medians. A machine that is busy with something else is busy for both,
# so the ratios mean more than the times. "1 processor" means that all processes, even the client,
# run on one processor; otherwise they use two. A bare program does what its name says and nothing
# more; see the first lines of each.
#
# The exit status is 0 if each row has its figures, whether or not they meet their targets; else 1.
# shellcheck disable=SC2317 # the rows are called by their names
set -u
cd "$(dirname "$0")/../.." || exit
BENCH=build/bench
LOAD=$BENCH/load
source scripts/bench/rows.sh
source scripts/bench/others.sh
ROUNDS=${ROUNDS:-5}
PATIENCE=120 # seconds for one program

ROWS=(trip pipeline spread create memory own many crowd deaths tasks calls allocs fair
    jobs each queue crew start query stop orphans batch submit)

# ---- figures

# size FULL SMOKE: prints the size for this run.
size() {
    if [ -n "$smoke" ]; then echo "$2"; else echo "$1"; fi
}

# figures CPUS COMMAND...: runs a program on these processors, and prints the line of numbers that
# it prints.
figures() {
    local cpus=$1 out
    shift
    out=$(taskset -c "$cpus" timeout --foreground "$PATIENCE" "$@" 2>>"$dir/log") || return
    [[ $out =~ ^[-0-9.\ ]*[0-9]$ ]] && echo "$out"
}

# Reads lines of numbers, and prints the median of each column.
medians() {
    awk '{ for (i = 1; i <= NF; i++) v[i, NR] = $i; if (NF > n) n = NF }
        END { for (i = 1; i <= n; i++) {
                  for (j = 1; j <= NR; j++)       # sort the column
                      for (k = j; k > 1 && v[i, k] + 0 < v[i, k - 1] + 0; k--) {
                          t = v[i, k]; v[i, k] = v[i, k - 1]; v[i, k - 1] = t }
                  printf "%s%s", v[i, int((NR + 1) / 2)], i < n ? " " : "\n" } }'
}

# alternate COMMAND... [-- COMMAND...]: runs the two commands in turns, and sets ours and bare to
# the medians of the numbers that they print.
alternate() {
    local first=() round a='' b='' line
    while [ $# -gt 0 ] && [ "$1" != -- ]; do
        first+=("$1")
        shift
    done
    shift $(($# > 0))
    for ((round = 0; round < ROUNDS; round++)); do
        line=$("${first[@]}") || return
        a+=$line$'\n'
        [ $# -gt 0 ] || continue
        line=$("$@") || return
        b+=$line$'\n'
    done
    read -ra ours <<<"$(medians <<<"${a%$'\n'}")"
    read -ra bare <<<"$(medians <<<"${b%$'\n'}")"
    [ ${#ours[@]} -gt 0 ]
}

calc() { awk "BEGIN { printf \"$1\", $2 }"; }
# Prints a rate, with commas between its thousands.
rate() { awk -v n="$1" 'BEGIN { n = sprintf("%.0f", n)
    while (match(n, /[0-9][0-9][0-9][0-9](,|$)/))
        n = substr(n, 1, RSTART) "," substr(n, RSTART + 1)
    print n "/s" }'; }

# ---- the table

line() { printf '| %-58s | %-22s | %-36s | %-9s | %-17s | %-7s |\n' "$@"; }

# report WHAT MEASURED AGAINST RATIO TARGET CONDITION: prints a row. The condition, an awk
# expression, is true if the target is met; without a target it is empty.
report() {
    local verdict=''
    if [ -n "$6" ] && [ -z "$smoke" ]; then
        if awk "BEGIN { exit !($6) }"; then verdict=met; else verdict='NOT met'; fi
    fi
    line "$1" "$2" "$3" "$4" "$5" "$verdict"
    rows_reported=$((rows_reported + 1))
}

skip() {
    line "$1" "skipped: $2" '' '' '' ''
    skipped=1
}

run_row() {
    rows_reported=0
    if ! "row_$1" || { [ $rows_reported = 0 ] && [ -z "$skipped" ]; }; then
        line "$1" 'NO FIGURE' '' '' '' ''
        [ ! -s "$dir/log" ] || tail -n 5 "$dir/log" >&2
        status=1
    fi
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

others_rounds=$((ROUNDS < 3 ? ROUNDS : 3)) # they take long, and differ widely from ours

echo "Linux $(uname -r), $(uname -m); ${#processors[@]} processors; medians of $ROUNDS (others: $others_rounds)"
[ -n "${processors[1]:-}" ] || echo 'There is only one processor, even for the rows that need two.'
echo
line what measured against ratio target verdict
line --- --- --- --- --- ---
status=0
for row in "${rows[@]}"; do
    skipped=
    run_row "$row"
done
exit $status
