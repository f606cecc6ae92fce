#!/usr/bin/env bats
# How much may be outstanding: what each client is owed, what each driver has in its queue, and who is held
# back when that is full. What was sent fits into a pipe or socket, so a server that sleeps has left it there.

load lib/helpers
load lib/looks

# stopped_driver: one that answers nothing until it is continued.
stopped_driver() {
    create
    kill -STOP "$pid"
    wait_until in_state "$pid" T
}

# lines COUNT LINE: in as few writes as can be.
lines() {
    yes "$2" | head -n "$1" >lines
    cat lines
}

# hears COUNT PATTERN: so many replies, each of which that regular expression matches. Nothing may follow
# at once: it would be lost.
hears() {
    timeout "$DEADLINE" head -n "$1" <&"$from" >replies
    (($(grep -cE "$2" replies) == $1)) || fail "not $1 of $2: $(sort replies | uniq -c)"
}

# client_rests NAME: the client has sent all that it had been given, or cannot.
client_rests() {
    wait_until in_state "${client_pid[$1]}" S
}

@test "backlog: a client alone is owed 2048 lines and replies, a question counts for both" {
    start_server
    stopped_driver
    lines 1500 "get_status $pid" >&"$to"
    stays commands 1025 # with create_driver
}

@test "backlog: what was owed is answered before more is taken, but for a quarter" {
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
    stays commands 1793 # so many more as were answered
}

@test "backlog: clients have equal shares" {
    start_listening
    stopped_driver
    for name in one two three; do attach $name; done
    becomes clients 4
    sent=$(field commands)
    for name in one two three; do
        lines 400 "get_status $pid" >&"${client_to[$name]}"
        becomes commands $((sent += 256)) # 2048 / 4, two for each
        client_rests "$name"
        stays commands $sent
    done
    lines 400 "get_status $pid" >&"$to"
    becomes commands $((sent += 256))
    stays commands $sent
    # Fewer clients have more each; one that was full is looked at again only when most is answered.
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

@test "backlog: of very many clients, each is owed 64" {
    start_listening
    stopped_driver
    start_crowd
    crowd attach 40
    becomes clients 41
    sent=$(field commands)
    lines 200 "get_status $pid" >&"$to"
    stays commands $((sent + 32))
}

@test "backlog: the more drivers, the more is owed, 128 for each, up to 16384" {
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
    # Each list is owed 141.
    lines 200 get_drivers >&"$to"
    stays commands $((1502 + 117))
}

@test "backlog: of a client, at most 1024 jobs are in flight, not one more" {
    start_server
    create_many 20 # for which more is owed
    kill -STOP "${pids[0]}"
    wait_until in_state "${pids[0]}" T
    lines 1100 "run ${pids[0]} 5 true" >&"$to"
    stays commands 1025
    stays runs 0
}

# ---- a driver that takes no more

# What a driver's socket holds of jobs, and its queue of 512 of anything; a client that has more is held.
fill() {
    lines 100 "run $1 5 $(printf '%4000s' '' | tr ' ' x)"
    lines 700 "get_status $1"
    echo fly
}

field_above() {
    (($(field "$1") > $2))
}

# Two looks have it asleep with the same count.
settled() {
    local before
    in_state "$server_pid" S || return
    before=$(field commands)
    in_state "$server_pid" S && (($(field commands) == before))
}

# fill_all: so full that the client is held, though it could be owed more.
fill_all() {
    fill "$pid" >in 3>&- &
    wait_until field_above commands 500
    wait_until settled
    (($(field commands) < 801)) || fail 'all was taken'
}

@test "backlog: clients held for a driver whose queue is full go on when that dies" {
    start_server
    stopped_driver
    fill_all
    kill -KILL "$pid"
    hears 801 '^Error: '
    [ "$(tail -n 1 replies)" = "Error: unknown command 'fly' (try help)" ]
    [ "$(grep -c "^Error: driver $pid died (killed by signal 9)" replies)" -gt 512 ]
    [ "$(grep -c "^Error: no driver $pid" replies)" -gt 100 ]
}

@test "backlog: and when the server stops" {
    start_server -g 0.2
    stopped_driver
    fill_all
    kill -TERM "$server_pid"
    timeout "$DEADLINE" cat <&"$from" >replies
    [ "$(sort -u replies)" = 'Error: server is stopping' ]
    [ "$(wc -l <replies)" -gt 700 ] # what was not read then has no reply
    server_ends 0
}

@test "backlog: and when it is deleted, which does not wait in its queue" {
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
    attach third # with which there is less for each: the first goes on when it is answered
    lines 3 "get_status $pid" >&"${client_to[third]}" # one that is owed nothing is let in
    becomes commands $((held + 1))
    tell other "delete_driver $pid"
    becomes commands $((held + 4))
    kill -KILL "$pid"
    hear third "Error: driver $pid died (killed by signal 9)" "Error: no driver $pid" "Error: no driver $pid"
    hears 600 "^Error: (driver $pid died .killed by signal 9.|no driver $pid)$"
}
