# Rows about many clients at the control socket.
# shellcheck shell=bash

crowd_rows() {
    local full=$((commands > 200000 ? commands : 200000)) # more for each than its socket holds
    row '100 clients flood and never read, then TERM' endless crowd_floods TERM 100 1e18
    row '20 clients flood, and read later' $full crowd_floods read 20 $((full / 20))
    row 'one client floods and reads, another one asks' endless one_chatters
    row 'clients send half a line and go' 1000 half_lines 1000
    row 'clients send half a line and stay, then TERM' 1000 half_lines 1000 stay
    row 'clients flood and die in the middle of a line' 1000 dying_floods 1000 $((commands / 1000))
}

# at_socket OPTION...: starts a server with a driver and a control socket. A line to $keys tells the
# clients to go on; what they print goes to the file "said".
at_socket() {
    mkfifo go
    exec {keys}<>go
    begin pipe --listen socket "$@" && ask create_driver && drivers=("${reply//[^0-9]/}")
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

# dying_floods COUNT LINES: clients flood, and die in the middle of a line, each in its way, while
# another client has its jobs done. The memory that they needed is given back.
dying_floods() {
    local own=0 sent errors third=$(($1 / 3))
    memory_max_kb=$((MEMORY_MAX_KB + $1 * 128)) # a block of input and one of output for each
    at_socket -t "$DEADLINE" && clients dying "${drivers[0]}" "$@" "$SERVER" || return
    wait_until has_said floods && wait_until are_there "$1" && quick_for_others && ask stats || return
    errors=$(counter errors)
    echo >&"$keys"
    until has_said 'done .*' && ((own > 0)); do
        ask "run any 50 >>ran echo own-$((++own)) end" && [[ $reply == 'Job '*' Done exit 0' ]] ||
            flaw "reply to a job: $reply" || return
        measure
    done
    read -r _ sent < <(grep '^done' said)
    leaves && wait_until nothing_owed && whole_lines_ran "$own" &&
        all_told $(($1 - third)) $(($1 - 2 * third)) "$sent" && wait_until memory_is_back && ends 0 TERM
}

# Prints a counter of the stats in $reply.
counter() {
    [[ $reply =~ \ $1=([0-9]+) ]] && echo "${BASH_REMATCH[1]}"
}

# No client but standard input is left, and no job.
nothing_owed() {
    ask stats && [[ $reply == *" clients=1 "*" waiting=0 running=0 "* ]]
}

# whole_lines_ran COUNT: every job that ran was a whole line, and ran once; COUNT of them are our own.
# No half line was an Error.
whole_lines_ran() {
    local ran
    ran=$(wc -l <ran)
    ! grep -vq ' end$' ran || flaw 'half a line was run'
    [[ -z $(cut -d ' ' -f 1 ran | sort | uniq -d) ]] || flaw 'a job ran twice'
    (($(grep -c '^own-' ran) == $1)) || flaw 'a job with a reply did not run'
    (($(counter runs) == ran)) || flaw "$ran jobs ran, but: $reply"
    (($(counter errors) == errors)) || flaw 'half a line was an Error'
}

# all_told HALVES CLOSED SENT: the log tells of HALVES half lines. It accounts for the SENT lines of
# the CLOSED connections, and for the jobs that stats calls dropped.
all_told() {
    local told
    told=$(awk -v pid="$writer" '
        function before(noun) { return match($0, "[0-9]+ " noun "s?") ? substr($0, RSTART) + 0 : 0 }
        / is gone after / { halves += / half a line was dropped/; jobs += before("job") }
        $3 == pid { closed++; lines += before("line") + before("command") }
        END { print halves + 0, closed + 0, lines + 0, jobs + 0 }' err)
    [[ $told == "$* $(counter dropped)" ]] ||
        flaw "$1 half lines, $2 connections, $3 lines, $(counter dropped) jobs, but the log tells of $told"
}

memory_is_back() {
    local key value
    while read -r key value _; do
        [[ $key != VmRSS: ]] || break
    done <"/proc/$server/status"
    ((value <= MEMORY_MAX_KB))
}
