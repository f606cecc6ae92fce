#!/usr/bin/env bats
# A stack that is too small, ulimit -s. Below about 12 KiB, not even the dynamic loader has room.

load lib/helpers

no_sanitizer() {
    [[ ${TEST_BUILD-} != *asan* ]] || skip 'a sanitizer needs more stack, even before main()'
}

# "${with_stack[@]}" KIB COMMAND...: runs the command under that limit, with a small environment.
with_stack=(env -i "PATH=$PATH" bash -c 'ulimit -s "$0" && exec "$@"')

@test "stack: a server or client whose stack is too small says so, in one line, and ends with status 1" {
    no_sanitizer
    for limit in 20 32; do
        for program in "$SERVER" "$SERVER --connect taxi.sock stats"; do
            # shellcheck disable=SC2086 # the program's arguments are words
            run -1 --separate-stderr "${with_stack[@]}" "$limit" $program </dev/null
            [ "$output" = '' ]
            [[ $stderr == 'server: the stack is too small: '*' KiB are needed'* ]]
            [ "${#stderr_lines[@]}" = 1 ]
        done
    done
}

@test "stack: 64 KiB are enough for everything" {
    no_sanitizer
    start "${with_stack[@]}" 64 "$SERVER" "${PATIENT[@]}" --listen taxi.sock -v
    create
    say 'run any 50 ulimit -s; exit 3' 'run any 50 no-such-command' \
        "run any 0.2 (sleep 50 & sleep 50)" "run any 50 kill -KILL $pid; sleep 50"
    expect 'Job 1 Done exit 3' 'Job 2 Done exit 127' 'Job 3 Done timeout' 'Job 4 Done lost*'
    logged '^64$'
    run -0 "${with_stack[@]}" 64 "$SERVER" --json --connect taxi.sock create_driver
    run -1 --separate-stderr "${with_stack[@]}" 64 "$SERVER" --connect taxi.sock fly
    kill -USR1 "$server_pid"
    wait_until more_stats 0
    kill -TERM "$server_pid"
    server_ends 0
}

@test "stack: a driver whose stack is too small says so, and the command that wanted it gets an Error" {
    no_sanitizer
    printf '%s\n' '#!/bin/sh' 'ulimit -s 16' "exec '$DRIVER'" >small-driver
    chmod +x small-driver
    start_server --clean-env --driver ./small-driver # the environment takes stack, too
    say create_driver
    expect 'Error: cannot create driver: +([0-9]) died (exited with status 1)'
    log_is 'driver\[+([0-9])\]: the stack is too small: 16 KiB are needed, see ulimit -s' \
        'server: driver +([0-9]) died (exited with status 1)'
}
