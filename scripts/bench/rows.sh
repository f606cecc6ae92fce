# Rows with a target: each runs its programs in turns, and reports the result.
# shellcheck shell=bash

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
    alternate figures "$TWO" "$LOAD" many "$n" || return
    report "$n drivers: up, 2 processors" "${ours[0]} s" '' '' '<= 6 s' "${ours[0]} <= 6"
    report "$n drivers: get_drivers" "${ours[1]} s" '' '' '<= 0.4 s' "${ours[1]} <= 0.4"
    report "$n drivers: TERM to exit" "${ours[2]} s" '' '' '<= 1.5 s' "${ours[2]} <= 1.5"
    report "$n drivers: left after that" "${ours[4]}" '' '' 0 "${ours[4]} == 0"
    report "$n drivers: wakeups of all in an idle second" "${ours[3]}" '' '' 0 "${ours[3]} == 0"
}

# Five drivers are asked in both cases, so the difference is the cost of the others. If all were
# asked in turn, none would find its data in a cache, which the server cannot change.
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

# As many bare loops as drivers, on the same processors.
row_jobs() {
    local n
    n=$(size 3000 20)
    alternate figures "$TWO" "$LOAD" jobs 2 "$n" -- \
        figures "$TWO" "$BENCH/bare-run" 2 "$((n / 2))" /bin/true || return
    report "run true, $n times, 2 drivers, 2 processors" "$(rate "${ours[0]}")" \
        "vfork, exec, wait, 2 loops: $(rate "${bare[0]}")" \
        "$(calc %.2f "${ours[0]} / ${bare[0]}")" '>= 0.80' "${ours[0]} >= 0.80 * ${bare[0]}"
}

row_each() {
    local n
    n=$(size 10000 20)
    alternate figures "$TWO" scripts/bench/batch.sh server "$n" -- \
        figures "$TWO" "$BENCH/bare-run" 2 "$((n / 2))" /bin/true || return
    report "each true, $n names, 2 drivers, a log, 2 processors" "$(rate "${ours[0]}")" \
        "vfork, exec, wait, 2 loops: $(rate "${bare[0]}")" \
        "$(calc %.2f "${ours[0]} / ${bare[0]}")" '>= 0.80' "${ours[0]} >= 0.80 * ${bare[0]}"
}

# The bare program has one read and one write for each message; submit has 20 bytes, and its reply.
row_queue() {
    local n
    n=$(size 100000 500)
    alternate figures "$TWO" "$LOAD" queue 2 "$n" -- \
        figures "$TWO" "$BENCH/bare-oneway" "$(size 1000000 5000)" || return
    report "submit, pipelined by one client, $n jobs, 2 processors" "$(rate "${ours[0]}")" \
        "16 bytes one way: $(rate "${bare[0]}")" "$(calc %.1f "${ours[0]} / ${bare[0]}")" \
        '>= 200,000/s' "${ours[0]} >= 200000"
    report "get_jobs of $n jobs that wait" "${ours[1]} s" '' '' '< 0.5 s' "${ours[1]} < 0.5"
    report "the server's memory for $n jobs that wait, at its peak" "${ours[2]} MiB" '' '' \
        '<= 64 MiB' "${ours[2]} <= 64"
}

row_crew() {
    local n
    n=$(size 2000 20)
    alternate figures "$TWO" "$LOAD" jobs "$(size 100 5)" "$n" -- figures "$TWO" "$LOAD" jobs 2 "$n" ||
        return
    report "run true, $n times, $(size 100 5) drivers, 2 processors" "$(rate "${ours[0]}")" \
        "2 drivers: $(rate "${bare[0]}")" "$(calc %.2f "${ours[0]} / ${bare[0]}")" '' ''
}
