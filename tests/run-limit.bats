#!/usr/bin/env bats
# How a job ends at its time limit, and that nothing of it is left.

load lib/helpers

@test "limit: the job and its process group get TERM" {
    start_server -g 1000
    create
    say "run $pid 0.1 sleep 1000"
    expect "Job 1 Done timeout"
    # The first process survives TERM, and goes on only because the signal to the group ended its
    # child.
    reach_limit "$pid" "trap 'echo asked >asked' TERM; echo >up; sleep 1000; exit 3"
    has asked asked
}

@test "limit: a stopped job ends at once, without the grace period" {
    start_server -g 1000
    create
    say "run $pid 0.1 kill -STOP \$\$"
    expect "Job 1 Done timeout"
}

@test "limit: a job that ignores TERM is killed after the grace period, not before" {
    start_server -j -g 0.4
    say create_driver
    expect '*"available"}'
    job=0
    for limit in 0.5 2 10 40; do # another try with more time if the job was not ready
        rm -f up
        say "run any $limit trap '' TERM; echo >up; while :; do sleep 0.01; done"
        expect "{\"job\":$((++job)),\"driver\":+([0-9]),\"timeout\":true,\"ms\":*"
        [[ ! -e up ]] || break
    done
    [[ $line =~ \"ms\":([0-9]+) ]]
    limit_ms=${limit}000
    [[ $limit != 0.5 ]] || limit_ms=500
    ((BASH_REMATCH[1] >= limit_ms + 400))
}

@test "limit: after TERM a job has the grace period to tidy up" {
    start_server -g 1000
    create
    reach_limit "$pid" "trap 'sleep 0.3; echo tidy >tidy; exit' TERM; echo >up; sleep 1000 & wait"
    has tidy tidy
}

@test "limit: nothing of a job that resists survives" {
    start_server -g 0.1
    create
    for limit in 1 4 16 64; do # another try with more time if not all of it was up
        rm -f pids
        say "run $pid $limit $LIB/family.sh"
        expect "Job $((++job)) Done timeout"
        ! family_is_up || break
    done
    family_is_up
    family_is_gone
    say "get_status $pid"
    expect "Driver $pid Available"
    log_is 'server: job +([0-9]) Done timeout after *.??? s: */family.sh'
}

@test "limit: processes in sessions of their own get TERM as well, even if their parent has ended" {
    start_server -g 1000
    create
    say "run $pid 0.5 setsid sleep 1000 & (setsid sleep 1000 &) ; wait"
    expect "Job 1 Done timeout"
}

@test "leftovers: what a job leaves and what is deaf to TERM is killed before the reply" {
    start_server -g 0.1
    create
    say "run $pid 1000 $LIB/family.sh exit"
    expect "Job 1 Done exit 5"
    family_is_gone
    has err 'server: job 1 left 4 processes'
    [ -z "$(children_of "$pid")" ]
}

@test "leftovers: a hundred processes, each with another, are all killed" {
    start_server -g 0.1
    create
    say "run $pid 1000 $LIB/leave-many.sh"
    expect "Job 1 Done exit 0"
    family_is_gone
}

@test "leftovers: a job's orphans become children of its driver, the subreaper" {
    start_server
    create
    say "run $pid 50 (setsid sh -c 'until read -r _ _ _ parent _ </proc/\$\$/stat; [ \$parent = $pid ]; do :; done; echo \$\$ >adopted' &) ; until [ -s adopted ]; do :; done"
    expect "Job 1 Done exit 0"
}

@test "leftovers: a driver finds them even without a spare descriptor" {
    start_after 'ulimit -Sn 7'
    create
    say "run $pid 100 $LIB/leave.pl session"
    expect "Job 1 Done exit 0"
    left_ends
}

@test "limit: does not count if the job had ended before, while its driver was stopped" {
    start_server
    create
    mkfifo go
    say "run $pid 4 read x <go; exit 3"
    wait_until runs_command
    stop_process "$pid"
    end=$(($(uptime_ms) + 4200))
    say "get_status $pid" # the driver handles this before the job's end and the limit
    echo >go
    wait_until in_state "$command" Z
    wait_until past "$end"
    kill -CONT "$pid"
    expect "Job 1 Done exit 3" "Driver $pid Available"
}

@test "cancel_task: changes nothing if the job has ended while its driver was stopped" {
    start_server
    create
    mkfifo go
    say "run $pid 100 read x <go; exit 3"
    wait_until runs_command
    stop_process "$pid"
    say "cancel_task $pid"
    wait_until took 3
    wait_until in_state "$server_pid" S # the driver has been sent the CANCEL
    echo >go
    wait_until in_state "$command" Z
    kill -CONT "$pid"
    expect "Job 1 Done exit 3" "Driver $pid Available"
}

# Sets command to the pid of the driver's job, if there is one.
runs_command() {
    command=$(children_of "$pid")
    command=${command% }
    [[ -n $command ]]
}
