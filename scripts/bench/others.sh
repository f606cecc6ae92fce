# Rows that compare the server with other programs, if they are installed. All supervisors run bare-worker,
# a static program that reports that it is up, then pauses. s6 and runit run it directly, without the
# usual shell script.
# shellcheck shell=bash disable=SC2154 # dir is set by run.sh

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

# with NAME CPUS MODE COUNT: has the supervisor NAME, or server for ours, run COUNT workers; workers.c
# describes MODE.
with() {
    local name=$1 cpus=$2 mode=$3 count=$4 argv
    rm -rf "$dir/services"
    seq "$count" >"$dir/numbers"
    case $name in
    server) # shellcheck disable=SC2016
        argv=(sh -c 'exec ./server --drivers "$1" --listen "$2/socket" --each 1000 "$3" <"$2/numbers"' sh
            "$count" "$dir" "$BENCH/bare-worker")
        ;;
    xargs)
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

row_workers() {
    local n name signal what
    n=$(size 100 10)
    for name in "${OTHERS[@]}"; do
        what="start $n workers, 2 processors"
        signal=$(stop_signal "$name")
        beside "$name" "$what: $name" figures "$TWO" "$LOAD" stop "$n" -- \
            with "$name" "$TWO" "${signal:+stop=}${signal:-kill}" "$n" || continue
        report "$what" 1 s "$name" ratio '<=' 1
        [ -z "$signal" ] || report "stop $n workers, 2 processors" 2 s "$name" ratio '<=' 1
    done
}

# asked NAME COMMAND...: measures how often per second the supervisor's command, which asks for the status of
# one worker, can be run, and our client.
asked() {
    local name=$1 n what='a status, by a process each, 1 processor'
    n=$(size 300 3)
    shift
    beside "$name" "$what: $1" with server "$ONE" "ask=$n,./server --connect $dir/socket get_drivers" 1 -- \
        with "$name" "$ONE" "ask=$n,$*" 1 || return
    report "$what" 2 /s "$1"
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
    local n what='a status, one at a time, 1 processor'
    n=$(size 20000 200)
    asked s6-svscan s6-svstat "$dir/services/0"
    asked runsvdir sv status "$dir/services/0"
    beside beanstalkd "$what: beanstalkd" figures "$ONE" "$LOAD" trip 1 1 "$n" -- beanstalk_asked "$n" || return 0
    report "$what" 1 /s 'beanstalkd, stats-tube'
}

row_orphans() {
    local n name what
    n=$(size 100 10)
    for name in "${OTHERS[@]}"; do
        what="kill -9: left of $n workers 2 s later"
        ROUNDS=1 beside "$name" "$what: $name" figures "$TWO" "$LOAD" orphans "$n" -- \
            with "$name" "$TWO" kill "$n" || continue
        report "$what" 2 '' "$name" ours '<=' 0
    done
}

row_batch() {
    local n tool what
    for tool in xargs parallel tsp; do
        n=$(size 1000 10)
        [ "$tool" != parallel ] || n=$(size 300 10) # it takes a second for them
        what="run true, $n times, 2 at a time, 2 processors"
        beside "$tool" "$what: $tool" figures "$TWO" scripts/bench/batch.sh server "$n" -- \
            figures "$TWO" scripts/bench/batch.sh "$tool" "$n" || continue
        report "$what" 1 /s "$tool" ratio '>=' 1
    done
}

row_submit() {
    local n what
    n=$(size 300 3)
    what="submit, a client process each, $n times, 2 processors"
    beside tsp "$what: tsp" figures "$TWO" scripts/bench/submit.sh server "$n" -- \
        figures "$TWO" scripts/bench/submit.sh tsp "$n" || return 0
    report "$what" 1 /s tsp ratio '>=' 1
}
