# A server at two FIFOs.
# shellcheck shell=bash

# start COMMAND...: runs a server, or a command that becomes one, at two FIFOs. Its standard error
# goes to the file err. Sets server_pid.
start() {
    mkfifo in out
    "$@" <in >out 2>err 3>&- &
    server_pid=$!
    started+=("$server_pid")
    exec {to}>in {from}<out
}

start_server() {
    start "$SERVER" "${PATIENT[@]}" "$@"
}

# start_faulty FAULT OPTION...: starts a server with an injected fault, see tests/faults/inject.c. Its
# drivers, which inherit its environment, have no fault.
start_faulty() {
    start env "FAULT=$1" "$FAULTY/server" "${PATIENT[@]}" --env FAULT= "${@:2}"
}

# start_after CODE: starts a shell that runs that code and then becomes the server.
start_after() {
    start bash -c "$1; exec '$SERVER' ${PATIENT[*]}"
}

# Closes both FIFOs, so that another server can be started.
hang_up() {
    [[ -z $to ]] || exec {to}>&-
    exec {from}<&-
    to='' from=''
    rm in out
}

# say LINE...: gives commands. By one write, where printf would make one for each line, between which the
# server could reply, halt or end.
say() {
    local lines
    printf -v lines '%s\n' "$@"
    echo -n "$lines" >&"$to"
}

# Reads the next reply into $line.
reply() {
    IFS= read -r -t "$DEADLINE" -u "$from" line || fail "no reply; the log: $(cat err)"
}

# expect PATTERN...: the next replies match these patterns, one each.
expect() {
    local pattern
    for pattern in "$@"; do
        reply || return
        # shellcheck disable=SC2053 # the right side is a pattern
        [[ $line == $pattern ]] || fail "expected: $pattern" "got:      $line" || return
    done
}

# flood COUNT LINE...: gives these commands COUNT times, in the background. Sets flooder to its pid.
flood() {
    "$HELPERS/repeat" "$@" >in 2>/dev/null 3>&- {to}>&- {from}<&- &
    flooder=$!
    started+=("$flooder")
}

# tally COUNT: reads that many replies and sets tally to how often each came, in lines like "3 1
# driver".
tally() {
    tally=$("$HELPERS/tally" "$1" "$DEADLINE" <&"$from" 3>&-) || fail "$tally; the log: $(cat err)"
}

# The flooder has given all its commands or waits for the server, and the server waits for something
# else, such as its reader.
holds_flood_back() {
    rests "$server_pid" flooder_waits
}

flooder_waits() {
    local text
    ended "$flooder" && return
    read_text "/proc/$flooder/comm"
    in_state "$flooder" S && [[ $text != bash* ]]
}

# The same, and the server waits for room in its output.
held_back() {
    output_waits && holds_flood_back
}

# The server waits for room in its output: its epoll set, descriptor 3, contains descriptor 1.
output_waits() {
    local text
    read_text "/proc/$server_pid/fdinfo/3"
    [[ $text == *$'\n'tfd:*( )1\ * ]]
}

# took COUNT: the server has taken that many commands so far.
took() {
    logged_stats
    [[ $stats == *" commands=$1 "* ]]
}

# Has the server log its stats, and sets stats to that line.
logged_stats() {
    local log lines
    wait_until blocks_signals # before that, USR1 would end it
    mapfile log <err
    lines=${#log[@]}
    ((lines == 0)) || [[ ${log[-1]} == *$'\n' ]] || lines=$((lines - 1)) # what a job writes need not end with one
    kill -USR1 "$server_pid"
    wait_until more_stats "$lines"
}

blocks_signals() {
    local text field
    read_text "/proc/$server_pid/status"
    field_of "$text" SigBlk && (((0x$field & 1 << 9) != 0))
}

# more_stats COUNT: after that many lines, the log has its stats. Sets stats to the last of them.
more_stats() {
    local log line found=false
    mapfile -t -s "$1" log <err
    for line in "${log[@]}"; do
        [[ $line != *Stats* ]] || { stats=$line && found=true; }
    done
    $found
}

# stop_process PID: stops the process, and waits until it is stopped.
stop_process() {
    kill -STOP "$1"
    wait_until in_state "$1" T
}

# create: creates a driver and sets pid to its pid.
create() {
    say create_driver
    expect 'Driver +([0-9]) Available'
    pid=${line#Driver }
    pid=${pid% *}
}

# create_many COUNT: creates that many drivers and sets pids to their pids.
create_many() {
    local i
    say "create_driver $1"
    pids=()
    for ((i = 0; i < $1; i++)); do
        expect 'Driver +([0-9]) Available' || return
        pids+=("${line//[^0-9]/}")
    done
    expect "$1 drivers"
}

# end_input: the server sees the end of its input.
end_input() {
    exec {to}>&-
    to=
}

# server_ends STATUS: the server ends with that exit status.
server_ends() {
    local status=0
    wait_until ended "$server_pid" || return
    wait "$server_pid" || status=$?
    ((status == $1)) || fail "exit status $status; the log: $(cat err)"
}

# log_is PATTERN...: the log has only lines that match one of the patterns.
log_is() {
    local logged pattern
    while IFS= read -r logged; do
        for pattern in "$@"; do
            # shellcheck disable=SC2053
            [[ $logged == $pattern ]] && continue 2
        done
        fail "unexpected in the log: $logged" || return
    done <err
}

logged() {
    grep -qE "$1" err
}

# stats_have COUNTER=N...: the counters have these values.
stats_have() {
    local counter
    say stats
    expect 'Stats *'
    for counter; do
        [[ " $line " == *" $counter "* ]] || fail "not $counter: $line" || return
    done
}

# counted KEY=VALUE: the stats contain that.
counted() {
    say stats
    expect 'Stats *'
    [[ "$line " == *" $1 "* ]]
}

# session OPTION...: runs a server in the foreground until it ends; after two minutes it is ended.
session() {
    timeout --foreground -k 1 120 "$SERVER" "${PATIENT[@]}" "$@"
}

# ask LINE...: gives these commands to a server of their own. Sets output and status; its log is in
# the file err.
ask() {
    # shellcheck disable=SC2034
    {
        status=0
        output=$(printf '%s\n' "$@" | session 2>err) || status=$?
    }
}
