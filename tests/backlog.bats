#!/usr/bin/env bats
# How much may be outstanding: what each client is owed, what each driver has queued, and which
# clients are held back when a queue is full. All that a test sends fits into the pipe or socket, so
# what a sleeping server has not counted as a command is still there, unread.

load lib/helpers
load lib/looks

# stopped_driver: creates a driver that answers nothing until it is continued. Sets pid.
stopped_driver() {
    create
    kill -STOP "$pid"
    wait_until in_state "$pid" T
}

# lines COUNT LINE: prints the line that many times, in as few writes as possible.
lines() {
    yes "$2" | head -n "$1" >lines
    cat lines
}

# hears COUNT PATTERN: reads that many replies; each must match the regular expression. A reply that
# comes right after them may be lost.
hears() {
    timeout "$DEADLINE" head -n "$1" <&"$from" >replies
    (($(grep -cE "$2" replies) == $1)) || fail "not $1 of $2: $(sort replies | uniq -c)"
}

# client_rests NAME: the client has sent everything that it was given, or as much as the server
# takes.
client_rests() {
    wait_until in_state "${client_pid[$1]}" S
}

@test "backlog: a lone client may be owed 2048 lines and replies; a question counts as both" {
    start_server
    stopped_driver
    lines 1500 "get_status $pid" >&"$to"
    stays commands 1025 # 1024 questions and create_driver
}

@test "backlog: a full client is read again once three quarters of what it is owed are answered" {
    puppet answers hello answer:767 did:some await:go answer:1 did:quarter pause
    start_server --driver ./answers
    create
    kill -STOP "$pid"
    wait_until in_state "$pid" T
    lines 2400 "get_status $pid" >&"$to"
    stays commands 1025
    kill -CONT "$pid"
    wait_until test -e some
    hears 767 "^Driver $pid Available$"
    stays commands 1025
    : >go
    expect "Driver $pid Available"
    stays commands 1793 # 768 more, as many as were answered
}

@test "backlog: clients get equal shares" {
    start_listening
    stopped_driver
    for name in one two three; do attach $name; done
    becomes clients 4
    sent=$(field commands)
    for name in one two three; do
        lines 400 "get_status $pid" >&"${client_to[$name]}"
        becomes commands $((sent += 256)) # 2048 / 4, and a question counts twice
        client_rests "$name"
        stays commands $sent
    done
    lines 400 "get_status $pid" >&"$to"
    becomes commands $((sent += 256))
    stays commands $sent
    # With fewer clients, each gets more; but a full one is read again only once most of it is
    # answered.
    kill -KILL "${client_pid[one]}" "${client_pid[two]}" "${client_pid[three]}"
    kill -CONT "$pid"
    becomes clients 1
    hears 400 "^Driver $pid Available$"
    kill -STOP "$pid"
    wait_until in_state "$pid" T
    sent=$(field commands)
    lines 1500 "get_status $pid" >&"$to"
    becomes commands $((sent + 1024))
    stays commands $((sent + 1024))
}

@test "backlog: each of very many clients may still be owed 64" {
    start_listening
    stopped_driver
    start_crowd
    crowd attach 40
    becomes clients 41
    sent=$(field commands)
    lines 200 "get_status $pid" >&"$to"
    stays commands $((sent + 32))
}

@test "backlog: each driver adds 128 to what may be owed, up to 16384" {
    start_server
    create_many 20
    kill -STOP "${pids[0]}"
    wait_until in_state "${pids[0]}" T
    lines 1500 "get_status ${pids[0]}" >&"$to"
    stays commands 1281
    kill -CONT "${pids[0]}"
    hears 1500 "^Driver ${pids[0]} Available$"
    create_many 120
    kill -STOP "${pids[0]}"
    wait_until in_state "${pids[0]}" T
    # Each list counts 141.
    lines 200 get_drivers >&"$to"
    stays commands $((1502 + 117))
}

@test "backlog: exactly 110000 commands of one client may be in flight behind a job that does not end" {
    start_server
    create
    busy_with "$pid"
    flood 110100 "run $pid 5 true"
    becomes commands 110001
    stays commands 110001
    stays runs 1
    [[ ${TEST_BUILD-} == *asan* ]] || # a sanitizer keeps memory as it likes
        (($(status_field "$server_pid" VmHWM | tr -dc 0-9) < 65536))
}

# busy_client NAME PID COUNT: a client gives the driver a job that goes on, and then more, which are
# refused, and told only after the first.
busy_client() {
    attach "$1"
    tell "$1" "run $2 100 read x <gate"
    "$HELPERS/repeat" "$3" "run $2 5 true" >&"${client_to[$1]}" 2>/dev/null 3>&- &
    started+=("$!")
}

# only_64_more TAKEN PID: of another client with more, 64 jobs are taken, and no more.
only_64_more() {
    busy_client other "$2" 100
    wait_until field_above commands $(($1 + 63))
    wait_until settled
    stays commands $(($1 + 64))
}

@test "backlog: while jobs have command lines of 32 MiB, a client is read until it has 64" {
    start_listening
    create_many 2
    busy_with "${pids[0]}"
    flood 9000 "run ${pids[0]} 5 $(printf '%04000d' 0)" # each takes 4,104 bytes
    wait_until field_above commands 8100
    wait_until settled
    taken=$(field commands)
    ((taken < 8300)) || fail "$taken were taken"
    only_64_more "$taken" "${pids[1]}"
}

@test "backlog: while there are 220000 jobs, a client is read until it has 64" {
    start_listening
    create_many 3
    busy_with "${pids[0]}"
    taken=$(field commands)
    flood 110100 "run ${pids[0]} 5 true"
    becomes commands $((taken + 109999))
    busy_client many "${pids[1]}" 110100
    becomes commands $((taken + 219999))
    only_64_more $((taken + 219999)) "${pids[2]}"
}

# ---- a driver whose queue is full

# Prints more long jobs than a driver's socket holds, and more questions than its queue of 512 calls
# holds. A client that sends all of it is held back.
fill() {
    lines 100 "run $1 5 $(printf '%4000s' '' | tr ' ' x)"
    lines 700 "get_status $1"
    echo fly
}

field_above() {
    (($(field "$1") > $2))
}

# The server was asleep twice, and took no command in between.
settled() {
    local before
    in_state "$server_pid" S || return
    before=$(field commands)
    in_state "$server_pid" S && (($(field commands) == before))
}

# fill_all: fills the driver's queue until the client is held back, though it could be owed more.
fill_all() {
    fill "$pid" >in 3>&- &
    wait_until field_above commands 500
    wait_until settled
    (($(field commands) < 801)) || fail 'all was taken'
}

@test "backlog: a client held back by a full driver goes on when the driver dies" {
    start_server
    stopped_driver
    fill_all
    kill -KILL "$pid"
    hears 801 "^(Error: |Job [0-9]+ Done unrun driver $pid died .killed by signal 9.$)"
    [ "$(grep -o '^Job [0-9]* Done unrun' replies | uniq)" = "$(printf 'Job %d Done unrun\n' {1..100})" ]
    [ "$(tail -n 1 replies)" = "Error: unknown command 'fly' (try help)" ]
    [ "$(grep -c "^Error: driver $pid died (killed by signal 9)" replies)" -gt 412 ]
    [ "$(grep -c "^Error: no driver $pid" replies)" -gt 100 ]
}

@test "backlog: a client held back by a full driver gets its replies when the server stops" {
    start_server -g 0.2
    stopped_driver
    fill_all
    kill -TERM "$server_pid"
    timeout "$DEADLINE" cat <&"$from" >replies
    [ "$(head -n 100 replies)" = "$(printf 'Job %d Done unrun server is stopping\n' {1..100})" ]
    [ "$(tail -n +101 replies | sort -u)" = 'Error: server is stopping' ]
    [ "$(wc -l <replies)" -gt 700 ] # lines not read by then get no reply
    server_ends 4
}

@test "backlog: a delete_driver skips the full queue, and clients that were held back go on" {
    start_listening -g 100
    stopped_driver
    attach other
    becomes clients 2
    lines 100 "run $pid 5 $(printf '%4000s' '' | tr ' ' x)" >&"${client_to[other]}"
    becomes commands 102
    lines 600 "get_status $pid" >&"$to"
    wait_until field_above commands 500
    wait_until settled
    held=$(field commands)
    ((held < 102 + 512)) || fail 'it is not held, but owed enough'
    attach third # makes the shares smaller: the console goes on only when it is answered
    lines 3 "get_status $pid" >&"${client_to[third]}" # one is taken: this client is owed nothing
    becomes commands $((held + 1))
    tell other "delete_driver $pid"
    becomes commands $((held + 4))
    kill -KILL "$pid"
    hear third "Error: driver $pid died (killed by signal 9)" "Error: no driver $pid" "Error: no driver $pid"
    hears 600 "^Error: (driver $pid died .killed by signal 9.|no driver $pid)$"
}
