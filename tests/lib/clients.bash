# Clients at a control socket.
# shellcheck shell=bash disable=SC2004 # subscripts are names, not arithmetic

# start_listening OPTION...: starts a server with the control socket taxi.sock, and waits until it
# listens.
start_listening() {
    start_server --listen taxi.sock "$@"
    say 'session'
    expect 'Error: usage: session*'
}

# control [WORD...]: runs a client with that one command, or with those at its standard input.
control() {
    timeout --foreground -k 1 120 "$SERVER" --connect taxi.sock "$@"
}

# The server accepts clients; the file of its socket is there a moment earlier.
server_listens() {
    control stats >/dev/null 2>&1
}

# attach NAME OPTION...: starts a client in the background, at two FIFOs of its own.
attach() {
    local name=$1 fd
    shift
    mkfifo "$name.in" "$name.out"
    (
        # If it held the others' FIFOs open, those would never be at their end.
        for fd in $to $from "${client_to[@]}" "${client_from[@]}"; do exec {fd}>&-; done
        exec "$SERVER" --connect taxi.sock "$@"
    ) <"$name.in" >"$name.out" 2>"$name.err" 3>&- &
    client_pid[$name]=$!
    started+=("$!")
    exec {fd}>"$name.in"
    client_to[$name]=$fd
    exec {fd}<"$name.out"
    client_from[$name]=$fd
}

# tell NAME LINE...: the client gives commands.
tell() {
    printf '%s\n' "${@:2}" >&"${client_to[$1]}"
}

# hear NAME PATTERN...: the client's next replies match them.
hear() {
    local from=${client_from[$1]}
    expect "${@:2}"
}

# detach NAME: ends the client's input.
detach() {
    local fd=${client_to[$1]}
    exec {fd}>&-
    unset "client_to[$1]" # another file may get its number
}

# client_ends NAME STATUS: the client ends with that exit status.
client_ends() {
    local server_pid=${client_pid[$1]}
    server_ends "$2"
}

# has_clients COUNT: by its stats, the server has that many clients.
has_clients() {
    logged_stats
    [[ $stats == *" clients=$1 "* ]]
}

# Prints how many commands the server has taken so far.
commands_taken() {
    logged_stats
    stats=${stats#* commands=}
    echo "${stats%% *}"
}

# A crowd of clients, all of them played by one program, tests/lib/crowd.c. crowd LINE: gives it
# that instruction, waits until it has done it, and sets said to its answer.
start_crowd() {
    mkfifo crowd.in crowd.out
    "$HELPERS/crowd" taxi.sock "$DEADLINE" <crowd.in >crowd.out 3>&- {to}>&- {from}<&- &
    crowd_pid=$!
    started+=("$crowd_pid")
    exec {crowd_to}>crowd.in {crowd_from}<crowd.out
    client_to[crowd]=$crowd_to client_from[crowd]=$crowd_from
}

crowd() {
    printf '%s\n' "$*" >&"$crowd_to"
    IFS= read -r -t $((2 * DEADLINE)) -u "$crowd_from" said || fail "the crowd says nothing to: $*" || return
    [[ $said == ok* ]] || fail "$*: $said"
}

# crowd_is_held_back LINE: the crowd's client 1 floods the server with that line, throwing the
# replies away, until the server no longer reads from it.
crowd_is_held_back() {
    crowd "flood 1 $1"
    rests "$server_pid" no_more_is_taken "$1"
}

no_more_is_taken() {
    crowd "fill 1 $1"
    [[ $said == 'ok 0' ]] || return
    crowd 'drain 1'
    [[ $said == 'ok 0' ]]
}
