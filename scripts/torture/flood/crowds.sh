# Rows: what many clients do at the control socket.
# shellcheck shell=bash

crowd_rows() {
    local full=$((commands > 200000 ? commands : 200000)) # more for each client than its socket holds
    row '100 clients flood and never read, then TERM' endless crowd_floods TERM 100 1e18
    row '20 clients flood, and read later' $full crowd_floods read 20 $((full / 20))
    row 'one client floods and reads, another one asks' endless one_chatters
    row 'clients say half a line and go' 1000 half_lines 1000
    row 'clients say half a line and stay, then TERM' 1000 half_lines 1000 stay
}

# Begins a server with a driver and a control socket. A line to $keys tells the clients to go on,
# and the file said has what they say.
at_socket() {
    mkfifo go
    exec {keys}<>go
    begin pipe --listen socket && ask create_driver && drivers=("${reply//[^0-9]/}")
}

# clients DEED...: starts the clients.
clients() {
    : >said
    perl "$TORTURE/flood/clients.pl" "$@" >said 2>&1 {to}>&- {from}<&- &
    writer=$!
}

has_said() {
    grep -qx "$1" said
}

# The process of the clients ends by itself, and has no complaint.
leaves() {
    wait_until ended "$writer" || return
    wait "$writer" || flaw "the clients: $(<said)"
}

# crowd_floods END CLIENTS COUNT: that many clients flood and do not read, until the server reads
# from none of them. It answers others. Then the clients read (read), or the server is stopped
# (TERM).
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

# Another client asks a thousand times, and is answered soon. Sets the note.
quick_for_others() {
    local us
    us=$(perl "$TORTURE/flood/clients.pl" asks "${drivers[0]}" 1000 2>&1 {to}>&- {from}<&-) ||
        flaw "the one that asks: $us" || return
    note=", 99 in 100 answers within $((us / 1000)).$((us / 100 % 10)) ms"
    ((us <= ANSWER_MAX_US)) || flaw 'answers took too long'
}

one_chatters() {
    at_socket && clients chatter 1 && wait_until has_said floods && quick_for_others &&
        ends 0 TERM && leaves
}

# half_lines COUNT [stay]: what clients have said that went counts, as far as it goes.
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
    ask stats && [[ $reply == *" clients=1 "*" errors=$1 "* ]]
}

are_there() {
    ask stats && [[ $reply == *" clients=$(($1 + 1)) "* ]]
}
