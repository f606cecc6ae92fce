# Rows with a target: each runs its programs in turns, and reports the result.
# shellcheck shell=bash disable=SC2154 # dir is set by run.sh

BARE_SERVER="$BENCH/bare-server"

row_trip() {
    local n
    n=$(size 20000 500)
    alternate figures "$ONE" "$LOAD" trip 1 1 "$n" -- figures "$ONE" "$BENCH/bare-trip" "$n" || return
    report 'get_status, one at a time, 1 processor' 1 /s 'same trip, bare' ratio '>=' 0.80
}

row_pipeline() {
    alternate figures "$ONE" "$LOAD" pipeline 1 "$(size 2000000 20000)" -- \
        figures "$ONE" "$BENCH/bare-oneway" "$(size 400000 5000)" || return
    report 'get_status, pipelined, 1 driver, 1 processor' 1 /s '16 bytes one way' ratio '>=' 8
}

row_spread() {
    local n
    n=$(size 2000000 20000)
    alternate figures "$TWO" "$LOAD" pipeline 100 "$n" -- \
        figures "$TWO" "$LOAD" -s "$BARE_SERVER" pipeline 100 "$n" || return
    report 'get_status, pipelined, 100 drivers, 2 processors' 1 /s 'bare server' ratio '>=' 0.85
}

row_create() {
    local n
    n=$(size 1000 20)
    alternate figures "$TWO" "$LOAD" create "$n" -- \
        figures "$TWO" "$BENCH/bare-spawn" "$n" "$BENCH/bare-pause" || return
    report "create_driver $n, 2 processors" 1 /s 'vfork, exec, static' ratio '>=' 0.60
}

# The reciprocal of a rate is what a start takes: 1.15 times as long is 0.87 of the rate.
row_start() {
    local n
    n=$(size 500 10)
    alternate figures "$ONE" "$BENCH/bare-start" "$n" ./driver -- \
        figures "$ONE" "$BENCH/bare-start" "$n" "$BENCH/bare-answer" || return
    report "vfork to a driver's first frame, $n times, 1 processor" 1 /s 'static, writes a frame' ratio '>=' 0.87
}

row_memory() {
    local n
    n=$(size 500 20)
    alternate hold "$LOAD" hold "$n" -- hold "$BENCH/bare-spawn" "$n" "$BENCH/bare-pause" hold || return
    report "memory of an idle driver, PSS, mean of $n" 2 KiB 'static, pauses, same libc' ratio '<=' 1.10
}

row_own() {
    local n
    n=$(size 1000 20)
    alternate figures "$TWO" "$LOAD" hold "$n" -- figures "$TWO" "$LOAD" -s "$BARE_SERVER" hold "$n" </dev/null ||
        return
    report "the server's own memory a driver, $n idle drivers" 1 KiB 'bare server' ours '<=' 0.6
}

# too_many COUNT: prints why this system does not allow COUNT drivers, or nothing if it does.
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
    alternate figures "$TWO" "$LOAD" many "$n" -- figures "$TWO" "$LOAD" -s "$BARE_SERVER" many "$n" || return
    report "$n drivers: up, 2 processors" 1 s 'bare server' ours '<=' 6
    report "$n drivers: get_drivers" 2 s 'bare server' ours '<=' 0.25
    report "$n drivers: TERM to exit" 3 s 'bare server' ours '<=' 1.5
    report "$n drivers: left after that" 4 '' 'bare server' ours '<=' 0
}

# Five are asked of many. If all were asked in turn, none would find its data in a cache, which no server
# can change.
row_crowd() {
    local n crowd five=5
    n=$(size 20000 200)
    crowd=$(size 1000 50)
    alternate figures "$ONE" "$LOAD" trip "$crowd" "$five" "$n" -- \
        figures "$ONE" "$LOAD" -s "$BARE_SERVER" trip "$crowd" "$five" "$n" || return
    report "get_status of 5 of $crowd drivers, 1 processor" 1 /s 'bare server' ratio '>=' 0.80
}

row_deaths() {
    local n why killed
    n=$(size 3000 100)
    killed=$(size 20 3)
    why=$(too_many "$n")
    [ -z "$why" ] || { skip "a death among $n" "$why" && return; }
    alternate figures "$TWO" "$LOAD" deaths "$n" "$killed" -- \
        figures "$TWO" "$BENCH/bare-reap" "$n" "$killed" "$BENCH/bare-pause" || return
    report "a death among $n drivers: CPU time of the server" 1 ms 'waitpid of any' ours '<=' 0.6
    report "death of all $n at once: CPU time of the server" 2 ms 'waitpid of any' ours '<=' 300
}

row_tasks() {
    local n
    n=$(size 400 20)
    alternate figures "$ONE" "$LOAD" tasks 20 "$n" -- figures "$ONE" "$BENCH/bare-timers" 20 "$n" || return
    report "end of a task of 1 to 50 ms is seen late by, 1 processor" 1 us 'bare timerfd' \
        later '<=' 60
    report 'of these tasks ended early' 3:2 '' 'bare timerfd' ours '<=' 0
}

# The bare programs only have to share the processors.
bare_fair() {
    local flood n status
    n=$(size 8000 500)
    taskset -c "$TWO" timeout "$PATIENCE" "$BENCH/bare-oneway" 1000000000 2>>"$dir/log" &
    flood=$!
    figures "$TWO" "$BENCH/bare-trip" "$n"
    status=$?
    kill "$flood"
    wait "$flood" 2>>"$dir/log" # it was killed
    return $status
}

row_fair() {
    local seconds
    seconds=$(size 0.5 0.3)
    alternate figures "$TWO" scripts/bench/fair.pl 1 "$seconds" -- bare_fair || return
    report 'answers while another client floods, 99 in 100 within' 2 ms 'bare trip beside a bare flood' later '<=' 5
}

row_calls() {
    local n
    n=$(size 100000 5000)
    alternate figures "$TWO" "$LOAD" calls "$n" -- figures "$TWO" "$LOAD" -s "$BARE_SERVER" calls "$n" || return
    report 'system calls a pipelined get_status, server' 1 '' 'bare server' ours '<=' 0.1
    report 'system calls a pipelined get_status, driver' 2 '' 'bare server' ours '<=' 0.1
}

# As many bare loops as drivers, on the same processors.
row_jobs() {
    local n
    n=$(size 2000 20)
    alternate figures "$TWO" "$LOAD" jobs 2 "$n" -- \
        figures "$TWO" "$BENCH/bare-run" 2 "$((n / 2))" /bin/true || return
    report "run true, $n times, 2 drivers, 2 processors" 1 /s 'vfork, exec, wait, 2 loops' ratio '>=' 0.80
    report 'CPU time for each of these, without that of true itself' 2 us 'the loops'
}

row_crew() {
    local n crew
    n=$(size 2000 20)
    crew=$(size 100 5)
    alternate figures "$TWO" "$LOAD" jobs "$crew" "$n" -- \
        figures "$TWO" "$BENCH/bare-run" "$crew" "$((n / crew))" /bin/true || return
    report "run true, $n times, $crew drivers, 2 processors" 1 /s "vfork, exec, wait, $crew loops" ratio '>=' 0.80
}

row_each() {
    local n
    n=$(size 2000 20)
    alternate figures "$TWO" scripts/bench/batch.sh server "$n" -- \
        figures "$TWO" "$BENCH/bare-run" 2 "$((n / 2))" /bin/true || return
    report "each true, $n names, 2 drivers, a log, 2 processors" 1 /s 'vfork, exec, wait, 2 loops' ratio '>=' 0.80
}

row_queue() {
    local n
    n=$(size 100000 500)
    alternate figures "$TWO" "$LOAD" queue 2 "$n" -- \
        figures "$TWO" "$LOAD" -s "$BENCH/bare-queue" queue 0 "$n" || return
    report "submit, pipelined by one client, $n jobs, 2 processors" 1 /s 'bare queue' ours '>=' 200000
    report "get_jobs of $n jobs that wait" 2 s 'bare queue' ours '<=' 0.5
    report "the server's memory for $n jobs that wait, at its peak" 3 MiB 'bare queue' ours '<=' 64
}
