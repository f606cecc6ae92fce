#!/usr/bin/env bats
# Costs that can be counted, on the normal build. make bench measures times; no test asserts any.

load lib/helpers

@test "costs: a pipelined command takes less than a tenth of a system call in each program" {
    command -v strace >/dev/null || skip 'no strace to count with'
    cd "$ROOT"
    run -0 build/bench/load calls 50000
    read -r by_server by_driver <<<"$output"
    awk -v server="$by_server" -v driver="$by_driver" 'BEGIN {
        exit !(server > 0 && server < 0.1 && driver > 0 && driver < 0.1) }' || fail "$output"
}

@test "costs: nothing is allocated or freed once drivers and clients exist" {
    cd "$ROOT"
    run -0 build/bench/load allocs 20000 build/bench/count-allocs.so
    [ "$output" = 0 ]
}

@test "costs: a thousand idle drivers cause no wakeup, and none is left after TERM" {
    cd "$ROOT"
    run -0 build/bench/load idle 1000
    read -r wakeups left <<<"$output"
    [ "$wakeups $left" = '0 0' ]
}

@test "costs: jobs that wait cost the same with and without drivers, and a hundred thousand 64 MiB at most" {
    cd "$ROOT"
    run -0 build/bench/load queue 0 50000
    read -r _ _ _ driverless_ms <<<"$output"
    run -0 build/bench/load queue 2 100000
    read -r _ _ mebibytes ms <<<"$output"
    awk -v driverless_ms="$driverless_ms" -v mebibytes="$mebibytes" -v ms="$ms" 'BEGIN {
        exit !(mebibytes > 0 && mebibytes <= 64 && ms > 0 && driverless_ms < 5 * ms) }' || fail "$output"
}

@test "costs: a client that floods delays others by at most a turn of the loop" {
    command -v strace >/dev/null || skip 'no strace to count with'
    start strace -D -qq -o trace -s 64 -e trace=epoll_wait,recvfrom,sendto "$SERVER" --listen taxi.sock
    wait_until control create_driver 2
    run -0 control get_drivers
    flooded=${lines[0]//[^0-9]/} asked=${lines[1]//[^0-9]/}
    : >trace
    control "get_status $asked" >/dev/null
    driver=$(sed -n 's/^sendto(\([0-9]*\), "\\3.*/\1/p' trace)
    start_crowd
    crowd attach 1
    for flood in "get_status $flooded" "get_status $asked" fly get_drivers; do
        "$LIB/flood-client.pl" taxi.sock "$flood" 3>&- &
        flooding=$!
        started+=("$flooding")
        control "get_status $asked" >/dev/null # the flood has begun
        : >trace
        for i in {1..100}; do
            crowd say 1 1 1 "get_status $asked"
            crowd hear 1 1 1 "* Available"
        done
        "$LIB/turns.pl" "$asked" "$driver" <trace
        kill -TERM "$flooding"
        wait "$flooding" || true
    done
}

@test "costs: many orphans that die at once are reaped a millisecond at a time" {
    command -v strace >/dev/null || skip 'no strace to count with'
    mkfifo live
    start strace -D -qq -o trace -e trace=epoll_wait,wait4 \
        bash -c "'$LIB/orphans.pl' 1500 live & exec '$SERVER' ${PATIENT[*]}"
    create
    exec {live}>live
    wait_until has_children 1502
    exec {live}>&-
    wait_until has_children 1
    # Even without strace, a process takes longer than a microsecond to reap.
    most=$(awk '/epoll_wait/ { reaped = 0 } / wait4|^wait4/ && $NF > 0 { if (++reaped > most) most = reaped }
        END { print most }' trace)
    ((most > 0 && most < 1000)) || fail "$most in one turn"
    wait_until rests "$server_pid"
}

@test "costs: a job's process that has become another user's, and may not be killed, is not tried again and again" {
    command -v strace >/dev/null || skip 'no strace to count with'
    [ "$(id -u)" = 0 ] && command -v setpriv >/dev/null || skip 'only root can start a process of another user'
    start strace -D -qq -o trace -e trace=kill,pidfd_send_signal \
        setpriv --bounding-set -kill --inh-caps -kill "$SERVER" "${PATIENT[@]}" --grace 0.1 -v
    create
    say "run any 0.1 echo \$\$ >pid; exec setpriv --reuid=54321 --clear-groups sleep 1000"
    expect 'Job 1 Done timeout*'
    foreign=$(<pid)
    started+=("$foreign")
    create
    grep -q SIGSTOP trace # so strace shows such tries
    : >trace
    for i in {2..21}; do
        say 'run any 50 true'
        expect "Job $i Done exit 0"
    done
    tries=$(grep -ac SIGSTOP trace) || true # none is the best
    kill -KILL "$foreign"
    ((tries < 100))
}
