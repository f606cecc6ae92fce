# Stand-ins for a driver, and one for the server.
# shellcheck shell=bash

# fake_driver NAME LINE...: makes a bash script for --driver that has the functions of
# tests/lib/fake-driver.bash. Like any driver it starts with all signals blocked, so it can run only
# builtins.
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

# start_as_server [DRIVER]: starts tests/lib/as-server.pl with a driver, at two FIFOs: say() sends
# frames, and expect() receives them. Sets driver to the pid of the driver, which has said HELLO.
start_as_server() {
    start "$LIB/as-server.pl" "${1-$DRIVER}"
    expect 'hello 0 +([0-9])'
    driver=${line##* }
    [[ $(children_of "$server_pid") == "$driver " ]]
}

# stopped_driver_asked COUNT: creates a driver, stops it and asks it that many times, so that as
# many of the 60 requests and 60 calls that a server starts with are in use. Sets pid.
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
