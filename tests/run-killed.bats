#!/usr/bin/env bats
# Jobs whose driver or server is killed.

load lib/helpers

@test "kill -9 of the driver: its job is lost, and nothing of the job survives" {
    start_server -g 1000
    create
    family_of "$pid" 1000
    kill -KILL "$pid"
    expect "Job 1 Done lost driver $pid died (killed by signal 9)"
    family_has_ended
    stats_have lost=1 failures=0
    wait_until has_children 0
}

@test "kill -9 of the driver: while the server is stopped, the job's first process ends at once" {
    start_server -g 1000
    create
    say "run $pid 1000 echo \$\$ >pids; trap '' TERM HUP INT; while :; do sleep 0.01; done"
    wait_for pids
    stop_process "$server_pid"
    kill -KILL "$pid"
    wait_until family_has_ended
    kill -CONT "$server_pid"
    expect "Job 1 Done lost driver $pid died (killed by signal 9)"
}

@test "kill -9 of the driver: during its job's grace period, nothing of the job survives" {
    start_server -g 1000
    create
    family_of "$pid" 1000
    say "cancel_task $pid"
    wait_until in_grace
    kill -KILL "$pid"
    expect "Job 1 Done lost driver $pid died (killed by signal 9)" "Error: driver $pid died (killed by signal 9)"
    wait_until family_has_ended
    wait_until has_children 0
}

@test "kill -9 of the driver: the jobs of other drivers go on" {
    start_server
    create_many 2
    busy_with "${pids[0]}"
    family_of "${pids[1]}" 1000
    kill -KILL "${pids[1]}"
    wait_until family_has_ended
    open_gate
    expect "Job 1 Done exit 0" "Job 2 Done lost driver ${pids[1]} died (killed by signal 9)"
}

@test "kill -9 of the server: neither the job nor the driver survives" {
    start_server -g 1000
    create
    family_of "$pid" 1000
    kill -KILL "$server_pid"
    wait_until family_has_ended
    wait_until ended "$pid"
}

@test "kill -9 of the server: the driver exits within a second" {
    for i in {1..10}; do # now and then a loaded machine takes longer
        rm -f pids
        start_server -g 1000
        create
        family_of "$pid" 1000
        killed=$(uptime_ms)
        kill -KILL "$server_pid"
        wait_until ended "$pid"
        took_ms=$(($(uptime_ms) - killed))
        wait_until family_has_ended
        wait "$server_pid" || true
        hang_up
        ((took_ms >= 1000)) || break
    done
    ((took_ms < 1000))
}

@test "kill -9 of the server: while its driver is stopped, neither job nor driver survives" {
    start_server -g 1000
    create
    family_of "$pid" 1000
    stop_process "$pid"
    kill -KILL "$server_pid"
    wait_until family_has_ended
    wait_until ended "$pid"
}

@test "kill -9 of the server: during a job's grace period, neither job nor driver survives" {
    start_server -g 1000
    create
    family_of "$pid" 1000
    say "delete_driver $pid"
    wait_until in_grace
    kill -KILL "$server_pid"
    wait_until family_has_ended
    wait_until ended "$pid"
}
