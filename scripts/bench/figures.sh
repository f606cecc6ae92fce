# How the figures of a row are measured, judged and shown. run.sh sets ROUNDS, PATIENCE, smoke and dir;
# plot.sh uses hold alone, which needs PATIENCE and dir.
# shellcheck shell=bash disable=SC2034,SC2154

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

# hold COMMAND...: runs a program that starts processes, prints a number and their pids, and keeps
# them until its input ends. Prints the number, and the mean PSS of the processes in KiB.
hold() {
    local first pids pid to from holder status paths=()
    coproc HOLD { exec timeout --foreground "$PATIENCE" "$@" 2>>"$dir/log"; }
    holder=$HOLD_PID
    to=${HOLD[1]} from=${HOLD[0]}
    read -r -t "$PATIENCE" -u "$from" first pids || return
    for pid in $pids; do
        paths+=("/proc/$pid/")
    done
    while grep -qs "^State:.*[RD] " "${paths[@]/%/status}"; do # an idle process does not run
        read -r -t 0.05 <> <(:)
    done
    awk -v first="$first" '/^Pss:/ { sum += $2; n++ } END { printf "%s %.2f\n", first, sum / n }' \
        "${paths[@]/%/smaps_rollup}"
    status=$?
    exec {to}>&- {from}<&-
    wait "$holder" && return "$status"
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
# expression gives for each pair: awk, in which a[1], a[2] ... are our numbers, and b[1] ... the others. As
# many values are below the lower quartile as are above the upper one; the median of an even number is
# the lower of the two in the middle.
quartiles() {
    printf '%s\n' "${pairs[@]}" | awk -F'|' "{ split(\$1, a, \" \"); split(\$2, b, \" \"); print ($1) }" | sort -g |
        awk '{ v[NR] = $1 } END { q = int((NR + 3) / 4); print v[q], v[int((NR + 1) / 2)], v[NR + 1 - q] }'
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
