#!/bin/bash
# Makes system calls of the server and of a driver fail, one at a time, and looks what becomes of it.
#
#   scripts/fault-sweep.sh           a subset, in about a minute
#   scripts/fault-sweep.sh --full    every errno below at every occurrence of its call
#   scripts/fault-sweep.sh --one server/CALL:error=ERRNO:when=K    one run, with its log
#
# A session is run without faults first, under strace(1), to see which calls each program makes and
# how often. Then it is run again for each call, errno and occurrence, with that one call made to
# fail, or the program killed there (strace --inject). What strace cannot do, builds of the programs
# that have it linked in do (tests/faults/inject.c): reads, writes, sends and receives that move one
# byte only; allocations that fail, once or from some moment on; a driver's exec that takes its time,
# while the server is left alone, told to stop, or killed.
#
# Each run must end by itself with status 0 or 1, unless it was killed; leave no driver; give each
# command its reply or one Error; tell of the failure in a reply or in the log if it showed at all;
# and, where the server went on, cost one of the two drivers at most. A table closes it: program,
# call, fault, runs, and how many were borne without a trace, told, fatal to the server, or wrong.
# Any wrong one is a failure.
#
# SWEEP_BUILD names another build of both programs, for coverage.sh; what a run of it counts goes to a
# directory of its own, since the fault may spoil it.
set -u
cd "$(dirname "$0")/.." || exit
ROOT=$PWD
BUILD=$ROOT/${SWEEP_BUILD:-.}
FAULTY=$ROOT/${SWEEP_BUILD:-build/faulty}
PATIENCE=10 # seconds for a reply, and for the end

# The errnos that the man page of each call allows for and that the server could meet. Calls that
# are not here cannot fail as the server uses them (they are named at the end of the table).
errnos() {
    case $1 in
    epoll_wait) echo EINTR EBADF ;;
    dup2 | dup3) echo EMFILE EBUSY ;;
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
    access) echo ENOENT EACCES ;;
    timerfd_settime) echo ENOMEM ;;
    prctl) echo EINVAL ;;
    getsockopt) echo ENOMEM ;;
    mmap) echo ENOMEM ;;
    prlimit64) echo EPERM ;;
    rt_sigprocmask | rt_sigaction) echo EINVAL ;;
    fcntl) echo EBADF EINTR ;;
    newfstatat | fstat) echo ENOMEM ;;
    readlink) echo EACCES ENOMEM ;;
    close_range) echo EMFILE ENOMEM ;;
    esac
}

# The faults that are linked in: CALL KIND OCCURRENCES, more of them than there are.
linked() {
    case $1 in
    server) printf '%s\n' 'read short 15' 'write short 15' 'send short 10' 'recv short 15' \
        'epoll_ctl DEL 10' 'malloc ENOMEM 6' 'calloc ENOMEM 6' 'prctl EPERM 2' 'setpgid EPERM 2' \
        'dup2 EPERM 6' 'setrlimit EPERM 3' 'execve delayed 2' 'execve killed 2' 'execve termed 2' ;;
    driver) printf '%s\n' 'send short 8' 'recv short 8' ;;
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

# The driver in $reply; "none" if there is none, which the server will call a bad pid.
pid_of() {
    [[ $reply =~ ^Driver\ ([0-9]+) ]] && echo "${BASH_REMATCH[1]}" || echo none
}

# What a user does, with two drivers, A and B, the latter of which gets a blow: KILL, or STOP to have
# the server kill it. Returns 1 as soon as the server is gone.
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
    [ "$b" = none ] || kill "-$blow" "$b" 2>/dev/null
    # Whether its death is known by now is a matter of chance; either way it is no fault's cost.
    expect - "delete_driver $b" "Driver $b Deleted" || return
    expect A "delete_driver $a" "Driver $a Deleted" || return
    expect - stats 'Stats *' || return
}

# Starts the server in the working directory, with that fault or without one: PROGRAM/CALL:HOW=WHAT:when=K
# as strace has it, where HOW is "linked" for those that are linked in. Sets tracer, the process that
# was started. A driver that is traced is so by a grandchild of its own (-D): its pid stays what it is.
start() {
    local program=${1%%/*} fault=${1#*/} server=$BUILD/server driver='' faulty=''
    local trace=(strace -qq -o trace ${fault:+--inject="$fault"})
    if [[ $fault =~ ^(.*):linked=(.*):when=(.*)$ ]]; then
        faulty=${BASH_REMATCH[1]}:${BASH_REMATCH[2]}:${BASH_REMATCH[3]}
        trace=(env "FAULT=$faulty")
        [ "$program" = driver ] || server=$FAULTY/server
    fi
    mkfifo in out
    export GCOV_PREFIX=$BUILD/counts/$BASHPID GCOV_PREFIX_STRIP=99
    if [ "$program" = driver ]; then
        # The first driver only.
        printf '%s\n' '#!/bin/bash' "mkdir first 2>/dev/null || exec $BUILD/driver" \
            "export GCOV_PREFIX=$GCOV_PREFIX GCOV_PREFIX_STRIP=99" \
            "exec ${trace[*]} $([ -n "$faulty" ] && echo "$FAULTY/driver" || echo "-D $BUILD/driver")" >wrapper
        chmod +x wrapper
        driver=./wrapper trace=(env)
    fi
    "${trace[@]}" "$server" -t 0.5 -g 0.5 ${driver:+--driver "$driver"} <in >out 2>err &
    tracer=$!
}

# The programs of the run that are still there: those that work in its directory.
left() {
    find /proc/[0-9]*/cwd -maxdepth 0 -lname "$1" 2>/dev/null | tr -cd '0-9\n' | tr '\n' ' '
}

one_run() {
    trap : PIPE # of a server that is gone: the write fails, and the run is judged
    local dir status=0 errors='' explanation='' tracer blow server patience
    dir=$(mktemp -d)
    cd "$dir" || exit
    start "$1"
    exec {to}>in {from}<out
    [[ $1 == server/kill:* ]] && blow=STOP || blow=KILL
    session
    exec {to}>&-
    timeout $PATIENCE tail --pid="$tracer" -f /dev/null || {
        server=$(cat "/proc/$tracer/task/$tracer/children")
        # shellcheck disable=SC2086 # words are wanted
        kill -KILL $server $tracer
        verdict WRONG "does not end; $explanation; $(tr '\n' ' ' <err)"
    }
    wait "$tracer" || status=$?
    explanation+="; $(tr '\n' ' ' <err)"
    cd / || exit
    # A driver that outlives the server does so by a moment only.
    for ((patience = 0; patience < 20; patience++)); do
        [ -n "$(left "$dir")" ] || break
        read -r -t 0.05 <> <(:)
    done
    [ -z "$(left "$dir")" ] || verdict WRONG "left: $(left "$dir")$explanation"
    [[ $status -le 1 || ($status = 137 && $1 == server/*=@(KILL|killed):*) ]] ||
        verdict WRONG "status $status$explanation"
    [[ $1 == */ ]] || grep -qsE 'INJECTED|DELAYED|killed by SIGKILL' "$dir/trace" || verdict unreached
    rm -rf "$dir"
    [ $status != 137 ] || verdict fatal
    if [ $status = 1 ]; then
        [[ $explanation == *server:* ]] || verdict WRONG 'failed without a word'
        verdict fatal "$explanation"
    fi
    # What fails for good is no single fault.
    [[ $errors != *A*B* && $errors != *B*A* || $1 == *+ ]] ||
        verdict WRONG "cost both drivers$explanation"
    [[ $errors == *[AB]* ]] || verdict borne "$explanation"
    verdict told "$explanation"
}

# ---- the sweep

# "PROGRAM CALL FIRST LAST": which occurrences of each call are the program's own. What comes before
# its first, given as a pattern, is the work of the dynamic loader.
calls_of() {
    (
        local errors='' explanation='' tracer blow=KILL
        cd "$(mktemp -d)" || exit
        start "$1/"
        exec {to}>in {from}<out
        session
        exec {to}>&-
        wait "$tracer"
        awk -F'(' -v program="$1" -v begin="$2" '$0 ~ begin { own = 1 }
            { n[$1]++; if (own && !($1 in first)) first[$1] = n[$1] }
            END { for (call in first) print program, call, first[call], n[call] }' trace | sort
        rm -r "$PWD"
    )
}

plan() {
    local program call first last fault k
    while read -r program call first last; do
        # shellcheck disable=SC2046 # words are wanted
        for fault in $(printf 'error=%s\n' $(errnos "$call") | grep '=.') signal=KILL; do
            for ((k = first; k <= last; k++)); do
                # The subset: the first, the last, and some between.
                [ -n "$full" ] || ((k == first || k == last || k % ((last - first) / 3 + 1) == 0)) ||
                    continue
                echo "$program/$call:$fault:when=$k"
            done
        done
    done
}

plan_linked() {
    local program=$1 call kind last k
    linked "$program" | while read -r call kind last; do
        for ((k = 1; k <= last; k++)); do
            echo "$program/$call:linked=$kind:when=$k"
        done
        [ "$call" = execve ] || printf '%s\n' "$program/$call:linked=$kind:when="{1,3,6}+
    done
}

mkdir -p build
full=
case ${1-} in
--one)
    one_run "$2"
    ;;
--run) # from xargs below
    result=$(one_run "$2")
    printf '%s %s\n' "$2" "${result:-WRONG no verdict}"
    exit
    ;;
--full) full=1 ;;
esac
[ -n "${SWEEP_BUILD-}" ] || make -s all faulty || exit

baseline=$(one_run server/)
[[ $baseline == borne* ]] || { echo "without a fault: $baseline" >&2; exit 1; }
{ calls_of server '^fcntl[(]0, F_GETFD' && echo server kill 1 1 && calls_of driver '^getsockopt'; } >build/sweep.calls
{ plan <build/sweep.calls; plan_linked server; plan_linked driver; } | xargs -P 2 -I{} "$0" --run {} >build/sweep.results

echo "program call             fault        runs  borne   told  fatal  WRONG"
sed -E 's,^(server|driver)/([^:]*):[a-z]*=([^:]*):when=[0-9+]* ([^ ]*).*,\1 \2 \3 \4,' \
    build/sweep.results | sort |
    awk '$4 != "unreached" {
             key = sprintf("%-7s %-16s %-11s", $1, $2, $3); n[key]++; v[key, $4]++
             key = sprintf("%-7s %-16s %-11s", $1, "~ all", "~"); n[key]++; v[key, $4]++ }
         END { for (key in n) printf "%s %5d %6d %6d %6d %6d\n", key, n[key], v[key, "borne"],
                   v[key, "told"], v[key, "fatal"], v[key, "WRONG"] }' | LC_ALL=C sort | tr '~' ' '
echo "killed there, but not made to fail: $(while read -r _ call _; do
    [ -n "$(errnos "$call")" ] || echo -n "$call "; done <build/sweep.calls)"
if grep WRONG build/sweep.results; then
    exit 1
fi
[ -s build/sweep.results ] || exit 1
echo "$(grep -cv unreached build/sweep.results) runs, none wrong"
