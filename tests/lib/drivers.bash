# Programs that are not quite a driver, and one that is not quite the server.
# shellcheck shell=bash

# fake_driver NAME LINE...: a bash script, to be used with --driver, which has the functions of
# tests/lib/fake-driver.bash. It starts with all signals blocked, like any driver, so it can only
# run builtins.
fake_driver() {
    local name=$1
    shift
    {
        printf '#!%s\n' "$BASH"
        cat "$LIB/fake-driver.bash"
        printf '%s\n' "$@"
    } >"$name"
    chmod +x "$name"
}

# start_as_server [DRIVER]: tests/lib/as-server.pl with a driver, at two FIFOs: say() sends frames,
# and expect() receives them. Sets driver to the pid of the driver, which has said HELLO.
start_as_server() {
    start "$LIB/as-server.pl" "${1-$DRIVER}"
    expect 'hello 0 +([0-9])'
    driver=${line##* }
    [[ $(children_of "$server_pid") == "$driver " ]]
}

# stopped_driver_asked COUNT: a driver is stopped and then asked that often, so that as many
# requests and calls are in use, of the 60 each that a server has to begin with. Sets pid.
stopped_driver_asked() {
    local i
    create
    stop_process "$pid"
    for ((i = 0; i < $1; i++)); do
        echo "get_status $pid"
    done >&"$to"
    wait_until took $(($1 + 1))
}

# The driver pid answers in time.
answers_again() {
    say "get_status $pid"
    reply
    [[ $line == "Driver $pid Available" ]]
}
