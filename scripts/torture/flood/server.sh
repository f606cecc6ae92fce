# The server of a row, its commands and its replies. A row works in a directory of its own.
# shellcheck shell=bash

# ---- waiting and measuring

# flaw WHY: makes the row WRONG. Returns 1, so that "|| return" can end the row.
flaw() {
    why+=${why:+; }$*
    return 1
}

# wait_until COMMAND...: repeats the command until it succeeds.
wait_until() {
    local end=$((SECONDS + DEADLINE))
    until "$@"; do
        ((SECONDS < end)) || flaw "waited in vain until: $*" || return
        measure
        pause 0.01
    done
}

# Sets peak to the server's peak memory so far. It is called often, since the memory of a server that
# has ended cannot be read.
measure() {
    local key value
    while read -r key value _; do
        [[ $key != VmHWM: ]] || peak=$value
    done 2>/dev/null <"/proc/$server/status"
}

# Whether the server has stopped reading: it sleeps for a while, and so does the process that writes
# to it.
held_back() {
    local before
    before=$(switches "$server")
    in_state "$server" S && in_state "$writer" S || return
    pause 0.2
    measure
    in_state "$writer" S && [[ $(switches "$server") == "$before" ]]
}

logged() {
    grep -qE "$1" err
}

# due PATTERN: the log must have such a line.
due() {
    wait_until logged "$1"
}

# ---- a server and its end

# begin KIND OPTION...: starts a server whose input is the FIFO "in" and whose log is the file
# "err". Its output is, by KIND:
#
#   pipe       the FIFO "out", which nobody reads yet
#   socket     a socket, whose data goes to that FIFO once the FIFO has a reader
#   terminal   a terminal, whose output goes to the file "replies"
#   full       a full disk
#
# Sets server to its pid, and runner to the pid of the process that ends with its status.
begin() {
    local command=("$SERVER" -g "$GRACE_S" "${@:2}")
    kind=$1
    mkfifo in out keys
    case $kind in
    pipe) "${command[@]}" <in >out 2>err & ;;
    socket) perl "$TORTURE/flood/carry.pl" "${command[@]}" <in 2>err & ;;
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

# Has the server create a driver. The reply is read later, with the others.
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

# ends STATUS [SIGNAL]: sends the signal, if one is given, and checks that the server ends with that
# status and leaves no driver behind.
ends() {
    local driver status=0 start queued_before
    measure
    measure_queue "$server" "${drivers[@]}"
    queued_before=$queued_us queued_most=$queued_us
    measure_queue self
    queued_at_look=$queued_us
    start=${EPOCHREALTIME/./}
    [[ -z ${2-} ]] || kill "-$2" "$server"
    wait_until ended_at_last || return
    [[ -z ${2-} ]] || stop_ms=$(((ended_us - start - (queued_most - queued_before)) / 1000))
    for driver in "${drivers[@]}"; do
        ended "$driver" || flaw "driver $driver is left over"
    done
    wait_until ended "$runner" || return
    wait "$runner" || status=$?
    ((status == $1)) || flaw "status $status instead of $1"
    [[ $stop_ms == - ]] || ((stop_ms <= STOP_MAX_MS)) || flaw "took over $STOP_MAX_MS ms to end"
}

# Whether the server has ended. If so, sets ended_us, less the time that we waited for a processor
# since the last call. If not, notes how long the server and its drivers have waited for one.
ended_at_last() {
    if ended "$server"; then
        ended_us=${EPOCHREALTIME/./}
        measure_queue self
        ended_us=$((ended_us - (queued_us - queued_at_look)))
        return
    fi
    measure_queue "$server" "${drivers[@]}"
    ((queued_us <= queued_most)) || queued_most=$queued_us
    measure_queue self
    queued_at_look=$queued_us
    return 1
}

# ---- commands and replies

# ask COMMAND: sends the command, and reads its reply into $reply.
ask() {
    echo "$1" >&"$to"
    IFS= read -r -t "$DEADLINE" -u "$from" reply || flaw "no reply to $1"
}

# give COUNT [PID]: starts to write numbered commands, and leaves the input open after them.
give() {
    {
        [[ -z $from ]] || exec {from}<&- # or the output would never be without a reader
        exec perl "$TORTURE/flood/commands.pl" numbered "$@"
    } 2>/dev/null 1>&"$to" &
    writer=$!
}

# Waits until everything was written, then ends the input.
given() {
    wait_until ended "$writer" && exec {to}>&- && to=''
}

# read_all [TEXT]: writes all replies from now on to the file "replies", after TEXT, the part that
# was read before.
read_all() {
    case $kind in
    pipe) { printf '%s' "${1-}" && exec cat; } <&"$from" >replies {to}>&- & ;;
    socket) cat <out >replies {to}>&- & ;;
    terminal) printf '\021' >&"$keys" && return ;; # Ctrl+Q
    esac
    reader=$!
}

# replied COUNT [stopped]: checks that COUNT numbered commands have their replies, in order, after
# the reply to hire.
replied() {
    local found
    [[ -z $reader ]] || wait_until ended "$reader" || return
    found=$(perl "$TORTURE/flood/commands.pl" replied "${drivers[0]}" "$@" <replies) ||
        flaw 'cannot check the replies'
    [[ -z $found ]] || flaw "$found"
}
