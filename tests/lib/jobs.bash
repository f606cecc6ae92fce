# Jobs: what they do, and what they leave behind.
# shellcheck shell=bash

# wait_for FILE [LINE]: waits until the file has that line, or any line.
wait_for() {
    wait_until has "$@"
}

has() {
    grep -qx -e "${2-.*}" "$1" 2>/dev/null
}

# busy_with PID: the driver runs a job that lasts until the test opens the gate.
busy_with() {
    [[ -p gate ]] || mkfifo gate
    say "run $1 100 read x <gate"
    wait_until has_children_of "$1" 1
}

open_gate() {
    echo >gate
}

# family_of PID SECONDS: the driver runs tests/lib/family.sh, a job that resists. Waits until all of
# its processes are up.
family_of() {
    say "run $1 $2 $LIB/family.sh"
    wait_until family_is_up
}

family_is_up() {
    [[ -e pids && $(wc -l <pids) == 5 ]]
}

# All of the family have ended, though some may not be reaped yet: the process that killed them need
# not be the one that has to reap them.
family_has_ended() {
    local member
    [[ -s pids ]] || return
    while read -r member; do
        ended "$member" || return
    done <pids
}

# All of the family have ended and were reaped.
family_is_gone() {
    local member
    [[ -s pids ]] || return
    while read -r member; do
        gone "$member" || fail "$member of $(tr '\n' ' ' <pids) is left: $process_state" || return
    done <pids
}

# The job was asked to end: the stopped member of the family was continued.
in_grace() {
    local member
    while read -r member; do
        ! in_state "$member" T || return
    done <pids
}

# reach_limit PID CODE: the driver runs that code until its time limit, and the reply says so. The
# code creates the file up when it is ready; if it was not ready by the limit, it is run again with
# more time.
reach_limit() {
    local limit
    for limit in 0.3 2 10 40; do
        rm -f up
        say "run $1 $limit $2"
        expect 'Job +([0-9]) Done timeout'
        [[ ! -e up ]] || return 0
    done
    fail "in $limit s it was not ready: $2"
}

# The process that tests/lib/leave.pl left behind ends.
left_ends() {
    local left
    left=$(cat left)
    wait_until ended "$left" || {
        kill -KILL "$left"
        fail "it has left $left"
    }
}

# hold_job: traces the first process of the driver's job, so that it cannot be reaped, once dead, until
# the test closes $release and waits for $holder. Skips the test if that is not possible.
hold_job() {
    local job
    wait_until has_children_of "$pid" 1
    job=$(children_of "$pid")
    [[ -p until ]] || mkfifo until
    "$HELPERS/hold" "${job% }" <until >held 2>&1 3>&- &
    holder=$!
    started+=("$holder")
    exec {release}<>until
    wait_until test -s held
    [[ $(<held) == held ]] || skip "$(<held)"
}
