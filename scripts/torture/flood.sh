#!/bin/bash
# Floods a server, has its readers and drivers misbehave, and measures what it costs.
#
#   scripts/torture/flood.sh [MEGABYTES [COMMANDS]]      1000 megabytes, 1000000 commands (100000 at the least,
#                                                more than the server holds)
#
# Each row of the table is a server of its own: what is done to it, how much of it, the seconds that
# took, the server's peak memory in KiB (VmHWM), the milliseconds from TERM to its end, and a verdict.
# It is WRONG, with the reason, if memory went over 16 MiB; if TERM took longer than the grace and half
# a second; if a reply was lost, doubled or out of order; if the exit status was another, a driver was
# left, or the log had no word where one is due; or if the trouble of one driver kept an answer of
# another waiting for over 100 ms, or clients that flood more than one in 100 of one that asks. Any wrong
# one is a failure.
# shellcheck disable=SC2317 # row calls functions by name
set -u
cd "$(dirname "$0")/../.." || exit
export LC_ALL=C SHELL=$BASH # script(1) would take the user's shell
ROOT=$PWD
SERVER=$ROOT/server
PERL=(perl "$ROOT/scripts/torture/flood.pl")
megabytes=${1:-1000} commands=${2:-1000000}
((commands >= 100000)) || { echo 'flood.sh: COMMANDS is 100000 at the least' >&2; exit 2; }
MEMORY_MAX_KB=16384
GRACE_S=1
STOP_MAX_MS=$((GRACE_S * 1000 + 500))
ANSWER_MAX_US=100000
# Seconds, for any event; that the whole of a flood was taken is one, too.
DEADLINE=$((30 + megabytes / 2 + commands / 2000))

# ---- processes and waiting

# Makes the row wrong; to end it as well, "|| return" follows.
flaw() {
    why+=${why:+; }$*
    return 1
}

# wait_until COMMAND...: until it succeeds, looked at often.
wait_until() {
    local end=$((SECONDS + DEADLINE))
    until "$@"; do
        ((SECONDS < end)) || flaw "waited in vain until: $*" || return
        measure
        pause 0.01
    done
    return 0 # not what pause returns
}

# pause SECONDS: a read from a pipe that nobody writes to.
pause() {
    local nothing
    [[ -n ${idle_fd-} ]] || exec {idle_fd}<> <(:)
    read -r -t "$1" -u "$idle_fd" nothing
}

# Sets peak to the server's peak memory so far. It is looked at all the time: a server that has ended
# has none.
measure() {
    local key value
    while read -r key value _; do
        [[ $key != VmHWM: ]] || peak=$value
    done 2>/dev/null <"/proc/$server/status"
}

# in_state PID LETTER, see proc(5); "gone" for no such process.
in_state() {
    local stat='gone) gone'
    read -r stat 2>/dev/null <"/proc/$1/stat"
    stat=${stat##*) }
    [[ ${stat%% *} == "$2" ]]
}

# Ended; reaping it may be left to somebody else, who may be slow.
ended() {
    in_state "$1" Z || in_state "$1" gone
}

switches() {
    grep ctxt "/proc/$server/status"
}

# The server does not read on: it sleeps from one look to the other, and so does who writes to it.
held_back() {
    local before
    before=$(switches)
    in_state "$server" S && in_state "$writer" S || return
    pause 0.2
    measure
    in_state "$writer" S && [[ $(switches) == "$before" ]]
}

logged() {
    grep -qE "$1" err
}

# The log has to tell of that.
due() {
    wait_until logged "$1"
}

# ---- a server, its commands and its replies

# begin KIND OPTION...: a server whose input is the FIFO in. Its output is, by KIND: pipe, the FIFO
# out, which nobody reads yet; socket, one that is carried to that FIFO when it has a reader;
# terminal, one that shows in the file replies; full, a full disk. Its log is the file err. Sets
# server, and runner, whose status is the server's.
begin() {
    local command=("$SERVER" -g "$GRACE_S" "${@:2}")
    kind=$1
    mkfifo in out keys
    case $kind in
    pipe) "${command[@]}" <in >out 2>err & ;;
    socket) "${PERL[@]}" carry "${command[@]}" <in 2>err & ;;
    terminal) script -qefc "exec ${command[*]} <in 2>err" /dev/null <keys >replies 2>&1 & ;;
    full) "${command[@]}" <in >/dev/full 2>err & ;;
    esac
    runner=$!
    [[ $kind != terminal ]] || exec {keys}>keys
    exec {to}>in
    [[ $kind != pipe ]] || exec {from}<out
    wait_until server_runs
}

server_runs() {
    server=$runner
    [[ $kind == pipe || $kind == full ]] || read -r server _ <"/proc/$runner/task/$runner/children"
    [[ /proc/$server/exe -ef $SERVER ]]
}

# hire: the server has a driver. The reply is left to be read with the others.
hire() {
    echo create_driver >&"$to"
    wait_until has_driver && wait_until created
}

has_driver() {
    read -ra drivers <"/proc/$server/task/$server/children"
    ((${#drivers[@]} > 0))
}

created() {
    kill -USR1 "$server" && pause 0.01
    logged 'created=1 '
}

# give COUNT [PID]: begins to write numbered commands. The input does not end with them.
give() {
    {
        [[ -z $from ]] || exec {from}<&- # it would be a reader that never goes away
        exec "${PERL[@]}" numbered "$@"
    } 2>/dev/null 1>&"$to" &
    writer=$!
}

# given: all that is being written was taken; so ends the input.
given() {
    wait_until ended "$writer" && exec {to}>&- && to=''
}

# read_all [TEXT]: from now on replies go to the file replies, behind TEXT, which was read before.
read_all() {
    case $kind in
    pipe) { printf '%s' "${1-}" && exec cat; } <&"$from" >replies {to}>&- & ;;
    socket) cat <out >replies {to}>&- & ;;
    terminal) printf '\021' >&"$keys" && return ;; # Ctrl+Q
    esac
    reader=$!
}

# replied COUNT [stopped]: so many numbered commands have their replies, in order, behind that of hire.
replied() {
    local found
    [[ -z $reader ]] || wait_until ended "$reader" || return
    found=$("${PERL[@]}" replied "${drivers[0]}" "$@" <replies) || flaw 'replies were not checked'
    [[ -z $found ]] || flaw "$found"
}

# ends STATUS [SIGNAL]: the server ends with it, by itself or by that signal, and leaves no driver.
ends() {
    local driver status=0 start
    measure
    start=${EPOCHREALTIME/./}
    [[ -z ${2-} ]] || kill "-$2" "$server"
    wait_until ended "$server" || return
    [[ -z ${2-} ]] || stop_ms=$(((${EPOCHREALTIME/./} - start) / 1000))
    for driver in "${drivers[@]}"; do
        ended "$driver" || flaw "driver $driver was left"
    done
    wait_until ended "$runner" || return
    wait "$runner" || status=$?
    ((status == $1)) || flaw "status $status, not $1"
    [[ $stop_ms == - ]] || ((stop_ms <= STOP_MAX_MS)) || flaw "over $STOP_MAX_MS ms to its end"
}

# ---- rows: what clients do

random_bytes() {
    begin pipe && hire || return
    { read -r && exec cksum; } <&"$from" >replies {to}>&- &
    reader=$!
    "${PERL[@]}" bytes "$megabytes" >&"$to" &
    writer=$!
    given && ends 0 && wait_until ended "$reader" || return
    [[ $(<replies) == "$(<expected)" ]] ||
        flaw "sum and size of the replies: $(<replies), expected: $(<expected)"
}

no_newline() {
    begin pipe && hire && read_all || return
    "${PERL[@]}" one_line "$megabytes" >&"$to" &
    writer=$!
    given && ends 0 && wait_until ended "$reader" || return
    [[ $(tail -n +2 replies) == $'Error: line too long (limit 4096 bytes)\nError: unknown command \'x1\''* &&
        $(wc -l <replies) == 3 ]] || flaw "replies: $(head -c 500 replies)"
}

# stopped_driver END COUNT OPTION...: its client is held back, while the server is there for others.
# Then the driver goes on (CONT), or the server is stopped (TERM).
stopped_driver() {
    local stats
    begin pipe "${@:3}" && hire && read_all || return
    kill -STOP "${drivers[0]}"
    wait_until in_state "${drivers[0]}" T || return
    give "$2" "${drivers[0]}"
    wait_until held_back || return
    stats=$(grep -c Stats err)
    kill -USR1 "$server"
    wait_until more_stats "$stats" || return
    if [[ $1 == TERM ]]; then
        ends 0 TERM && due 'did not exit in time: killed' && replied "$2" stopped
    else
        kill -CONT "${drivers[0]}"
        given && ends 0 && replied "$2"
    fi
}

more_stats() {
    (($(grep -c Stats err) > $1))
}

# held KIND COUNT: nobody reads the replies to so many commands, until the server does not read either.
held() {
    begin "$1" && hire || return
    [[ $1 != terminal ]] || printf '\023' >&"$keys" # Ctrl+S
    give "$2"
    wait_until held_back
}

never_reads() {
    held "$1" 1e18 && ends 0 TERM && due 'output that nobody read was dropped'
}

comes_back() {
    held "$1" "$commands" && read_all && given && ends 0 && replied "$commands"
}

# byte_a_second END: for three seconds; then it reads all, or goes on so when the server is stopped.
byte_a_second() {
    local text='' byte
    held pipe "$commands" || return
    for _ in 1 2 3; do
        IFS= read -r -d '' -N 1 -u "$from" byte || flaw 'nothing to read' || return
        text+=$byte
        pause 1
    done
    if [[ $1 == TERM ]]; then
        { while IFS= read -r -N 1 _; do pause 1; done; } <&"$from" {to}>&- &
        ends 0 TERM && due 'output that nobody read was dropped'
    else
        read_all "$text" && given && ends 0 && replied "$commands"
    fi
}

goes_away() {
    held "$1" 1e18 || return
    if [[ $1 == pipe ]]; then
        head -n 1000 <&"$from" >/dev/null
        exec {from}<&-
        from=''
    else
        head -n 1000 <out >/dev/null
    fi
    ends 1 && due '^server: cannot write standard output: (Broken pipe|Connection reset by peer)$'
}

full_disk() {
    begin full || return
    { echo create_driver && exec "${PERL[@]}" numbered "$commands"; } 2>/dev/null 1>&"$to" &
    ends 1 && due '^server: cannot write standard output: No space left on device$'
}

# ---- rows: what drivers do

# ask COMMAND: its reply is read into $reply.
ask() {
    echo "$1" >&"$to"
    IFS= read -r -t "$DEADLINE" -u "$from" reply || flaw "no reply to $1"
}

# bad_driver DEED WAITING WORD: of two drivers, the second has so many commands that it did not answer
# in time; then it does the deed, of which the log has to tell. The first is asked all the while.
bad_driver() {
    local good bad i start us longest_us=0 options=(-t 0.1)
    if [[ $1 != stopped && $1 != killed ]]; then
        # By no variable: what a server hands on of its environment is its own affair.
        printf '#!/bin/sh\nexec "%s" "%s" driver "%s" %s %s\n' \
            "$(command -v perl)" "${PERL[1]}" "$ROOT/driver" "$1" "$2" >driver
        chmod +x driver
        options+=(--driver ./driver)
    fi
    mkfifo go
    exec {keys}<>go
    begin pipe "${options[@]}" && ask create_driver && good=${reply//[^0-9]/} &&
        ask create_driver && bad=${reply//[^0-9]/} || return
    drivers=("$good" "$bad")
    [[ $1 != stopped ]] || kill -STOP "$bad"
    yes "get_status $bad" 2>/dev/null | head -n "$2" >&"$to" &
    for ((i = 0; i < $2; i++)); do
        IFS= read -r -t "$DEADLINE" -u "$from" reply
        [[ $reply == "Error: driver $bad is not responding" ]] || flaw "of the bad one: $reply" || return
    done
    for ((i = 0; i < 200; i++)); do
        if ((i == 100)); then
            case $1 in
            stopped) kill -CONT "$bad" ;;
            killed) kill -KILL "$bad" ;;
            *) echo >&"$keys" ;;
            esac
        fi
        start=${EPOCHREALTIME/./}
        ask "get_status $good" || return
        us=$((${EPOCHREALTIME/./} - start))
        [[ $reply == "Driver $good Available" ]] || flaw "of the good one: $reply" || return
        ((us <= longest_us)) || longest_us=$us
    done
    note=", longest answer $((longest_us / 1000)).$((longest_us / 100 % 10)) ms"
    ((longest_us <= ANSWER_MAX_US)) || flaw 'an answer took too long'
    due "$3" && ends 0 TERM
}

# ---- rows: what many clients do

# at_socket: a server with a driver, and a control socket, that of its clients; the FIFO go
# tells them to go on, and what they say comes to the file said.
at_socket() {
    mkfifo go
    exec {keys}<>go
    begin pipe --listen socket && ask create_driver && drivers=("${reply//[^0-9]/}")
}

# clients DEED...: begins what flood.pl does.
clients() {
    : >said
    "${PERL[@]}" "$@" >said 2>&1 {to}>&- {from}<&- &
    writer=$!
}

has_said() {
    grep -qx "$1" said
}

# A client's process ends by itself, and has no complaint.
leaves() {
    wait_until ended "$writer" || return
    wait "$writer" || flaw "the clients: $(<said)"
}

# crowd_floods END CLIENTS COUNT: so many clients flood and do not read, until none of them is read from.
# Others are answered. Then they read (read), or the server is stopped (TERM).
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

# For one that asks at the control socket, a thousand times. Sets the note.
quick_for_others() {
    local us
    us=$("${PERL[@]}" asks "${drivers[0]}" 1000 2>&1 {to}>&- {from}<&-) || flaw "the one that asks: $us" || return
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

# ---- the table

# row NAME SIZE FUNCTION ARGUMENT...
row() {
    local start=${EPOCHREALTIME/./} tenths
    why='' note='' peak=- stop_ms=- server='' runner='' writer='' reader='' to='' from='' keys=''
    drivers=()
    mkdir "$dir/row" && cd "$dir/row" || exit
    "${@:3}" || [[ -n $why ]] || flaw 'it went no further'
    [[ $peak == - ]] || ((peak <= MEMORY_MAX_KB)) || flaw "over $MEMORY_MAX_KB KiB"
    tenths=$(((${EPOCHREALTIME/./} - start) / 100000))
    printf '%-50s %8s %7s %6s %5s  %s\n' "$1" "$2" "$((tenths / 10)).$((tenths % 10))" \
        "$peak" "$stop_ms" "${why:+WRONG: }${why:-ok}$note"
    if [[ -n $why ]]; then
        wrong=1
        tail -n 3 err
    fi
    sweep
}

# Ends what the row has left over, which is much only where it went wrong.
sweep() {
    local fd job jobs
    jobs=$(jobs -pr) # of this shell, and running: their pids are theirs
    disown -a         # or bash would tell of each that is killed
    [[ -z $server || ! /proc/$server/exe -ef $SERVER ]] || kill -KILL "$server"
    for job in $jobs; do
        kill -KILL "$job" 2>/dev/null
        until ended "$job"; do pause 0.01; done
    done
    for fd in $to $from $keys; do
        exec {fd}>&-
    done
    cd "$ROOT" && rm -rf "$dir/row"
}

make -s || exit
dir=$(mktemp -d)
server='' to='' from='' keys='' wrong=0
trap 'sweep; rm -rf "$dir"' EXIT
trap exit INT TERM HUP
printf '%-50s %8s %7s %6s %5s  %s\n' row size seconds KiB TERM verdict

row 'random bytes' "$megabytes MB" random_bytes
row 'no newline' "$megabytes MB" no_newline
row 'driver stopped, then continued' "$commands" stopped_driver CONT "$commands" -t 1000
full=$((commands > 100000 ? commands : 100000)) # half of them are for the driver
row 'driver stopped, its socket full, then continued' $full stopped_driver CONT $full -t 0.1
row 'driver stopped, then TERM' "$commands" stopped_driver TERM "$commands" -t 1000
for kind in pipe socket terminal; do
    row "reader never reads ($kind), then TERM" endless never_reads $kind
    row "reader comes back ($kind)" "$commands" comes_back $kind
done
row 'reader takes a byte a second, then all' "$commands" byte_a_second all
row 'reader takes a byte a second, then TERM' "$commands" byte_a_second TERM
row 'reader goes away (pipe)' endless goes_away pipe
row 'reader goes away (socket)' endless goes_away socket
row 'full disk' "$commands" full_disk
row '100 clients flood and never read, then TERM' endless crowd_floods TERM 100 1e18
full=$((commands > 200000 ? commands : 200000)) # that of each are more than its socket holds
row '20 clients flood, and read later' $full crowd_floods read 20 $((full / 20))
row 'one client floods and reads, another one asks' endless one_chatters
row 'clients say half a line and go' 1000 half_lines 1000
row 'clients say half a line and stay, then TERM' 1000 half_lines 1000 stay
late='an answer to no request.*killed'
row 'one of two drivers stopped, then continued' 10000 bad_driver stopped 10000 'responds again'
row 'one of two drivers answers late, all it can' 10000 bad_driver answers 10000 "$late"
row 'one of two drivers does so a byte at a time' 10000 bad_driver bytes 10000 "$late"
row 'one of two drivers floods garbage' endless bad_driver garbage 0 'bad frame version.*killed'
row 'one of two drivers floods frames' endless bad_driver ends 0 'the end of no task.*killed'
row 'one of two drivers closes its socket and stays' - bad_driver closes 0 'did not exit in time: killed'
row 'one of two drivers killed' - bad_driver killed 0 'died \(killed by signal 9\)'
exit $wrong
