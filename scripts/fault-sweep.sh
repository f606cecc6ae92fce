#!/bin/bash
# Makes system calls of the server fail, one at a time, and checks what becomes of it.
#
#   scripts/fault-sweep.sh           a subset, in about two minutes
#   scripts/fault-sweep.sh --full    every errno below at every occurrence of its call
#   scripts/fault-sweep.sh --one CALL:error=ERRNO:when=K    one run, with its log
#
# A session is run without faults first, under strace(1), to see which calls the server makes and
# how often. Then it is run again for each call, errno and occurrence, with that one call made to
# fail (strace --inject). Each run must end by itself with status 0 or 1; leave no driver; give each
# command its reply or one Error; tell of the failure in a reply or in the log if it showed at all;
# and, where the server went on, cost one of the two drivers at most. A table closes it: call, errno,
# runs, and how many were borne without a trace, told, fatal, or wrong. Any wrong one is a failure.
set -u
cd "$(dirname "$0")/.."
ROOT=$PWD
PATIENCE=10 # seconds for a reply, and for the end

# The errnos that the man page of each call allows for and that the server could meet. Calls that
# are not here cannot fail as the server uses them (they are named at the end of the table).
errnos() {
    case $1 in
    epoll_wait) echo EINTR ;;
    epoll_ctl) echo ENOMEM ENOSPC ;;
    epoll_create1 | signalfd4 | timerfd_create) echo EMFILE ENFILE ENOMEM ;;
    socketpair) echo EMFILE ENFILE ENOMEM ;;
    read) echo EINTR EAGAIN EIO ;;
    write) echo EINTR EAGAIN EIO ENOSPC EPIPE ;;
    recvfrom) echo EINTR EAGAIN ENOMEM ECONNRESET ;;
    sendto) echo EINTR EAGAIN ENOMEM ENOBUFS ECONNRESET EPIPE ;;
    wait4) echo EINTR ECHILD ;;
    kill) echo EPERM ESRCH ;;
    clone | vfork | clone3) echo EAGAIN ENOMEM ;;
    openat | open) echo EMFILE ENFILE ENOMEM EACCES ;;
    close) echo EINTR EIO ;;
    timerfd_settime) echo ENOMEM ;;
    mmap) echo ENOMEM ;;
    prlimit64) echo EPERM ;;
    rt_sigprocmask | rt_sigaction) echo EINVAL ;;
    fcntl) echo EBADF EINTR ;;
    newfstatat | fstat) echo ENOMEM ;;
    readlink) echo EACCES ENOMEM ;;
    close_range) echo EMFILE ENOMEM ;;
    esac
}

# ---- one run: prints "verdict explanation"

verdict() {
    echo "$1 ${2-}"
    exit
}

# say COMMAND: its reply is read into $reply; a list's last line, all of them have to be in order.
say() {
    # A server that has ended early is judged when it is reaped.
    { echo "$1" >&"$to"; } 2>/dev/null || return 1
    while :; do
        IFS= read -r -t $PATIENCE -u "$from" reply || return 1
        [[ $1 == get_drivers* && $reply == Driver* ]] || break
    done
    return 0
}

# expect COMMAND PATTERN: the reply is that, or an Error, which counts against who (A, B or -).
expect() {
    local who=$1
    say "$2" || return 1
    # shellcheck disable=SC2053
    [[ $reply == $3 ]] && return
    [[ $reply == 'Error: '* ]] || verdict WRONG "to '$2' came '$reply'"
    errors+=$who
    explanation+="; $reply"
}

pid_of() {
    [[ $reply =~ ^Driver\ ([0-9]+) ]] && echo "${BASH_REMATCH[1]}" || echo 1
}

# What a user does, with two drivers, A and B. Returns 1 as soon as the server is gone.
session() {
    local a b
    expect A create_driver 'Driver * Available' || return
    a=$(pid_of)
    expect B create_driver 'Driver * Available' || return
    b=$(pid_of)
    expect A "send_task $a 50" "Driver $a Busy 50" || return
    expect B "send_task $b 0.01" "Driver $b Busy 1" || return
    expect A "get_status $a" "Driver $a Busy *" || return
    expect - get_drivers '[012] driver*' || return
    expect - fly "Error: unknown command 'fly' (try help)" || return
    expect A "cancel_task $a" "Driver $a Available" || return
    kill -KILL "$b" 2>/dev/null || true
    # Whether its death is known by now is a matter of chance; either way it is no fault's cost.
    expect - "delete_driver $b" "Driver $b Deleted" || return
    expect A "delete_driver $a" "Driver $a Deleted" || return
    expect - stats 'Stats *' || return
}

one_run() {
    local dir status=0 errors='' explanation='' tracer server left
    dir=$(mktemp -d)
    cd "$dir" || exit
    mkfifo in out
    # The drivers carry the name of this directory in their environment, to be found by it.
    SWEEP=$dir strace -qq -o trace ${1:+--inject="$1"} "$ROOT/server" -t 0.5 -g 0.5 \
        <in >out 2>err &
    tracer=$!
    exec {to}>in {from}<out
    session
    exec {to}>&-
    timeout $PATIENCE tail --pid=$tracer -f /dev/null || {
        server=$(cat "/proc/$tracer/task/$tracer/children")
        # shellcheck disable=SC2086
        kill -KILL $server $tracer
        verdict WRONG "does not end; $explanation; $(tr '\n' ' ' <err)"
    }
    wait $tracer || status=$?
    left=$(grep -lza "^SWEEP=$dir$" /proc/[0-9]*/environ 2>/dev/null | tr '\n' ' ')
    explanation+="; $(tr '\n' ' ' <err)"
    cp err "$ROOT/build/sweep.err" 2>/dev/null
    [ -z "$left" ] || verdict WRONG "left: $left$explanation"
    [ $status -le 1 ] || verdict WRONG "status $status$explanation"
    grep -q INJECTED trace || [ -z "${1-}" ] || verdict unreached
    cd / && rm -rf "$dir"
    if [ $status = 1 ]; then
        [[ $explanation == *server:* ]] || verdict WRONG 'failed without a word'
        verdict fatal "$explanation"
    fi
    [[ $errors != *A*B* && $errors != *B*A* ]] || verdict WRONG "cost both drivers$explanation"
    [[ $errors == *[AB]* ]] || verdict borne "$explanation"
    verdict told "$explanation"
}

# ---- the sweep

# "CALL FIRST LAST": which occurrences of each call are the server's own. What comes before its first,
# fcntl(0, F_GETFD), is the work of the dynamic loader.
calls_of() {
    awk -F'(' '/^fcntl\(0, F_GETFD/ { own = 1 }
               { n[$1]++; if (own && !($1 in first)) first[$1] = n[$1] }
               END { for (call in first) print call, first[call], n[call] }' "$1" | sort
}

plan() {
    local call first last errno k
    while read -r call first last; do
        for errno in $(errnos "$call"); do
            for ((k = first; k <= last; k++)); do
                # The subset: the first, the last, and some between.
                [ -n "$full" ] || ((k == first || k == last || k % ((last - first) / 3 + 1) == 0)) ||
                    continue
                echo "$call:error=$errno:when=$k"
            done
        done
    done
}

mkdir -p build
full=
case ${1-} in
--one)
    one_run "$2"
    ;;
--run) # from xargs below
    printf '%s %s\n' "$2" "$(one_run "$2")"
    exit
    ;;
--full) full=1 ;;
esac
make -s || exit

baseline=$(one_run)
[[ $baseline == borne* ]] || { echo "without a fault: $baseline" >&2; exit 1; }
(
    cd "$(mktemp -d)" || exit
    mkfifo in out
    strace -qq -o trace "$ROOT/server" -t 0.5 -g 0.5 <in >out 2>/dev/null &
    errors='' explanation=''
    exec {to}>in {from}<out
    session
    exec {to}>&-
    wait
    calls_of trace
    rm -r "$PWD"
) >build/sweep.calls
plan <build/sweep.calls | xargs -P 2 -I{} "$0" --run {} >build/sweep.results

echo "call             errno        runs  borne   told  fatal  WRONG"
sed 's/^\([^:]*\):error=\([^:]*\):when=[0-9]* \([^ ]*\).*/\1 \2 \3/' build/sweep.results | sort |
    awk '{ key = sprintf("%-16s %-11s", $1, $2); if ($3 != "unreached") { keys[key] = 1; n[key]++; v[key, $3]++ } }
         END { for (key in keys) printf "%s %5d %6d %6d %6d %6d\n", key, n[key], v[key, "borne"],
                   v[key, "told"], v[key, "fatal"], v[key, "WRONG"] }' | sort
echo "not made to fail: $(while read -r call _; do [ -n "$(errnos "$call")" ] || echo -n "$call "; done <build/sweep.calls)"
if grep WRONG build/sweep.results; then
    exit 1
fi
echo "$(wc -l <build/sweep.results) runs, none wrong"
