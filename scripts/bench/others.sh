# Rows without a target, which compare the server with other programs, if they are installed. All
# supervisors run bare-worker, a static program that reports that it is up, then pauses. s6 and
# runit run it directly, without the usual shell script.
# shellcheck shell=bash

OTHERS=(xargs s6-svscan runsvdir supervisord)

# services COUNT: makes a directory with COUNT services, in the layout of s6 and runit.
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

# with NAME CPUS MODE COUNT: has the supervisor NAME run COUNT workers; workers.c describes MODE.
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

# stop_signal NAME: prints the signal that makes the supervisor stop its workers; xargs has none.
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
# Sets the times of each program to "SECONDS_UP SECONDS_STOP". Two rows use them; they are measured
# once.
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

# asked NAME COUNT COMMAND...: measures how often per second the supervisor's command, which asks
# for the status of one worker, can be run.
asked() {
    local name=$1 n=$2
    shift 2
    installed "$name" "$what: $1" || return 0
    ROUNDS=$others_rounds alternate with "$name" "$ONE" "ask=$n,$*" 1 || return
    report "$what" "$(rate "$our")" "$1: $(rate "${ours[1]}")" \
        "$(calc %.1f "$our / ${ours[1]}")" '' ''
}

# Asks beanstalkd over a UNIX socket. The function is a subshell, whose trap ends beanstalkd.
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

row_submit() {
    local n what
    n=$(size 500 3)
    what="submit, a client process each, $n times, 2 processors"
    installed tsp "$what: tsp" || return 0
    ROUNDS=$others_rounds alternate figures "$TWO" scripts/bench/submit.sh server "$n" -- \
        figures "$TWO" scripts/bench/submit.sh tsp "$n" || return
    report "$what" "$(rate "${ours[0]}")" "tsp: $(rate "${bare[0]}")" \
        "$(calc %.1f "${ours[0]} / ${bare[0]}")" '> 1' "${ours[0]} > ${bare[0]}"
}
