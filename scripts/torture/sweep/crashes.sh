# The programs "batch", "rebatch", "queue", "requeue" and "crew" of the sweep: a server that keeps a
# log of its jobs crashes at one of its system calls, whichever that is. Then another server goes on
# with --resume, and the books must be right. See programs.sh.
# shellcheck shell=bash

# Writes the jobs to the file "given", each a line with its limit and command. A job writes its number
# by our count to its output and to the file "ran"; the comment at its end says how it must end. The
# last three run until the server stops, or end at once if they first begin after the crash. None has
# children: if the server and a driver are killed together, nobody is left to find them.
make_jobs() {
    local i=0 limit command
    while read -r limit command; do
        i=$((i + 1))
        echo "$limit echo $i; echo $i >>ran; $command"
    done >given <<'END'
50 true # exit 0
50 exit 3 # exit 3
50 kill -9 $$ # signal 9
50 exec sleep 0.05 # exit 0
50 kill -9 $PPID; exec sleep 50 # lost driver .*
50 true # exit 0|cancelled
0.05 exec sleep 50 # timeout
50 true # exit 0
50 [ -e again ] || exec sleep 50 # exit 0|cancelled
50 [ -e again ] || exec sleep 50 # exit 0|cancelled
50 [ -e again ] || exec sleep 50 # exit 0|cancelled
END
}

# make_wrapper COMMAND: makes a driver program, whose first process runs the command.
make_wrapper() {
    printf '%s\n' '#!/bin/bash' "mkdir first 2>/dev/null || exec $BUILD/driver \"\$@\"" "exec $1" >wrapper
    chmod +x wrapper
}

# The first driver says HELLO (see proto.h), and dies before it has read the job that it is given. So
# another driver gets it.
prepare_crash() {
    make_jobs
    head -n 8 given | sed 's/^/run any /' >lines
    make_wrapper "perl -e 'open S, q(+<&=), 3; syswrite S, pack q(CCSLL), 3, 65, 4, 0, \$\$;
        vec(\$set, 3, 1) = 1; select \$set, undef, undef, undef; kill KILL, \$\$'"
    ln -s err.tested err
}

# serve_jobs NAME WORD...: becomes a server that writes to out.NAME and err.NAME.
serve_jobs() {
    exec "${tracing[@]}" "$binary/server" "${LIMITS[@]}" --drivers 2 --driver ./wrapper --log log \
        "${@:2}" >"out.$1" 2>"err.$1"
}

# serve_batch NAME [OPTION]: starts a server that runs the jobs of its standard input.
serve_batch() {
    serve_jobs "$1" --output o "${@:2}" <lines &
    tracer=$!
}

# serve_queue NAME [OPTION]: starts a server that waits for jobs, and waits until it is ready or has
# ended. strace(1) has the descriptor, too: a server that could not write there does not end it, and the reader
# of an earlier server may still be there. So each server has a FIFO of its own.
serve_queue() {
    local end=$((SECONDS + PATIENCE))
    mkfifo "ready.$1"
    cat <"ready.$1" >"said.$1" &
    serve_jobs "$1" --listen socket --ready-fd 9 "${@:2}" 9>"ready.$1" </dev/null &
    tracer=$!
    until [ -s "said.$1" ] || ended "$tracer" || grep -qs 'to descriptor 9' "err.$1"; do
        ((SECONDS < end)) || wrong "the server '$1' did not report that it is ready"
        pause 0.01
    done
}

# A client submits most of the first jobs, cancels one, has one run, and waits for all.
give_first() {
    { sed -n '1,7s/^/submit /p' given; echo cancel_job 6; sed -n '8s/^/run any /p' given; echo wait; } |
        timeout "$PATIENCE" "$BUILD/server" --connect socket >taken.first 2>/dev/null
}

give_last() {
    sed -n '9,$s/^/submit /p' given |
        timeout "$PATIENCE" "$BUILD/server" --connect socket >taken.last 2>/dev/null
}

# crash_first batch|queue: a server is killed when some jobs are done, and others run or wait; the log
# then ends with the beginning of a line.
crash_first() {
    local tracing=(env) binary=$BUILD giver='' line
    prepare_crash
    "serve_$1" first
    if [ "$1" = queue ]; then
        give_first &
        giver=$!
    fi
    await_deeds 4
    kill -KILL "$tracer"
    # shellcheck disable=SC2086 # there may be none
    wait "$tracer" $giver
    line=$(tail -n 1 log)
    printf '%.30s' "$line" >>log
}

start_batch() {
    prepare_crash
    serve_batch tested
}

start_rebatch() {
    crash_first batch
    serve_batch tested --resume
}

start_queue() {
    prepare_crash
    serve_queue tested
}

start_requeue() {
    crash_first queue
    serve_queue tested --resume
}

start_crew() {
    prepare_crash
    : >trace # the server may be killed before that driver makes a call
    make_wrapper "strace -D -qq -o trace ${inject:+--inject=$inject} $BUILD/driver \"\$@\""
    tracing=(env)
    serve_batch tested
}

session_batch() {
    :
}

session_rebatch() {
    :
}

session_queue() {
    give_first
    stop_last
}

session_requeue() {
    echo wait | timeout "$PATIENCE" "$BUILD/server" --connect socket >/dev/null 2>&1
    stop_last
}

# The server is told to stop when two of the last jobs run and one waits.
stop_last() {
    give_last
    await_deeds 9 10
    [ -z "$(tracee)" ] || kill -TERM "$(tracee)" 2>/dev/null
}

# The server is killed as soon as a driver has died.
session_crew() {
    local end=$((SECONDS + PATIENCE))
    until grep -qs died err || [ -z "$(tracee)" ] || ((SECONDS > end)); do
        pause 0.01
    done
    kill -KILL "$tracer" 2>/dev/null
}

# ---- the books

audit_batch() {
    # If it was stopped before it was given a job, it has not failed.
    [[ $status != 0 || -s out.tested || $fault != *:signal=* ]] || status=4
    audit_status 4
    resume_batch
}

audit_rebatch() {
    audit_batch
}

audit_crew() {
    [ "$status" != 137 ] || status=4 # we have killed the server
    audit_batch
}

audit_queue() {
    audit_status 0
    resume_queue
}

audit_requeue() {
    audit_queue
}

# audit_status USUAL: the server that was tested ended with this status, or as the fault demands. A
# signal that comes before the server has blocked it ends the server, which then has done nothing.
audit_status() {
    case $fault/$status in
    *=KILL:*/137 | *=torn:*/137 | *=begun:*/137 | *=TERM:*/143 | *=INT:*/130) ;;
    *:error=*/1 | *=full:*/1) grep -q '^server: cannot' err || wrong 'it failed and did not say why' ;;
    *) [ "$status" = "$1" ] || wrong "status $status" ;;
    esac
    [ "$status" != "$1" ] || status=0
}

# If the first line of the log was cut off within its first field, the time, the file may be anything,
# and no server touches it. Nothing has begun then.
drop_scrap() {
    local said size
    [ -s log ] || return
    size=$(stat -c %s log)
    ((size <= 24)) || return
    said=$("$BUILD/server" --log log --resume </dev/null 2>&1)
    [[ $said == *'it is no log of jobs' && ! -e ran ]] || wrong "of a log of $size bytes it was said: $said"
    rm log
}

resume_batch() {
    local tracing=(env) binary=$BUILD
    drop_scrap
    serve_batch last --resume
    audit_resumed 4
}

resume_queue() {
    local tracing=(env) binary=$BUILD
    drop_scrap
    touch again
    serve_queue last --resume
    printf '%s\n' wait 'get_jobs all' shutdown |
        timeout "$PATIENCE" "$BUILD/server" --connect socket >listed 2>client.err ||
        wrong "the server that resumes does not answer: $(cat client.err err.last)"
    audit_resumed 0
}

# audit_resumed STATUS: the server that resumes ends with this status. Then nothing is left to resume,
# so one more server only reads the log. The log, the deeds and the replies must agree.
audit_resumed() {
    local said result=0
    await_end "$tracer" || wrong 'the server that resumes does not end'
    wait "$tracer" || result=$?
    ((result == $1)) || wrong "the server that resumes ended with status $result: $(cat err.last)"
    cp log log.last
    said=$("$BUILD/server" --log log --resume </dev/null 2>&1) || wrong "the log cannot be read: $said"
    [ -z "$said" ] || wrong "it was resumed twice: $said"
    cmp -s log log.last || wrong 'the log has grown'
    said=$(perl "$TORTURE/sweep/books.pl" "$program" "$(other_ends)") || wrong "$said"
}

# Prints how jobs may end besides the ways in their comments, as a pattern.
other_ends() {
    local lost='lost its end is not in the log'
    case $fault in
    crew/*) echo "$lost|lost driver .*" ;;
    batch/ | queue/) ;;
    re*/ | *=KILL:* | *=begun:* | *=torn:*) echo "$lost" ;;
    [bq]*=TERM:* | [bq]*=INT:*) echo cancelled ;;
    *) echo "cancelled|$lost" ;;
    esac
}
