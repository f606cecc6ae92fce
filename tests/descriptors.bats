#!/usr/bin/env bats
# Descriptors: a server has only those that it needs and leaks none, whatever happens; a job gets
# its output as a shell would give it.

load lib/helpers
load lib/looks

@test "descriptors: a server has its streams, epoll, signalfd, timerfd, and two for drivers" {
    # shellcheck disable=SC2016
    start bash -c 'for fd in /proc/$$/fd/*; do ((${fd##*/} < 3)) || eval "exec ${fd##*/}>&-"; done; exec "$0"' "$SERVER"
    say get_drivers
    expect '0 drivers'
    descriptors "$server_pid" | sed "s/^[0-9]* //; s|$PWD/||" | sort >now
    # Standard input and output are there twice: as inherited, and opened again for nonblocking use.
    printf '%s\n' /dev/null /dev/null 'anon_inode:[eventpoll]' 'anon_inode:[signalfd]' 'anon_inode:[timerfd]' \
        in in out out err | sort | diff - now
}

@test "descriptors: drivers, clients and jobs that end or fail leave none open" {
    : >plain
    start_listening --output output
    create
    kept=$pid
    say "run $pid 50 true"
    expect 'Job 1 Done exit 0'
    descriptors "$server_pid" >before
    descriptors "$kept" >driver_before
    create_many 3
    say "run ${pids[0]} 50 exit 3" "run ${pids[1]} 50 sleep 1000" "send_task ${pids[2]} 50"
    attach one
    attach two
    becomes clients 3
    tell one "wait $kept" quit
    hear one "Driver $kept Available"
    client_ends one 0
    kill -KILL "${client_pid[two]}"
    becomes clients 1
    kill -KILL "${pids[1]}" # the server then looks for what its job has left
    expect "Job 2 Done exit 3" "Job 3 Done lost driver ${pids[1]} died *" "Driver ${pids[2]} Busy 50"
    say "delete_driver ${pids[0]}"
    expect "Driver ${pids[0]} Deleted"
    kill -TERM "${pids[2]}"
    becomes drivers 1
    run -1 control fly
    say "run $kept 50 ./plain" "wait $kept" "run $kept 0.01 sleep 1000" "wait $kept"
    expect 'Job 4 Done exit 126' "Driver $kept Available" 'Job 5 Done timeout' "Driver $kept Available"
    wait_until is_at_rest
    becomes clients 1
    descriptors "$server_pid" | diff before -
    descriptors "$kept" | diff driver_before -
}

@test "descriptors: drivers that cannot be started leave none open" {
    start_server --driver ./missing
    say create_driver
    expect 'Error: cannot create driver: No such file or directory'
    descriptors "$server_pid" >before
    say create_driver 'create_driver 5'
    expect 'Error: *' 'Error: *' '0 drivers'
    descriptors "$server_pid" | diff before -
}

# flags FILE: prints the access mode, O_APPEND and O_NONBLOCK in that copy of a descriptor's fdinfo.
flags() {
    printf '%o\n' $((8#$(sed -n 's/^flags:[[:space:]]*//p' "$1") & 8#6003))
}

@test "descriptors: a job's output file is open for writing only, to append, without O_NONBLOCK" {
    start_server --output output
    create
    say "run $pid 50 cat /proc/self/fdinfo/1; cat /proc/self/fdinfo/2 >&2"
    expect 'Job 1 Done exit 0'
    [ "$(flags output/1.out)" = 2001 ]
    [ "$(flags output/1.err)" = 2001 ]
    # So a job that empties its file goes on at the beginning of it.
    say "run $pid 50 echo much; : >output/2.out; echo little"
    expect 'Job 2 Done exit 0'
    [ "$(<output/2.out)" = little ]
}
