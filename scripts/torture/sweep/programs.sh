# For each program of the sweep: start_PROGRAM starts it, session_PROGRAM uses it as a user would,
# and audit_PROGRAM checks how it ended. A session returns 1 as soon as the program is gone.
# shellcheck shell=bash

# ---- server: two drivers

start_server() {
    make_deed
    "${tracing[@]}" "$binary/server" "${LIMITS[@]}" <in >out 2>err &
    tracer=$!
    exec {to}>in {from}<out
}

# Makes a program that a driver runs without a shell.
make_deed() {
    printf '%s\n' '#!/bin/sh' 'echo $1 >>ran' 'sleep 50 &' 'exit 4' >deed
    chmod +x deed
}

# A is the first driver. B, the second, gets the signal $blow: KILL, or STOP so that the server has
# to kill it.
session_server() {
    local a b busy=Busy
    expect A create_driver 'Driver * Available' || return
    a=$(pid_of "$reply")
    expect B create_driver 'Driver * Available' || return
    b=$(pid_of "$reply")
    expect A "send_task $a 1000" "Driver $a Busy 1000" || return
    expect B "send_task $b 0.01" "Driver $b Busy 1" || return
    [ -z "$errors" ] || busy='[AB]' # the server took the task back
    expect A "get_status $a" "Driver $a $busy*" || return
    expect - get_drivers '[012] driver*' || return
    expect - fly "Error: unknown command 'fly' (try help)" || return
    expect A "cancel_task $a" "Driver $a Available" || return
    expect A "run $a 50 ./deed 1" 'Job [1-9] Done exit 4' || return
    results[1]=$reply
    expect A "run $a 0.05 echo 2 >>ran; sleep 50" 'Job [1-9] Done timeout' || return
    results[2]=$reply
    { echo "run $b 50 echo 3 >>ran; $orphan exec sleep 50" >&"$to"; } 2>/dev/null || return
    pause 0.05 # most likely the job has begun by now; if not, that is fine, too
    [ "$b" = none ] || kill "-$blow" "$b" 2>/dev/null
    { echo "delete_driver $b" >&"$to"; } 2>/dev/null || return
    hear run || return
    judge - run 'Job [1-9] Done @(lost|unrun|cancelled)*' # it has died, or was deleted
    results[3]=$reply
    # The server may or may not know by now that B has died, so neither reply is held against the
    # fault.
    hear delete_driver || return
    judge - delete_driver "Driver $b Deleted"
    expect A "delete_driver $a" "Driver $a Deleted" || return
    expect - stats 'Stats *' || return
}

# None of the jobs ends with status 0, and so neither does a server that was given one.
audit_server() {
    [ "$program" = control ] || audit_deeds
    if [[ $program != control && $status = 4 ]]; then
        status=0
    elif ((status == 0 && ${#results[@]} > 0)); then
        wrong 'status 0, although jobs have failed'
    fi
    [[ $status = [01] || $program/$status = control/2 ]] || wrong "status $status"
    ((status >= 1)) || [ -n "$lasts$complete" ] || wrong 'it ended too early'
    ((status >= 1)) || [ -n "$lasts" ] || (($(sort -u <<<"$errors" | grep -c .) <= 1)) ||
        wrong "it cost more than one driver or connection: ${errors//$'\n'/ }"
}

# Each job writes its number by our count to the file "ran". Checks that no job ran twice, and that
# each ran if its reply says so, or did not.
audit_deeds() {
    local i deeds
    for i in 1 2 3; do
        deeds=$(grep -cxs "$i" ran)
        ((deeds <= 1)) || wrong "job $i ran $deeds times"
        case ${results[i]-} in
        Error:* | *\ unrun\ *) ((deeds == 0)) || wrong "job $i ran, but the reply was '${results[i]}'" ;;
        *\ exit\ *) ((deeds == 1)) || wrong "job $i did not run, but the reply was '${results[i]}'" ;;
        esac
    done
}

# ---- driver: the first of two

# With -D strace is a grandchild, so the driver has the pid that the server knows.
start_driver() {
    [ -n "$faulty" ] || tracing+=(-D)
    make_deed
    printf '%s\n' '#!/bin/bash' "mkdir first 2>/dev/null || exec $BUILD/driver" \
        "exec ${tracing[*]} $binary/driver" >wrapper
    chmod +x wrapper
    tracing=(env)
    "$BUILD/server" "${LIMITS[@]}" --driver ./wrapper <in >out 2>err &
    tracer=$!
    exec {to}>in {from}<out
}

session_driver() {
    session_server
}

audit_driver() {
    audit_server
}

# ---- control: a server with a control socket

# The server finds the socket of a dead server. It reports that it is ready to a service manager and
# to a process that waits for it.
start_control() {
    local end=$((SECONDS + (lasts ? 2 : PATIENCE)))
    cp -a "$STALE" socket
    NOTIFY_SOCKET=$NOTIFIED "${tracing[@]}" "$binary/server" "${LIMITS[@]}" --listen socket \
        --drivers 1 --ready-fd 9 9>ready </dev/null >/dev/null 2>err &
    tracer=$!
    cat <ready >said &
    while ((SECONDS < end)); do
        if [ -s said ] || grep -qs 'cannot write to descriptor 9' err; then
            is_ready=1
            return
        fi
        [ -e "/proc/$tracer" ] || return
        pause 0.01
    done
    [ -n "$lasts" ] || wrong 'it did not report that it is ready'
}

# A is the kept driver, B another one, and L a connection that stays open. A failure may cause
# others, which go against the same one. If the server is gone, every command fails at once.
session_control() {
    local a b busy=Busy
    "$BUILD/server" --connect socket <in >out 2>long.err &
    exec {to}>in {from}<out
    expect A get_drivers '[01] driver*' || failed L 'the open connection is lost'
    a=${first:-none}
    ask A 'Driver * Busy 1000' send_task any 1000
    [ "$a" != none ] || a=$(pid_of "$reply")
    { echo wait >&"$to"; } 2>/dev/null
    [ -z "$errors$unsure" ] || busy='[AB]'
    ask A "Driver $a $busy*" get_status "$a"
    ask B 'Driver * Available' create_driver
    b=$(pid_of "$reply")
    ask B "Driver $b Busy 1" send_task "$b" 0.01
    ask B "Driver $b Available" wait "$b"
    ask A "Driver $a Available" cancel_task "$a" || ask A '*' cancel_task "$a"
    hear wait || failed L 'the open connection is lost'
    [[ $blow = KILL || $b = none ]] || kill "-$blow" "$b" 2>/dev/null
    ask B "Driver $b Deleted" delete_driver "$b"
    [ "$a" = none ] || kill -KILL "$a" 2>/dev/null
    await_replacement
    ask A 'Driver * Busy 1' send_task any 0.01
    ask C "Error: unknown command 'fly' (try help)" fly
    expect L stats 'Stats *' || failed L 'the open connection is lost'
    [ -n "$(tracee)" ] || early=1
    ask - '' shutdown || kill -TERM "$(tracee)" 2>/dev/null || true # it may have ended already
}

await_replacement() {
    local end=$((SECONDS + PATIENCE))
    while ((SECONDS < end)); do
        [[ -n $(tracee) && -z $lasts ]] || return
        ask D '{"uptime":*}' --json stats
        [[ $reply != *'"starting":0,'*'"replaced":'[1-9]* ]] || return
        pause 0.05
    done
    wrong 'no driver replaces the one that died'
}

audit_control() {
    audit_server
    if [[ -n $is_ready && $fault != control/epoll_wait:error=* ]]; then
        [ "$status" = 0 ] || wrong "status $status, although it was ready"
        [ -z "$early" ] || [[ $fault == *=termed:* ]] ||
            wrong 'it ended before it was told to, although it was ready'
    fi
    # A socket with the mode 0600 is this server's. The dead server's has another mode; it may
    # remain if the server ended before it got there.
    [[ ! -e socket || -x socket ]] || grep -qs 'cannot remove socket' err || wrong "the socket's file is left"
}

# ---- client and words: their server has no fault

# Starts that server. Sets server to its pid, and kept to the pid of its driver.
serve() {
    local ready reply_patience=$PATIENCE
    "$BUILD/server" --listen socket --drivers 1 --ready-fd 9 9>ready </dev/null >/dev/null 2>server.err &
    server=$!
    exec {ready}<ready
    read -r -t "$PATIENCE" -u "$ready" || wrong "no server can listen: $(cat server.err)"
    exec {ready}<&-
    ask - 'Driver * Available*1 driver' get_drivers
    kept=$(pid_of "$reply")
}

# Checks that the server still has its driver, and ends when it is told to.
serves() {
    local status=0 reply_patience=$PATIENCE
    ask - "Driver $kept Available"$'\n*driver*' get_drivers || wrong 'the server no longer answers'
    [[ $reply == *driver? || $reply == *driver ]] || wrong "get_drivers: $reply"
    ask - '' shutdown || wrong 'the server cannot be stopped'
    await_end "$server" || wrong 'the server does not end'
    wait "$server" || status=$?
    [ $status = 0 ] || wrong "the server ended with status $status: $(cat server.err)"
}

start_client() {
    serve
    "${tracing[@]}" "$binary/server" --connect socket --here <in >out 2>err &
    tracer=$!
    exec {to}>in {from}<out
}

session_client() {
    local b
    expect C get_drivers '1 driver' || return
    [ "$first" = "$kept" ] || wrong "driver $first, not $kept, is listed"
    expect C create_driver 'Driver * Available' || return
    b=$(pid_of "$reply")
    expect C "send_task $b 1000" "Driver $b Busy 1000" || return
    expect C "get_status $b" "Driver $b Busy *" || return
    expect C "cancel_task $b" "Driver $b Available" || return
    expect C "run $b 50 test . -ef '$PWD'" 'Job 1 Done exit 0' || return
    expect C "delete_driver $b" "Driver $b Deleted" || return
    expect C stats 'Stats *' || return
}

audit_client() {
    ((status <= 1 || status == 3)) || wrong "status $status"
    ((status > 0)) || [ -n "$complete" ] || wrong 'status 0, but replies are missing'
}

start_words() {
    serve
    "${tracing[@]}" "$binary/server" --connect socket get_drivers </dev/null >out 2>err &
    tracer=$!
    exec {from}<out
}

session_words() {
    reply=$(timeout "$PATIENCE" cat <&"$from"; echo .)
    [ "$reply" = "Driver $kept Available"$'\n''1 driver'$'\n.' ]
}

audit_words() {
    audit_client
}
