#!/bin/bash
# Measures what the server costs, each figure beside that of a bare program taken in the same run.
#
#   scripts/bench/run.sh               all rows, as a table
#   scripts/bench/run.sh ROW...        these rows (run.sh --rows names them)
#   scripts/bench/run.sh --smoke       all rows, tiny and once: whether each yields its figures
#
# What is compared is run in turns, ROUNDS times (5; other supervisors 3 times), and the medians are
# shown: a machine that is busy with something else is so for both. Times of their own mean little;
# ratios do. "1 processor": all that takes part, the client included, runs on one; else on two. A
# bare program does what its name says and nothing more; see the beginning of each in scripts/bench.
#
# Status 0 when each row has its figures, whether or not they meet their targets; else 1.
# shellcheck disable=SC2317 # the rows are called by their names
set -u
cd "$(dirname "$0")/../.." || exit
BENCH=build/bench
LOAD=$BENCH/load
ROUNDS=${ROUNDS:-5}
PATIENCE=120 # seconds for one program

ROWS=(trip pipeline spread create memory own many crowd deaths tasks calls allocs fair
    jobs crew start query stop orphans batch)

# ---- figures

# size FULL SMOKE
size() {
    if [ -n "$smoke" ]; then echo "$2"; else echo "$1"; fi
}

# Runs a program that prints numbers, once: on the processors given first.
figures() {
    local cpus=$1 out
    shift
    out=$(taskset -c "$cpus" timeout --foreground "$PATIENCE" "$@" 2>>"$dir/log") || return
    [[ $out =~ ^[-0-9.\ ]*[0-9]$ ]] && echo "$out"
}

# The medians of the columns of the numbers on standard input.
medians() {
    awk '{ for (i = 1; i <= NF; i++) v[i, NR] = $i; if (NF > n) n = NF }
        END { for (i = 1; i <= n; i++) {
                  for (j = 1; j <= NR; j++)       # in order
                      for (k = j; k > 1 && v[i, k] + 0 < v[i, k - 1] + 0; k--) {
                          t = v[i, k]; v[i, k] = v[i, k - 1]; v[i, k - 1] = t }
                  printf "%s%s", v[i, int((NR + 1) / 2)], i < n ? " " : "\n" } }'
}

# alternate COMMAND... [-- COMMAND...]: runs them in turns, and sets ours and bare to the medians of
# the numbers that each prints.
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
# A rate, with its thousands apart.
rate() { awk -v n="$1" 'BEGIN { n = sprintf("%.0f", n)
    while (match(n, /[0-9][0-9][0-9][0-9](,|$)/))
        n = substr(n, 1, RSTART) "," substr(n, RSTART + 1)
    print n "/s" }'; }

# ---- the table

line() { printf '| %-58s | %-22s | %-36s | %-9s | %-17s | %-7s |\n' "$@"; }

# report WHAT MEASURED AGAINST RATIO TARGET CONDITION: the condition, for awk, says whether the
# target is met; none: there is no target.
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

# ---- rows with a target: each runs its programs and reports

row_trip() {
    local n
    n=$(size 50000 500)
    alternate figures "$ONE" "$LOAD" trip 1 1 "$n" -- \
        figures "$ONE" "$BENCH/bare-trip" "$n" || return
    report 'get_status, one at a time, 1 processor' "$(rate "${ours[0]}")" \
        "same trip, bare: $(rate "${bare[0]}")" "$(calc %.2f "${ours[0]} / ${bare[0]}")" '>= 0.80' \
        "${ours[0]} >= 0.80 * ${bare[0]}"
}

row_pipeline() {
    alternate figures "$ONE" "$LOAD" pipeline 1 "$(size 4000000 20000)" -- \
        figures "$ONE" "$BENCH/bare-oneway" "$(size 1000000 5000)" || return
    report 'get_status, pipelined, 1 driver, 1 processor' "$(rate "${ours[0]}")" \
        "16 bytes one way: $(rate "${bare[0]}")" "$(calc %.1f "${ours[0]} / ${bare[0]}")" '>= 8' \
        "${ours[0]} >= 8 * ${bare[0]}"
}

row_spread() {
    local n
    n=$(size 2000000 20000)
    alternate figures "$TWO" "$LOAD" pipeline 100 "$n" -- figures "$ONE" "$LOAD" pipeline 1 "$n" ||
        return
    report 'get_status, pipelined, 100 drivers, 2 processors' "$(rate "${ours[0]}")" \
        "1 driver, 1 processor: $(rate "${bare[0]}")" "$(calc %.2f "${ours[0]} / ${bare[0]}")" \
        '>= 0.7' "${ours[0]} >= 0.7 * ${bare[0]}"
}

row_create() {
    local n
    n=$(size 2000 20)
    alternate figures "$TWO" "$LOAD" create "$n" -- \
        figures "$TWO" "$BENCH/bare-spawn" "$n" "$BENCH/bare-pause" || return
    report "create_driver $n, 2 processors" "$(rate "${ours[0]}")" \
        "vfork, exec, static: $(rate "${bare[0]}")" "$(calc %.2f "${ours[0]} / ${bare[0]}")" \
        '>= 0.60' "${ours[0]} >= 0.60 * ${bare[0]}"
}

# Runs a program that starts processes, prints a number and their pids, and holds them until its
# input ends. Prints that number, and the mean PSS of the processes in KiB.
hold() {
    local first pids pid to from holder status paths=()
    coproc HOLD { exec timeout --foreground "$PATIENCE" "$@" 2>>"$dir/log"; }
    holder=$HOLD_PID
    to=${HOLD[1]} from=${HOLD[0]}
    read -r -t "$PATIENCE" -u "$from" first pids || return
    for pid in $pids; do
        paths+=("/proc/$pid/")
    done
    while grep -qs "^State:.*[RD] " "${paths[@]/%/status}"; do # none that is idle runs
        read -r -t 0.05 <> <(:)
    done
    awk -v first="$first" '/^Pss:/ { sum += $2; n++ } END { printf "%s %.2f\n", first, sum / n }' \
        "${paths[@]/%/smaps_rollup}"
    status=$?
    exec {to}>&- {from}<&-
    wait "$holder" && return "$status"
}

row_memory() {
    local n
    n=$(size 1000 20)
    alternate hold "$LOAD" hold "$n" -- \
        hold "$BENCH/bare-spawn" "$n" "$BENCH/bare-pause" hold || return
    report "memory of an idle driver, PSS, mean of $n" "${ours[1]} KiB" \
        "static, pauses, same libc: ${bare[1]} KiB" "$(calc %.2f "${ours[1]} / ${bare[1]}")" \
        '<= 1.25' "${ours[1]} <= 1.25 * ${bare[1]}"
}

row_own() {
    local n
    n=$(size 1000 20)
    alternate figures "$TWO" "$LOAD" hold "$n" </dev/null || return
    report "the server's own memory a driver, $n idle drivers" "${ours[0]} KiB" '' '' \
        '<= 0.8 KiB' "${ours[0]} <= 0.8"
}

# Why there cannot be so many drivers here; nothing: there can.
too_many() {
    local descriptors processes
    descriptors=$(ulimit -Hn)
    processes=$(ulimit -Hu)
    [ "$descriptors" = unlimited ] || ((descriptors > $1 + 50)) || echo "ulimit -Hn is $descriptors"
    [ "$processes" = unlimited ] || ((processes > $1 + 500)) || echo "ulimit -Hu is $processes"
    (($(cat /proc/sys/kernel/pid_max) > $1 + 2000)) ||
        echo "pid_max is $(cat /proc/sys/kernel/pid_max)"
}

row_many() {
    local n why
    n=$(size 10000 100)
    why=$(too_many "$n")
    [ -z "$why" ] || { skip "$n drivers" "$why" && return; }
    alternate figures "$TWO" "$LOAD" many "$n" || return
    report "$n drivers: up, 2 processors" "${ours[0]} s" '' '' '<= 6 s' "${ours[0]} <= 6"
    report "$n drivers: get_drivers" "${ours[1]} s" '' '' '<= 0.4 s' "${ours[1]} <= 0.4"
    report "$n drivers: TERM to exit" "${ours[2]} s" '' '' '<= 1.5 s' "${ours[2]} <= 1.5"
    report "$n drivers: left after that" "${ours[4]}" '' '' 0 "${ours[4]} == 0"
    report "$n drivers: wakeups of all in an idle second" "${ours[3]}" '' '' 0 "${ours[3]} == 0"
}

# The same five are asked in both cases: so it is what the others cost that shows. When all are
# asked in turn, each finds its memory in no cache, which is no work of the server's.
row_crowd() {
    local n crowd five=5
    n=$(size 30000 200)
    crowd=$(size 3000 50)
    alternate figures "$ONE" "$LOAD" trip "$crowd" "$five" "$n" -- \
        figures "$ONE" "$LOAD" trip "$five" "$five" "$n" || return
    report "get_status of 5 while there are $crowd drivers, 1 processor" "$(rate "${ours[0]}")" \
        "while there are 5: $(rate "${bare[0]}")" "$(calc %.2f "${ours[0]} / ${bare[0]}")" \
        '>= 0.90' "${ours[0]} >= 0.90 * ${bare[0]}"
}

row_deaths() {
    local n why killed grows_ms
    n=$(size 10000 100)
    killed=$(size 20 3)
    why=$(too_many "$n")
    [ -z "$why" ] || { skip "a death among $n" "$why" && return; }
    alternate figures "$TWO" "$LOAD" deaths "$n" "$killed" -- figures "$TWO" "$LOAD" deaths 10 "$killed" ||
        return
    grows_ms=$(calc %.3f "${ours[0]} - ${bare[0]}")
    report "a death among $n: CPU time of the server" "${ours[0]} ms" "among 10: ${bare[0]} ms" \
        "+$grows_ms ms" '<= +0.6 ms' "$grows_ms <= 0.6"
    report "death of all $n at once: CPU time of the server" "${ours[1]} ms" '' '' '<= 1000 ms' \
        "${ours[1]} <= 1000"
}

row_tasks() {
    local n later_us
    n=$(size 400 20) # a round
    alternate figures "$ONE" "$LOAD" tasks 20 "$n" -- figures "$ONE" "$BENCH/bare-timers" 20 "$n" ||
        return
    later_us=$(calc %.0f "${ours[0]} - ${bare[0]}")
    report "end of a task of 1 to 50 ms is seen, $((n * ROUNDS)) tasks, 1 processor" \
        "${ours[0]} us late" "bare timerfd: ${bare[0]} us late" "+$later_us us" '<= +60 us' \
        "$later_us <= 60"
    report 'of these tasks ended early' "${ours[2]}" '' '' 0 "${ours[2]} == 0"
}

row_fair() {
    local seconds
    seconds=$(size 3 0.3)
    alternate figures "$TWO" scripts/bench/fair.pl 1 "$seconds" -- \
        figures "$TWO" scripts/bench/fair.pl 0 "$seconds" || return
    report 'answers while another client floods, 99 in 100 within' "${ours[1]} ms" \
        "nobody floods: ${bare[1]} ms" "$(calc '+%.2f ms' "${ours[1]} - ${bare[1]}")" '<= 5 ms' "${ours[1]} <= 5"
}
row_calls() {
    alternate figures "$TWO" "$LOAD" calls "$(size 200000 5000)" || return
    report 'system calls a pipelined get_status, server' "${ours[0]}" '' '' '< 0.1' "${ours[0]} < 0.1"
    report 'system calls a pipelined get_status, driver' "${ours[1]}" '' '' '< 0.1' "${ours[1]} < 0.1"
}

row_allocs() {
    alternate figures "$TWO" "$LOAD" allocs "$(size 100000 5000)" "$PWD/$BENCH/count-allocs.so" ||
        return
    report 'malloc, free and kin in steady state' "${ours[0]}" '' '' 0 "${ours[0]} == 0"
}

# The bare loop keeps one processor busy, the server and its drivers two.
row_jobs() {
    local n
    n=$(size 2000 20)
    alternate figures "$TWO" "$LOAD" jobs 2 "$n" -- figures "$ONE" "$BENCH/bare-run" "$n" /bin/true ||
        return
    report "run true, $n times, 2 drivers, 2 processors" "$(rate "${ours[0]}")" \
        "vfork, exec, wait, 1 processor: $(rate "${bare[0]}")" \
        "$(calc %.2f "${ours[0]} / 2 / ${bare[0]}") each" '>= 0.7 each' \
        "${ours[0]} / 2 >= 0.7 * ${bare[0]}"
}

row_crew() {
    local n
    n=$(size 2000 20)
    alternate figures "$TWO" "$LOAD" jobs "$(size 100 5)" "$n" -- figures "$TWO" "$LOAD" jobs 2 "$n" ||
        return
    report "run true, $n times, $(size 100 5) drivers, 2 processors" "$(rate "${ours[0]}")" \
        "2 drivers: $(rate "${bare[0]}")" "$(calc %.2f "${ours[0]} / ${bare[0]}")" '' ''
}

# ---- rows without a target

# These show what else one could take, as far as it is installed. All of them
# run bare-worker, a static program that says that it is up and pauses; s6 and runit run it
# directly, without the shell script that one would usually write.

OTHERS=(xargs s6-svscan runsvdir supervisord)

# A directory with so many services, as s6 and runit want it.
services() {
    local i
    for ((i = 0; i < $1; i++)); do
        mkdir -p "$dir/services/$i"
        ln -s "$PWD/$BENCH/bare-worker" "$dir/services/$i/run"
    done
}

supervisor_conf() {
    cat >"$dir/supervisor.conf" <<EOF
[supervisord]
nodaemon=true
logfile=/dev/null
logfile_maxbytes=0
pidfile=$dir/supervisor.pid
minfds=$((4 * $1 + 100))
[unix_http_server]
file=$dir/supervisor.socket
[rpcinterface:supervisor]
supervisor.rpcinterface_factory=supervisor.rpcinterface:make_main_rpcinterface
[supervisorctl]
serverurl=unix://$dir/supervisor.socket
[program:worker]
command=$PWD/$BENCH/bare-worker
process_name=%(process_num)d
numprocs=$1
startsecs=0
autorestart=false
stdout_logfile=NONE
stderr_logfile=NONE
EOF
}

# with NAME CPUS MODE COUNT: runs workers in that mode under that supervisor; see workers.c.
with() {
    local name=$1 cpus=$2 mode=$3 count=$4 argv
    rm -rf "$dir/services"
    case $name in
    xargs)
        seq "$count" >"$dir/numbers"
        argv=(xargs -a "$dir/numbers" -P "$count" -n 1 "$BENCH/bare-worker")
        ;;
    s6-svscan)
        services "$count"
        argv=(s6-svscan -c "$((count + 10))" "$dir/services")
        ;;
    runsvdir)
        services "$count"
        argv=(runsvdir "$dir/services")
        ;;
    supervisord)
        supervisor_conf "$count"
        argv=(supervisord -c "$dir/supervisor.conf")
        ;;
    esac
    figures "$cpus" "$BENCH/workers" "$mode" "$count" "$dir/fifo" "${argv[@]}"
}

# What has each of them stop its workers; xargs knows nothing that would.
stop_signal() {
    case $1 in
    s6-svscan | supervisord) echo 15 ;;
    runsvdir) echo 1 ;;
    esac
}

installed() {
    command -v "$1" >/dev/null || { skip "$2" "$1 is not installed" && return 1; }
}

declare -A times=()
# Sets times to "SECONDS_UP SECONDS_STOP" of each, once for both rows that show them.
measure_times() {
    local n name signal mode
    [ ${#times[@]} = 0 ] || return 0
    n=$(size 1000 10)
    alternate figures "$TWO" "$LOAD" stop "$n" || return
    times[ours]="${ours[0]} ${ours[1]}"
    for name in "${OTHERS[@]}"; do
        command -v "$name" >/dev/null || continue
        signal=$(stop_signal "$name")
        mode="kill"
        [ -z "$signal" ] || mode=stop=$signal
        ROUNDS=$others_rounds alternate with "$name" "$TWO" "$mode" "$n" ||
            return
        times[$name]="${ours[0]} ${ours[1]}"
    done
}

show_times() {
    local what=$1 column=$2 name our its
    our=$(cut -d' ' -f"$column" <<<"${times[ours]}")
    for name in "${OTHERS[@]}"; do
        installed "$name" "$what: $name" || continue
        its=$(cut -d' ' -f"$column" <<<"${times[$name]}")
        if [ "$column" = 2 ] && [ -z "$(stop_signal "$name")" ]; then
            report "$what" "$our s" "$name: cannot" '' '' ''
        else
            report "$what" "$our s" "$name: $its s" "$(calc %.3f "$our / $its")" '' ''
        fi
    done
}

row_start() {
    measure_times || return
    show_times "start $(size 1000 10) workers, 2 processors" 1
}

row_stop() {
    measure_times || return
    show_times "stop $(size 1000 10) workers, 2 processors" 2
}

# asked NAME COUNT COMMAND...: how often per second the command that asks for one worker runs.
asked() {
    local name=$1 n=$2
    shift 2
    installed "$name" "$what: $1" || return 0
    ROUNDS=$others_rounds alternate with "$name" "$ONE" "ask=$n,$*" 1 || return
    report "$what" "$(rate "$our")" "$1: $(rate "${ours[1]}")" \
        "$(calc %.1f "$our / ${ours[1]}")" '' ''
}

# beanstalkd on a UNIX socket; ends it by the trap of the subshell that this is.
beanstalk_asked() (
    rm -f "$dir/beanstalk"
    taskset -c "$ONE" beanstalkd -l "unix:$dir/beanstalk" >>"$dir/log" 2>&1 &
    server=$!
    trap 'kill "$server"; wait "$server"' EXIT
    for ((i = 0; i < 100; i++)); do
        [ ! -S "$dir/beanstalk" ] || break
        read -r -t 0.05 <> <(:)
    done
    figures "$ONE" "$BENCH/beanstalk-ask" "$dir/beanstalk" "$1"
)

row_query() {
    local what='a status, one at a time, 1 processor' our n
    n=$(size 20000 200)
    alternate figures "$ONE" "$LOAD" trip 1 1 "$n" || return
    our=${ours[0]}
    asked s6-svscan "$(size 300 3)" s6-svstat "$dir/services/0" || return
    asked runsvdir "$(size 300 3)" sv status "$dir/services/0" || return
    asked supervisord "$(size 5 1)" supervisorctl -c "$dir/supervisor.conf" status worker:0 || return
    installed beanstalkd "$what: stats-tube" || return 0
    alternate beanstalk_asked "$n" || return
    report "$what" "$(rate "$our")" "beanstalkd, stats-tube: $(rate "${ours[0]}")" \
        "$(calc %.2f "$our / ${ours[0]}")" '' ''
}

row_orphans() {
    local n name our what
    n=$(size 1000 10)
    what="kill -9: left of $n workers 2 s later"
    ROUNDS=1 alternate figures "$TWO" "$LOAD" orphans "$n" || return
    our=${ours[1]}
    for name in "${OTHERS[@]}"; do
        installed "$name" "$what: $name" || continue
        ROUNDS=1 alternate with "$name" "$TWO" kill "$n" || return
        report "$what" "$our" "$name: ${ours[1]}" '' '' ''
    done
}

row_batch() {
    local n tool what
    n=$(size 2000 10)
    what="run true, $n times, 2 at a time, 2 processors"
    for tool in xargs parallel tsp; do
        installed "$tool" "$what: $tool" || continue
        ROUNDS=$others_rounds alternate figures "$TWO" "$LOAD" jobs 2 "$n" -- \
            figures "$TWO" scripts/bench/batch.sh "$tool" "$n" || return
        report "$what" "$(rate "${ours[0]}")" "$tool: $(rate "${bare[0]}")" \
            "$(calc %.1f "${ours[0]} / ${bare[0]}")" '> 1' "${ours[0]} > ${bare[0]}"
    done
}

# ---- which rows, and where

smoke=
rows=()
for argument; do
    case $argument in
    --smoke) smoke=1 ROUNDS=1 ;;
    --rows) printf '%s\n' "${ROWS[@]}" && exit ;;
    *)
        [[ " ${ROWS[*]} " == *" $argument "* ]] || { echo "run.sh: no row '$argument'" >&2; exit 2; }
        rows+=("$argument")
        ;;
    esac
done
[ ${#rows[@]} -gt 0 ] || rows=("${ROWS[@]}")

make -s bench-programs || exit
dir=$(mktemp -d)
trap finish EXIT
trap 'exit 130' INT TERM HUP

# The processors that we may use, one by one.
processors=()
for range in $(taskset -cp $$ | sed 's/.*: //; s/,/ /g'); do
    for ((i = ${range%-*}; i <= ${range#*-}; i++)); do
        processors+=("$i")
    done
done
ONE=${processors[0]}
TWO=$ONE${processors[1]:+,${processors[1]}}

others_rounds=$((ROUNDS < 3 ? ROUNDS : 3)) # their times are long, and far from ours

echo "Linux $(uname -r), $(uname -m); ${#processors[@]} processors; medians of $ROUNDS (others: $others_rounds)"
[ -n "${processors[1]:-}" ] || echo 'There is one processor only: the rows that want two have one.'
echo
line what measured against ratio target verdict
line --- --- --- --- --- ---
status=0
for row in "${rows[@]}"; do
    skipped=
    run_row "$row"
done
exit $status
