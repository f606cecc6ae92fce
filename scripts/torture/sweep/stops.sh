# The program "stops" of the sweep: a server at a control socket gets a signal at one of its system
# calls, whichever that is, while its clients run jobs, die in the middle of a line, or wait. See
# programs.sh.
# shellcheck shell=bash

# injection_of CALL:signal=BLOW:when=K: prints what strace injects. TERM2 is TERM, and another one at
# the next call of the kind. They are one if the server has not read the first by then.
injection_of() {
    local k=${1##*=}
    case $1 in
    *=TERM2:*) echo "${1%%:*}:signal=TERM:when=$k..$((k + 1))" ;;
    *) echo "$1" ;;
    esac
}

# Whether the server has made the call at which it gets the signal.
is_reached() {
    local call=${fault#*/}
    (($(grep -c "^${call%%:*}(" trace) >= ${fault##*=}))
}

start_stops() {
    [[ $fault != */*:* ]] || tracing=(strace -qq -o trace --inject="$(injection_of "${fault#*/}")")
    make_deed
    "${tracing[@]}" "$binary/server" "${LIMITS[@]}" --listen socket --drivers 2 --ready-fd 9 9>ready \
        </dev/null >/dev/null 2>err &
    tracer=$!
    ! read -r -t "$PATIENCE" <ready || is_ready=1 # or it has ended
}

# give NUMBER COMMAND...: a client has the server run a job, and writes the reply to a file.
give() {
    timeout "$PATIENCE" "$BUILD/server" --connect socket run any 50 "${@:2}" >"reply.$1" 2>"client.$1"
}

# A client says a command, and the beginning of another one, and is gone.
die_in_mid_line() {
    perl -MSocket -e 'socket $s, AF_UNIX, SOCK_STREAM, 0; connect $s, pack_sockaddr_un("socket") or exit;
        syswrite $s, "get_drivers\nrun any 50 echo half >>ran; rm -rf precious"; kill KILL, $$'
}

# The first job leaves a process, the client of the second is killed while that runs, the third runs
# until the stop, and the fourth waits for a driver until then.
session_stops() {
    givers=()
    (die_in_mid_line) 2>/dev/null
    give 1 ./deed 1
    (give 2 'echo 2 >>ran; exec sleep 50') 2>/dev/null &
    dies=$!
    (die_in_mid_line) 2>/dev/null
    (give 3 'echo 3 >>ran; sleep 50 & exec sleep 50') 2>/dev/null &
    givers+=($!)
    await_deeds 2 3
    (give 4 'echo 4 >>ran') 2>/dev/null &
    givers+=($!)
    # shellcheck disable=SC2046 # each pid is a word
    kill -KILL $(children_of "$dies") 2>/dev/null
    (die_in_mid_line) 2>/dev/null
    [ -n "$(tracee)" ] || return
    [[ $fault != */ ]] || pause 0.1 # the fourth waits, most likely
    kill -TERM "$(tracee)" 2>/dev/null
}

children_of() {
    local pid
    for pid; do
        cat "/proc/$pid/task/$pid/children" 2>/dev/null
    done
}

# Waits until these jobs have begun, or the server has ended.
await_deeds() {
    local i end=$((SECONDS + PATIENCE))
    for i; do
        until grep -qxs "$i" ran || [ -z "$(tracee)" ] || ((SECONDS > end)); do
            pause 0.01
        done
    done
}

# A job that has begun has a Done even at a stop. Only KILL leaves the socket's file. A signal that
# comes before the server has blocked it ends the server, which then has done nothing.
audit_stops() {
    local i deeds reply
    for i in "${givers[@]}"; do
        await_end "$i" || wrong 'a client does not end'
    done
    ! grep -qs half ran || wrong 'half a line was run'
    for i in 1 2 3 4; do
        deeds=$(grep -cxs "$i" ran)
        reply=$(cat "reply.$i" 2>/dev/null)
        ((deeds <= 1)) || wrong "job $i ran $deeds times"
        case $reply in
        Error:* | *\ unrun\ *) ((deeds == 0)) || wrong "job $i ran, but the reply was '$reply'" ;;
        *\ exit\ *) ((deeds == 1)) || wrong "job $i did not run, but the reply was '$reply'" ;;
        'Job '[1-4]' Done cancelled') ;;
        # A driver that is killed at once, or on a busy machine, may not tell how its job has ended.
        'Job '[1-4]' Done lost driver '*) [[ $fault != *=TERM:* ]] || wrong "reply to job $i: '$reply'" ;;
        '') ((deeds == 0 || i == 2)) || [[ $fault = *=KILL:* ]] || wrong "job $i ran, and has no reply" ;;
        *) wrong "reply to job $i: '$reply'" ;;
        esac
    done
    [[ $fault != *=KILL:* ]] || return 0
    [ ! -e socket ] || wrong "the socket's file is left"
    [[ $status = 0 || ($status = 1[34][0-9] && -z $is_ready && ! -s err) ]] || wrong "status $status"
    ! grep -qs 'are left' err || wrong 'something is left'
}
