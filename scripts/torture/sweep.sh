#!/bin/bash
# Makes system calls of the programs fail, one at a time, and looks what becomes of it.
#
#   scripts/torture/sweep.sh           a subset, in about a minute
#   scripts/torture/sweep.sh --full    every errno below at every occurrence of its call
#   scripts/torture/sweep.sh --one PROGRAM/CALL:error=ERRNO:when=K    one run, with its log
#
# The programs, each with a session of its own:
#
#   server    commands at standard input, two drivers
#   driver    the same session; the fault is in the first driver
#   control   a server that listens and keeps a driver: commands at its control socket, each by a
#             connection of its own, and some by one that lasts; the kept driver is killed
#   client    server --connect, with commands at standard input; the server it talks to has no fault
#   words     server --connect, with one command, in its arguments
#
# A session is run without faults first, under strace(1), to see which calls the program makes and
# how often. Then it is run again for each call, errno and occurrence, with that one call made to
# fail, or the program killed there (strace --inject). What strace cannot do, builds of the programs
# that have it linked in do (tests/faults/inject.c): reads, writes, sends and receives that move one
# byte only; closes that fail, and have closed; allocations that fail, once or from some moment on; a
# driver's exec that takes its time, while the server is left alone, told to stop, or killed.
#
# Each run must end by itself with status 0 or 1 (a client: or 3), unless it was killed; leave no
# driver; give each command its reply or one Error; tell of the failure in a reply, in the log or by
# the status, if it showed at all; and, where the server went on, cost one driver or one connection
# at most. The control socket's file is removed, or the log says why not, and another server can
# listen there at once, even where the first was killed. Such a server, once it is ready, is there until
# it is told to stop: only an epoll_wait(2) that fails may end it. A client that ends with status 0 has
# all replies, and its server and the drivers take no harm from any of its faults. A table closes it:
# program, call, fault, runs, and how many were borne without a trace, told, fatal to the program, or
# wrong. Any wrong one is a failure.
#
# SWEEP_BUILD names another build of both programs, for coverage.sh; what a run of it counts goes to a
# directory of its own, since the fault may spoil it.
set -u
cd "$(dirname "$0")/../.." || exit
ROOT=$PWD
BUILD=$ROOT/${SWEEP_BUILD:-.}
FAULTY=$ROOT/${SWEEP_BUILD:-build/faulty}
PATIENCE=10 # seconds for a reply, and for the end
PROGRAMS=(server driver control client words)

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
    access) echo ENOENT EACCES ;;
    timerfd_settime) echo ENOMEM ;;
    prctl) echo EINVAL ;;
    getsockopt) echo ENOMEM ;;
    mmap) echo ENOMEM ;;
    prlimit64) echo EPERM ;;
    rt_sigprocmask | rt_sigaction) echo EINVAL ;;
    fcntl) echo EBADF EINTR ;;
    newfstatat | fstat | lstat) echo ENOMEM ;;
    socket) echo EMFILE ENFILE ENOMEM ENOBUFS ;;
    bind) echo EADDRINUSE EACCES ENOMEM EROFS ;;
    listen) echo EADDRINUSE ;;
    accept4) echo EINTR EAGAIN ECONNABORTED EMFILE ENFILE ENOMEM ENOBUFS ;;
    connect) echo EINTR EAGAIN ECONNREFUSED EACCES ;;
    flock) echo EINTR ENOLCK ;;
    unlink) echo EACCES EBUSY EROFS ;;
    readlink) echo EACCES ENOMEM ;;
    close_range) echo EMFILE ENOMEM ;;
    esac
}

# The faults that are linked in: CALL KIND OCCURRENCES, more of them than there are.
linked() {
    case $1 in
    server) printf '%s\n' 'read short 15' 'write short 15' 'send short 10' 'recv short 15' \
        'close EIO 30' 'epoll_ctl DEL 10' 'malloc ENOMEM 6' 'calloc ENOMEM 6' 'prctl EPERM 2' 'setpgid EPERM 2' \
        'dup2 EPERM 6' 'setrlimit EPERM 3' 'execve delayed 2' 'execve killed 2' 'execve termed 2' ;;
    driver) printf '%s\n' 'send short 8' 'recv short 8' 'close EIO 3' 'execvp delayed 2' 'execvp killed 2' ;;
    control) printf '%s\n' 'send short 25' 'recv short 30' 'epoll_ctl ADD 30' 'epoll_ctl MOD 10' \
        'epoll_ctl DEL 30' 'close EIO 50' 'malloc ENOMEM 7' 'calloc ENOMEM 6' 'execve delayed 3' 'execve killed 3' \
        'execve termed 3' ;;
    client) printf '%s\n' 'read short 10' 'write short 10' 'send short 10' 'recv short 10' \
        'epoll_ctl ADD 20' 'epoll_ctl MOD 10' 'epoll_ctl DEL 10' 'close EIO 6' 'malloc ENOMEM 3' ;;
    words) printf '%s\n' 'write short 3' 'send short 3' 'recv short 3' 'epoll_ctl ADD 3' \
        'epoll_ctl MOD 3' 'epoll_ctl DEL 3' 'close EIO 3' 'malloc ENOMEM 3' ;;
    esac
}

# ---- one run: prints "verdict explanation"

verdict() {
    echo "$1 ${2-}"
    cd / && rm -rf "$dir"
    exit
}

# Whatever is left of the run is ended.
wrong() {
    local log
    log=$(tr '\n' ' ' <err)
    cd / || exit
    # shellcheck disable=SC2046 # words are wanted
    kill -KILL $(left) 2>/dev/null
    verdict WRONG "$*$explanation; $log"
}

# What went wrong for WHO: a driver, a connection, or "-", which counts for nobody.
failed() {
    [ "$1" = - ] || errors+="$1"$'\n'
    explanation+="; $2"
}

# The pid in a reply; "none" if there is none, which the server will call a bad pid.
pid_of() {
    [[ $1 =~ ^Driver\ ([0-9]+) ]] && echo "${BASH_REMATCH[1]}" || echo none
}

# The reply to a command is this one, or an Error, which goes against WHO.
judge() {
    local who=$1 command=$2 pattern=$3
    # shellcheck disable=SC2053 # a pattern is what is wanted
    [[ $reply == $pattern ]] && return
    [[ $reply == *'Error: '* ]] || wrong "to '$command' came '$reply'"
    failed "$who" "$reply"
}

# Reads a line into $reply, in time, unless the fault is there to stay. Returns 1 if there is none.
hear() {
    local status
    IFS= read -r -t "$reply_patience" -u "$from" reply
    status=$?
    ((status <= 128)) || [ -n "$lasts" ] || wrong "no reply to '$1'"
    return $((status > 0))
}

# expect WHO COMMAND PATTERN: says it and reads the reply into $reply. Of a list that is the last
# line. Returns 1 if nobody is there any more.
expect() {
    { echo "$2" >&"$to"; } 2>/dev/null || return 1
    while :; do
        hear "$2" || return 1
        [[ $2 == get_drivers && $reply == Driver* ]] || break
        first=${first:-$(pid_of "$reply")}
    done
    judge "$@"
}

# ask WHO PATTERN WORD...: the same by a connection of its own. The loss of it goes against WHO.
ask() {
    local who=$1 pattern=$2 status=0
    shift 2
    reply=$(timeout "$reply_patience" "$BUILD/server" --connect socket "$@" 2>client.err) || status=$?
    case $status in
    0 | 1) is_ready=1 && judge "$who" "$*" "$pattern" ;;
    3)
        failed "$who" "to '$*': $(cat client.err)"
        return 1
        ;;
    124)
        [ -n "$lasts" ] || wrong "no reply to '$*'"
        return 1
        ;;
    *) wrong "'$*' ends with status $status: $(cat client.err)" ;;
    esac
}

# Waits until that process has ended.
await_end() {
    timeout $PATIENCE tail -s 0.02 --pid="$1" -f /dev/null
}

moment() {
    read -r -t "${1-0.05}" <> <(:)
}

# What a user does, with two drivers, A and B, the latter of which gets a blow: KILL, or STOP to have
# the server kill it. Returns 1 as soon as the server is gone.
session_server() {
    local a b busy=Busy
    expect A create_driver 'Driver * Available' || return
    a=$(pid_of "$reply")
    expect B create_driver 'Driver * Available' || return
    b=$(pid_of "$reply")
    expect A "send_task $a 50" "Driver $a Busy 50" || return
    expect B "send_task $b 0.01" "Driver $b Busy 1" || return
    [ -z "$errors" ] || busy='[AB]' # its task was taken back
    expect A "get_status $a" "Driver $a $busy*" || return
    expect - get_drivers '[012] driver*' || return
    expect - fly "Error: unknown command 'fly' (try help)" || return
    expect A "cancel_task $a" "Driver $a Available" || return
    expect A "run $a 5 sleep 50 & exit 4" "Driver $a Done exit 4" || return
    expect A "run $a 0.05 sleep 50" "Driver $a Done timeout" || return
    { echo "run $b 50 $orphan sleep 50" >&"$to"; } 2>/dev/null || return
    moment # for the command to run; but the blow may as well come before
    [ "$b" = none ] || kill "-$blow" "$b" 2>/dev/null
    { echo "delete_driver $b" >&"$to"; } 2>/dev/null || return
    hear run || return
    judge - run 'Error: *' # it has died, or does not respond
    # Whether its death is known by now is a matter of chance; either way it is no fault's cost.
    hear delete_driver || return
    judge - delete_driver "Driver $b Deleted"
    expect A "delete_driver $a" "Driver $a Deleted" || return
    expect - stats 'Stats *' || return
}

# With one driver that is kept, A, another, B, and a connection that lasts, L. What has failed once
# may fail again behind that, and goes against the same. Where the server is gone, all fails at once.
session_control() {
    local a b busy=Busy
    "$BUILD/server" --connect socket <in >out 2>long.err &
    exec {to}>in {from}<out
    expect A get_drivers '[01] driver*' || failed L 'the connection that lasts is lost'
    a=${first:-none}
    ask A 'Driver * Busy 50' send_task any 50
    [ "$a" != none ] || a=$(pid_of "$reply")
    { echo wait >&"$to"; } 2>/dev/null
    [ -z "$errors" ] || busy='[AB]'
    ask A "Driver $a $busy*" get_status "$a"
    ask B 'Driver * Available' create_driver
    b=$(pid_of "$reply")
    ask B "Driver $b Busy 1" send_task "$b" 0.01
    ask B "Driver $b Available" wait "$b"
    ask A "Driver $a Available" cancel_task "$a" || ask A '*' cancel_task "$a"
    hear wait || failed L 'the connection that lasts is lost'
    [[ $blow = KILL || $b = none ]] || kill "-$blow" "$b" 2>/dev/null
    ask B "Driver $b Deleted" delete_driver "$b"
    [ "$a" = none ] || kill -KILL "$a" 2>/dev/null
    await_replacement
    ask A 'Driver * Busy 1' send_task any 0.01
    ask C "Error: unknown command 'fly' (try help)" fly
    expect L stats 'Stats *' || failed L 'the connection that lasts is lost'
    [ -n "$(tracee)" ] || early=1
    ask - '' shutdown || kill -TERM "$(tracee)" 2>/dev/null || true # it may have ended all the same
}

await_replacement() {
    local patience
    for ((patience = 0; patience < 20 * PATIENCE; patience++)); do
        [[ -n $(tracee) && -z $lasts ]] || return
        ask D '{"uptime":*}' --json stats
        [[ $reply != *'"starting":0,'*'"replaced":'[1-9]* ]] || return
        # It has left as one that got SIGTERM.
        ! grep -qs 'died (exited with status 0)' err || grep -qs ': killed$' err || return
        moment
    done
    wrong 'no driver replaces the one that died'
}

session_client() {
    local b
    expect C get_drivers '1 driver' || return
    [ "$first" = "$kept" ] || wrong "driver $first, not $kept, is listed"
    expect C create_driver 'Driver * Available' || return
    b=$(pid_of "$reply")
    expect C "send_task $b 50" "Driver $b Busy 50" || return
    expect C "get_status $b" "Driver $b Busy *" || return
    expect C "cancel_task $b" "Driver $b Available" || return
    expect C "delete_driver $b" "Driver $b Deleted" || return
    expect C stats 'Stats *' || return
}

session_driver() {
    session_server
}

session_words() {
    reply=$(timeout $PATIENCE cat <&"$from"; echo .)
    [ "$reply" = "Driver $kept Available"$'\n''1 driver'$'\n.' ]
}

# The process under the tracer, or what it is itself; nothing once it has ended.
tracee() {
    local child=
    [ ! -e "/proc/$tracer" ] || child=$(cat "/proc/$tracer/task/$tracer/children" 2>/dev/null)
    if [[ ${tracing[0]} = strace ]]; then
        echo "${child% }"
    elif [[ -e /proc/$tracer ]]; then
        echo "$tracer"
    fi
}

# A server without a fault at the control socket; sets its pid, $server, and that of its driver, $kept.
serve() {
    local ready
    "$BUILD/server" --listen socket --drivers 1 --ready-fd 9 9>ready </dev/null >/dev/null 2>server.err &
    server=$!
    exec {ready}<ready
    read -r -t $PATIENCE -u "$ready" || wrong "no server can listen: $(cat server.err)"
    exec {ready}<&-
    ask - 'Driver * Available*1 driver' get_drivers
    kept=$(pid_of "$reply")
}

# The server without a fault is there, with its driver, and ends when it is told to.
serves() {
    local status=0
    ask - "Driver $kept Available"$'\n*driver*' get_drivers || wrong 'it does not serve any more'
    [[ $reply == *driver? || $reply == *driver ]] || wrong "get_drivers: $reply"
    ask - '' shutdown || wrong 'it cannot be stopped'
    await_end "$server" || wrong 'the server does not end'
    wait "$server" || status=$?
    [ $status = 0 ] || wrong "the server ends with status $status: $(cat server.err)"
}

# start PROGRAM/FAULT: starts the program in the working directory, with that fault or, if it is empty,
# without one: CALL:HOW=WHAT:when=K as strace has it, where HOW is "linked" for those that are linked
# in. Sets tracer, the process that was started.
start() {
    local fault=${1#*/} faulty='' binary=$BUILD
    program=${1%%/*}
    tracing=(strace -qq -o trace ${fault:+--inject="$fault"})
    if [[ $fault =~ ^(.*):linked=(.*):when=(.*)$ ]]; then
        faulty=${BASH_REMATCH[1]}:${BASH_REMATCH[2]}:${BASH_REMATCH[3]}
        tracing=(env "FAULT=$faulty") binary=$FAULTY
    fi
    mkfifo in out ready
    export GCOV_PREFIX=$BUILD/counts/$BASHPID GCOV_PREFIX_STRIP=99
    "start_$program"
}

start_server() {
    "${tracing[@]}" "$binary/server" "${LIMITS[@]}" <in >out 2>err &
    tracer=$!
    exec {to}>in {from}<out
}
LIMITS=(-t 2 -g 0.5)

# The first driver only. It is traced by a grandchild of its own (-D): its pid stays what it is.
start_driver() {
    [ -n "$faulty" ] || tracing+=(-D)
    printf '%s\n' '#!/bin/bash' "mkdir first 2>/dev/null || exec $BUILD/driver" \
        "export GCOV_PREFIX=$GCOV_PREFIX GCOV_PREFIX_STRIP=99" \
        "exec ${tracing[*]} $binary/driver" >wrapper
    chmod +x wrapper
    tracing=(env)
    "$BUILD/server" "${LIMITS[@]}" --driver ./wrapper <in >out 2>err &
    tracer=$!
    exec {to}>in {from}<out
}

# It finds the socket of a server that is dead, and somebody who started it and waits.
start_control() {
    local patience
    cp -a "$STALE" socket
    NOTIFY_SOCKET=$NOTIFIED "${tracing[@]}" "$binary/server" "${LIMITS[@]}" --listen socket \
        --drivers 1 --ready-fd 9 9>ready </dev/null >/dev/null 2>err &
    tracer=$!
    cat <ready >said &
    for ((patience = 0; patience < (lasts ? 50 : 100 * PATIENCE); patience++)); do
        if [ -s said ] || grep -qs 'cannot write to descriptor 9' err; then
            is_ready=1
            return
        fi
        [ -e "/proc/$tracer" ] || return
        moment 0.01
    done
    [ -n "$lasts" ] || wrong 'it does not say that it is ready'
}

start_client() {
    serve
    "${tracing[@]}" "$binary/server" --connect socket <in >out 2>err &
    tracer=$!
    exec {to}>in {from}<out
}

start_words() {
    serve
    "${tracing[@]}" "$binary/server" --connect socket get_drivers </dev/null >out 2>err &
    tracer=$!
    exec {from}<out
}
# The programs of the run that are still there: those that work in its directory.
left() {
    find /proc/[0-9]*/cwd -maxdepth 0 -lname "$dir" 2>/dev/null | tr -cd '0-9\n' | tr '\n' ' '
}

# A driver that outlives the server does so by a moment only.
none_left() {
    local patience
    cd / || exit
    for ((patience = 0; patience < 20; patience++)); do
        [ -n "$(left)" ] || break
        moment
    done
    [ -z "$(left)" ] || wrong "left: $(left)"
    cd "$dir" || exit
}

# Whether the session was to cost less than it did.
audit_server() {
    [[ $status = [01] || $program/$status = control/2 ]] || wrong "status $status"
    ((status >= 1)) || [ -n "$lasts$complete" ] || wrong 'it ends too early'
    ((status >= 1)) || [ -n "$lasts" ] || (($(sort -u <<<"$errors" | grep -c .) <= 1)) ||
        wrong "cost more than one: ${errors//$'\n'/ }"
}

audit_control() {
    audit_server
    # Once it is ready nothing but that ends it.
    [ -z "$is_ready" ] || [[ $1 == control/epoll_wait:error=* ]] || {
        [ "$status" = 0 ] || wrong "status $status, though it was ready"
        [ -z "$early" ] || [[ $1 == *=termed:* ]] || wrong 'it has ended before it was told to, though it was ready'
    }
    # That of the dead server, which it may not have come to, can be told from its own, of mode 0600.
    [[ ! -e socket || -x socket ]] || grep -qs 'cannot remove socket' err || wrong "the socket's file is left"
}

audit_client() {
    ((status <= 1 || status == 3)) || wrong "status $status"
    ((status > 0)) || [ -n "$complete" ] || wrong 'status 0, and replies are missing'
}

one_run() {
    trap : PIPE # of who is gone: the write fails, and the run is judged
    local dir program tracing tracer server kept status=0 blow=KILL lasts='' killed='' complete=''
    local is_ready='' early='' orphan='sleep 50 &'
    local to='' from='' first='' errors='' explanation='' reply='' reply_patience=$PATIENCE
    dir=$(mktemp -d "$RUNS/XXXXXX") || exit
    cd "$dir" || exit
    [[ $1 != */kill:* ]] || blow=STOP
    [[ $1 != *+ && $1 != *=termed:* ]] || lasts=1 reply_patience=0.5
    [[ $1 != [^d]*=@(KILL|killed):* ]] || killed=1
    # Where driver and server are killed at one stroke, or it cannot adopt, nobody finds what a command left.
    [[ -z $killed && $1 != server/prctl:* ]] || orphan=
    start "$1"
    "session_$program" && complete=1
    [ -z "$to" ] || exec {to}>&-
    await_end "$tracer" || {
        # shellcheck disable=SC2046 # words are wanted
        kill -KILL $(tracee) "$tracer"
        wrong 'it does not end'
    }
    wait "$tracer" || status=$?
    explanation+="; $(tr '\n' ' ' <err)"
    [[ $program != @(server|driver|control) ]] || none_left
    if [ -z "$killed" ] || [ $status != 137 ]; then
        case $program in
        server | driver) audit_server ;;
        control) audit_control "$1" ;;
        *) audit_client ;;
        esac
    fi
    [ "$program" != control ] || serve
    [[ $program != @(control|client|words) ]] || serves
    none_left
    if [[ $1 == */ ]]; then
        cp trace "$ROOT/build/sweep.trace.$program"
    elif ! grep -qsE 'INJECTED|DELAYED|killed by SIGKILL' trace; then
        verdict unreached
    fi
    [ $status != 137 ] || verdict fatal
    if [ $status != 0 ]; then
        [[ $explanation == *server:* ]] || verdict WRONG 'failed without a word'
        verdict fatal "$explanation"
    fi
    [[ -n $errors || $explanation == *'server: cannot'* ]] || verdict borne "$explanation"
    verdict told "$explanation"
}

# ---- the sweep

# "PROGRAM CALL FIRST LAST": which occurrences of each call are the program's own, by the trace of a
# run without a fault. What comes before its first is the work of the dynamic loader.
calls_of() {
    local baseline begin='^fcntl[(]0, F_GETFD'
    [ "$1" != driver ] || begin='^getsockopt'
    baseline=$(one_run "$1/")
    [[ $baseline == borne* ]] || { echo "$1, without a fault: $baseline" >&2; return 1; }
    awk -F'(' -v program="$1" -v begin="$begin" '$0 ~ begin { own = 1 }
        { n[$1]++; if (own && !($1 in first)) first[$1] = n[$1] }
        END { for (call in first) print program, call, first[call], n[call] }' "build/sweep.trace.$1" |
        sort
    # In that run none has to be killed.
    [[ $1 != @(server|control) ]] || echo "$1 kill 1 1"
}

plan() {
    local program call first last fault k between
    while read -r program call first last; do
        [ "$program" = control ] && between=1 || between=3
        # shellcheck disable=SC2046 # words are wanted
        for fault in $(printf 'error=%s\n' $(errnos "$call") | grep '=.') signal=KILL; do
            for ((k = first; k <= last; k++)); do
                # The subset: the first, the last, and some between.
                [[ -n $full && $program/$call != control/rt_sigaction ]] || ((k == first || k == last || k % ((last - first) / between + 1) == 0)) ||
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
--run) # from xargs below
    result=$(one_run "$2")
    printf '%s %s\n' "$2" "${result:-WRONG no verdict}"
    exit
    ;;
--full) full=1 ;;
esac
[ -n "${SWEEP_BUILD-}" ] || make -s all faulty || exit

RUNS=$(mktemp -d) || exit # with a directory for each
export RUNS

# What a server's surroundings have for it: the file of one that is dead, and who started it, who hears
# what it says.
export STALE=$RUNS/stale NOTIFIED=@taxi-sweep-$$
perl -MSocket -e 'socket(S, AF_UNIX, SOCK_STREAM, 0) && bind(S, pack_sockaddr_un($ARGV[0])) or die $!;
    socket(N, AF_UNIX, SOCK_DGRAM, 0) && bind(N, pack_sockaddr_un("\0" . substr $ARGV[1], 1)) or die $!;
    1 while defined recv N, $_, 4096, 0' "$STALE" "$NOTIFIED" &
surroundings=$!
trap 'kill "$surroundings"; rm -rf "$RUNS"' EXIT
until [ -e "$STALE" ]; do moment; done

if [ "${1-}" = --one ]; then
    one_run "$2"
fi
for program in "${PROGRAMS[@]}"; do
    calls_of "$program" || exit
done >build/sweep.calls
{
    plan <build/sweep.calls
    for program in "${PROGRAMS[@]}"; do
        plan_linked "$program"
    done
} | xargs -P $((2 * $(nproc))) -I{} "$0" --run {} >build/sweep.results

echo "program call             fault        runs  borne   told  fatal  WRONG"
sed -E 's,^([a-z]*)/([^:]*):[a-z]*=([^:]*):when=[0-9+]* ([^ ]*).*,\1 \2 \3 \4,' \
    build/sweep.results | sort |
    awk '$4 != "unreached" {
             key = sprintf("%-7s %-16s %-11s", $1, $2, $3); n[key]++; v[key, $4]++
             key = sprintf("%-7s %-16s %-11s", $1, "~ all", "~"); n[key]++; v[key, $4]++ }
         END { for (key in n) printf "%s %5d %6d %6d %6d %6d\n", key, n[key], v[key, "borne"],
                   v[key, "told"], v[key, "fatal"], v[key, "WRONG"] }' | LC_ALL=C sort | tr '~' ' '
echo "killed there, but not made to fail: $(while read -r _ call _; do
    [ -n "$(errnos "$call")" ] || echo "$call"; done <build/sweep.calls | sort -u | tr '\n' ' ')"
if grep WRONG build/sweep.results; then
    exit 1
fi
[ -s build/sweep.results ] || exit 1
echo "$(grep -cv unreached build/sweep.results) runs, none wrong"
