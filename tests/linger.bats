#!/usr/bin/env bats
# What a job's first process leaves has a moment to end by itself (--linger), and then gets TERM.

load lib/helpers

# In these jobs, a process waits until the one that it was started by has ended, and does not end
# before that.
orphaned='until read -r _ _ _ parent _ </proc/$BASHPID/stat; [[ $parent != "$first" ]]; do sleep 0.01; done'

@test "linger: what ends by itself is never sent TERM, and is waited for" {
    start_server --linger 1000 -g 1000
    create
    for i in {1..10}; do
        say "run $pid 1000 bash -c 'exec > >(trap \"echo asked >>log\" TERM; first=\$\$; $orphaned; tee -a log); echo line $i'"
        expect "Job +([0-9]) Done exit 0"
    done
    [ "$(cat log)" = "$(printf 'line %s\n' {1..10})" ]
}

@test "linger: by default, what is left has 0.2 s" {
    start_server -j -g 1000
    say create_driver 'run any 1000 setsid sleep 1000 & exit 3'
    expect '*available*' '{*"exit":3,"ms":*'
    [[ $line =~ \"ms\":([0-9]+) ]]
    ((BASH_REMATCH[1] >= 200))
}

@test "linger: a job that leaves nothing does not wait for anything" {
    start_server --linger 1000 -g 1000
    create
    say "run $pid 1000 sleep 0.1 & (sleep 0.01 &); true & wait; exit 2"
    expect "Job +([0-9]) Done exit 2"
}

@test "linger: the reply comes as soon as nothing is left" {
    start_server --linger 1000 -g 1000
    create
    mkfifo gate
    say "run $pid 1000 setsid sh -c 'echo >up; read x <gate; echo gone >end' & exit 2"
    wait_for up ''
    echo >gate
    expect "Job +([0-9]) Done exit 2"
    [ "$(cat end)" = gone ]
}

# A daemon that ends when it is asked to, and has a child in a session of its own that does, too.
daemon='end() { sleep 0.05; echo asked >>asked; exit; }; trap end TERM; echo >>up; until [ -e never ]; do sleep 0.01; done'
daemons="touch up; (setsid bash -c 'setsid bash -c \"$daemon\" & $daemon' &); until [ \$(cat up | wc -l) = 2 ]; do sleep 0.01; done; exit 4"

asked_twice() {
    [ "$(cat asked)" = $'asked\nasked' ]
}

@test "linger: what is left gets TERM, all of it, and the grace period to tidy up" {
    start_server --linger 0.01 -g 1000
    create
    say "run $pid 1000 $daemons"
    expect "Job +([0-9]) Done exit 4"
    asked_twice
}

@test "linger: --linger 0 asks at once" {
    start_server --linger 0 -g 1000
    create
    say "run $pid 1000 $daemons"
    expect "Job +([0-9]) Done exit 4"
    asked_twice
}

@test "linger: with a single spare descriptor, all are asked" {
    start_after 'ulimit -Sn 7'
    create
    say "run $pid 1000 $daemons"
    expect "Job +([0-9]) Done exit 4"
    asked_twice
}

@test "linger: what is left and was stopped gets TERM as well" {
    start_server -g 1000
    create
    say "run $pid 1000 setsid sh -c 'echo >up; kill -STOP \$\$' & until [ -e up ]; do sleep 0.01; done"
    expect "Job +([0-9]) Done exit 0"
}

@test "linger: what is deaf to TERM is killed, but not before the grace period is over" {
    start_server -j --linger 0.2 -g 0.3
    say create_driver "run any 1000 $LIB/family.sh exit"
    expect '*available*' '{*"exit":5,"ms":*'
    [[ $line =~ \"ms\":([0-9]+) ]]
    ((BASH_REMATCH[1] >= 500))
    family_is_gone
}

# lingers LIMIT: the driver's job lingers.
lingers() {
    say "run $pid $1 $daemons"
    wait_until has_lingering
}

# The job's first process was reaped, which is the only one that is not in a session of a daemon.
has_lingering() {
    local child
    [[ -e up && $(wc -l <up) == 2 ]] || return
    child=$(children_of "$pid")
    [[ $child == +([0-9])' ' ]] && [[ -n $(children_of "${child% }") ]]
}

@test "linger: at the job's limit it is over" {
    start_server --linger 1000 -g 1000
    create
    say "run $pid 3 $daemons"
    expect "Job +([0-9]) Done @(exit 4|timeout)" # on a busy machine it may not be up by then
    [[ $line == *timeout ]] || asked_twice
}

@test "linger: when the job is cancelled it is over" {
    start_server --linger 1000 -g 1000
    create
    lingers 1000
    say "cancel_task $pid"
    expect "Job +([0-9]) Done exit 4" "Driver $pid Available"
    asked_twice
}

@test "linger: when the server stops it is over" {
    start_server --linger 1000 -g 1000
    create
    lingers 1000
    kill -TERM "$server_pid"
    expect "Job +([0-9]) Done exit 4"
    server_ends 4
    asked_twice
}

@test "linger: when the server is killed, nothing is left" {
    start_server --linger 1000 -g 1000
    create
    lingers 1000
    daemon=$(children_of "$pid")
    inner=$(children_of "${daemon% }")
    kill -KILL "$server_pid"
    wait_until ended "$pid"
    wait_until ended "${daemon% }"
    for child in $inner; do
        wait_until ended "$child"
    done
}
