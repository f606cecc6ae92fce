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
# The exit status is 0 if each row has its figures, whether or not they meet their targets; else 1. Another
# tool that is not installed, or fails, has no row.
# shellcheck disable=SC2317 # the rows are called by their names
set -u
cd "$(dirname "$0")/../.." || exit
BENCH=build/bench
LOAD=$BENCH/load
source scripts/bench/rows.sh
source scripts/bench/others.sh
ROUNDS=${ROUNDS:-9}
PATIENCE=120 # seconds for one program

ROWS=(trip pipeline spread create start memory own many crowd deaths tasks calls fair
    jobs crew each queue workers query orphans batch submit)

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

# alternate COMMAND... -- COMMAND...: runs the two commands in turns, ROUNDS times. Each prints a line of
# numbers. Sets pairs to both lines of each turn, with a | between them. If one fails, sets failed to
# ours or other, and returns 1.
alternate() {
    local first=() round a b
    while [ "$1" != -- ]; do
        first+=("$1")
        shift
    done
    shift
    pairs=() failed=''
    for ((round = 0; round < ROUNDS; round++)); do
        a=$("${first[@]}") || failed=ours
        b=$("$@") || failed=${failed:-other}
        [ -z "$failed" ] || return 1
        pairs+=("$a|$b")
    done
}

# quartiles EXPRESSION: prints the lower quartile, the median and the upper quartile of what the
# expression gives for each pair: awk, in which a[1], a[2] ... are our numbers, and b[1] ... the others.
quartiles() {
    printf '%s\n' "${pairs[@]}" | awk -F'|' "{ split(\$1, a, \" \"); split(\$2, b, \" \"); print ($1) }" | sort -g |
        awk '{ v[NR] = $1 } END { print v[int((NR + 3) / 4)], v[int((NR + 1) / 2)], v[int((3 * NR + 3) / 4)] }'
}

# show NUMBER UNIT: prints a figure; a rate (/s) has commas between its thousands.
show() {
    awk -v n="$1" -v unit="$2" 'BEGIN {
        if (unit != "/s") { print n (unit == "" ? "" : " ") unit; exit }
        n = sprintf("%.0f", n)
        while (match(n, /[0-9][0-9][0-9][0-9](,|$)/))
            n = substr(n, 1, RSTART) "," substr(n, RSTART + 1)
        print n unit }'
}

# verdict OP LIMIT LOWER UPPER: prints whether a figure with these quartiles meets its target.
verdict() {
    awk -v op="$1" -v limit="$2" -v lower="$3" -v upper="$4" 'BEGIN {
        good = op == ">=" ? lower >= limit : upper <= limit
        bad = op == ">=" ? upper < limit : lower > limit
        print good ? "met" : bad ? "NOT met" : "straddles" }'
}

# ---- the table

line() { printf '| %-58s | %-22s | %-40s | %-22s | %-17s | %-9s |\n' "$@"; }

# report WHAT COLUMN UNIT AGAINST [QUANTITY OP LIMIT]: prints a row for that column of the pairs: the
# medians, and the ratio with its quartiles. COLUMN may be I:J, if the other program has it as column J.
# QUANTITY, which has a target, is ratio, ours or later (ours - other). OP is >= or <=.
report() {
    local i=${2%:*} j=${2#*:} unit=$3 ratio='' target='' says='' expression ours other lower median upper
    read -r _ ours _ < <(quartiles "a[$i]")
    read -r _ other _ < <(quartiles "b[$j]")
    if awk "BEGIN { exit !($other > 0) }"; then
        read -r lower median upper < <(quartiles "b[$j] > 0 ? a[$i] / b[$j] : 0")
        ratio=$(awk "BEGIN { f = $median < 9.5 ? \"%.2f\" : \"%.1f\"
            printf f \" (\" f \" to \" f \")\", $median, $lower, $upper }")
    fi
    if [ $# -gt 4 ]; then
        case $5 in
        ratio) expression="a[$i] / b[$j]" target="$6 $7" ;;
        ours) expression="a[$i]" target="$6 $(show "$7" "$unit")" ;;
        later) expression="a[$i] - b[$j]" target="$6 +$(show "$7" "$unit")" ;;
        esac
        read -r lower median upper < <(quartiles "$expression")
        [ -n "$smoke" ] || says=$(verdict "$6" "$7" "$lower" "$upper")
        [ "$5" != later ] || ratio+=", $(awk "BEGIN { printf \"%+.2f\", $median }") ${unit}"
    fi
    line "$1" "$(show "$ours" "$unit")" "$4: $(show "$other" "$unit")" "$ratio" "$target" "$says"
    rows_reported=$((rows_reported + 1))
}

# skip WHAT WHY
skip() {
    line "$1" "skipped: $2" '' '' '' ''
    skipped=1
}

# beside PROGRAM WHAT COMMAND... -- COMMAND...: as alternate, with a program that may not be here, or may
# fail: then its row says so, and the benchmark goes on.
beside() {
    local program=$1 what=$2
    shift 2
    command -v "$program" >/dev/null || { skip "$what" "$program is not installed" && return 1; }
    alternate "$@" && return
    if [ "$failed" = other ]; then
        skip "$what" "$program failed"
    else
        no_figure "$what"
    fi
    return 1
}

no_figure() {
    line "$1" 'NO FIGURE' '' '' '' ''
    [ ! -s "$dir/log" ] || tail -n 5 "$dir/log" >&2
    status=1
}

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
