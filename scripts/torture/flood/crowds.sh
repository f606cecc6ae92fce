# Rows about many clients at the control socket.
# shellcheck shell=bash

crowd_rows() {
    local full=$((commands > 200000 ? commands : 200000)) # more for each than its socket holds
    row '100 clients flood and never read, then TERM' endless crowd_floods TERM 100 1e18
    row '20 clients flood, and read later' $full crowd_floods read 20 $((full / 20))
    row 'one client floods and reads, another one asks' endless one_chatters
    row 'clients send half a line and go' 1000 half_lines 1000
    row 'clients send half a line and stay, then TERM' 1000 half_lines 1000 stay
}

# Starts a server with a driver and a control socket. A line to $keys tells the clients to go on;
# what they print goes to the file "said".
at_socket() {
    mkfifo go
    exec {keys}<>go
    begin pipe --listen socket && ask create_driver && drivers=("${reply//[^0-9]/}")
}

# clients ARGUMENT...: starts clients.pl.
clients() {
    : >said
    perl "$TORTURE/flood/clients.pl" "$@" >said 2>&1 {to}>&- {from}<&- &
    writer=$!
}

has_said() {
    grep -qx "$1" said
}

# Checks that clients.pl ends by itself and found nothing wrong.
leaves() {
    wait_until ended "$writer" || return
    wait "$writer" || flaw "the clients: $(<said)"
}

# crowd_floods END CLIENTS COUNT: CLIENTS clients send COUNT commands each and do not read, until
# the server no longer reads from any of them. It must still answer another client. Then the clients
# read (END is read), or the server is stopped (TERM).
crowd_floods() {
    at_socket && clients crowd "${drivers[0]}" "$2" "$3" || return
    wait_until has_said held && wait_until held_back && quick_for_others || return
    if [[ $1 == TERM ]]; then
        ends 0 TERM && due 'output that nobody read was dropped'
    else
        echo >&"$keys"
        leaves && ends 0 TERM
    fi
}

# Checks that another client, which asks a thousand times, gets its answers soon. Sets the note.
quick_for_others() {
    local us
    us=$(perl "$TORTURE/flood/clients.pl" asks "${drivers[0]}" 1000 2>&1 {to}>&- {from}<&-) ||
        flaw "the client that asks: $us" || return
    note=", 99 in 100 answers within $((us / 1000)).$((us / 100 % 10)) ms"
    ((us <= ANSWER_MAX_US)) || flaw 'answers took too long'
}

one_chatters() {
    at_socket && clients chatter 1 && wait_until has_said floods && quick_for_others &&
        ends 0 TERM && leaves
}

# half_lines COUNT [stay]: clients send half a line. If they go, the server must not run it.
half_lines() {
    at_socket && clients halves "$@" && wait_until has_said 'done' || return
    if [[ -z ${2-} ]]; then
        leaves && wait_until are_gone "$1" || return
    else
        wait_until are_there "$1" || return
    fi
    quick_for_others && ends 0 TERM
}

are_gone() {
    (($(grep -c 'is gone after .*: half a line was dropped$' err) == $1)) && ask stats && [[ $reply == *" clients=1 "*" errors=0 "* ]]
}

are_there() {
    ask stats && [[ $reply == *" clients=$(($1 + 1)) "* ]]
}
