#!/usr/bin/env bats
# tests/examples/fifo.c: reads a FIFO whose writers come and go.

load lib/helpers
load lib/examples

# reader: makes the FIFO pipe, and starts the example, which reads it. There is no writer yet.
reader() {
    mkfifo pipe
    example fifo pipe
    # The signalfd and the FIFO: EPOLLIN, and EPOLLERR and EPOLLHUP, which epoll adds.
    wait_until watches 19 2
}

# told COUNT: the example has reported that many times that the last writer has gone.
told() {
    (($(grep -cx 'fifo: the last writer has gone' errors) == $1))
}

copied() {
    cmp -s "$1" output
}

@test "fifo: when writers come and go, it reports each end once and does not spin" {
    reader
    told 0
    for i in 1 2 3; do
        echo "line $i" >pipe
        wait_until told $i
        wait_until idle
    done
    [ "$(cat output)" = $'line 1\nline 2\nline 3' ]
    told 3
}

@test "fifo: it reports the end when the last writer goes, not the first" {
    reader
    exec {one}>pipe {two}>pipe
    echo one >&"$one"
    wait_until grep -q one output
    exec {one}>&-
    echo two >&"$two"
    wait_until grep -q two output
    wait_until idle
    told 0
    exec {two}>&-
    wait_until told 1
}

@test "fifo: what a writer wrote that came and went while it was stopped is copied" {
    reader
    kill -STOP "$server_pid"
    wait_until in_state "$server_pid" T
    echo short >pipe
    kill -CONT "$server_pid"
    wait_until told 1
    [ "$(cat output)" = short ]
    wait_until idle
}

@test "fifo: no byte of many writers, one after the other, is lost" {
    reader
    for i in {1..200}; do
        echo "line $i" >pipe
    done
    seq -f 'line %g' 200 >expected
    wait_until copied expected
}

@test "fifo: more data than a FIFO holds is copied whole" {
    reader
    head -c 3000000 /dev/urandom >sent
    cat sent >pipe
    wait_until told 1
    cmp sent output
}

@test "fifo: on INT and TERM, it copies what has been written and exits with status 0" {
    for signal in INT TERM; do
        rm -f pipe
        reader
        exec {writer}>pipe # stays open, so there is no end of file
        kill -STOP "$server_pid"
        wait_until in_state "$server_pid" T
        head -c 60000 /dev/urandom >sent
        cat sent >&"$writer"
        kill "-$signal" "$server_pid"
        kill -CONT "$server_pid"
        server_ends 0
        cmp sent output
        [ ! -s errors ]
        exec {writer}>&-
    done
}

@test "fifo: on TERM, it does not wait for a silent writer" {
    serve() {
        rm -f pipe
        reader
        exec {writer}>pipe
        echo x >&"$writer"
        wait_until grep -q x output
    }
    ends_soon serve
}

# piped_reader: starts the example with the FIFO out as its output, which nobody reads yet. $from is
# the same open FIFO.
piped_reader() {
    mkfifo pipe out
    exec {from}<>out
    "$EXAMPLES/fifo" pipe >&"$from" 2>errors 3>&- {from}<&- &
    server_pid=$!
    started+=("$server_pid")
}

flags_of() {
    sed -n 's/^flags:[[:space:]]*//p' "/proc/$BASHPID/fdinfo/$1"
}

@test "fifo: while nobody reads its output, writers are held back; then all of it comes" {
    piped_reader
    head -c 3000000 /dev/urandom >sent
    cat sent >pipe 3>&- &
    started+=($!)
    wait_until watches 1c 1
    wait_until idle
    in_state "${started[1]}" S
    (((0$(flags_of "$from") & 04000) == 0)) # O_NONBLOCK
    timeout "$DEADLINE" head -c 3000000 <&"$from" >received
    cmp sent received
    wait_until told 1
    (((0$(flags_of "$from") & 04000) == 0))
}

@test "fifo: after TERM, a reader that begins late still gets all of its output" {
    piped_reader
    head -c 150000 /dev/urandom >sent # two FIFOs and its buffer hold more
    cat sent >pipe
    wait_until watches 1c 1
    kill -STOP "$server_pid"
    wait_until in_state "$server_pid" T
    timeout "$DEADLINE" head -c 150000 <&"$from" >received 3>&- &
    started+=($!)
    kill -TERM "$server_pid"
    kill -CONT "$server_pid"
    wait "${started[1]}"
    cmp sent received
    server_ends 0
}

@test "fifo: on TERM while nobody reads its output, it ends and reports that data was dropped" {
    piped_reader
    head -c 3000000 /dev/zero >pipe 2>/dev/null 3>&- &
    started+=($!)
    wait_until watches 1c 1
    kill -TERM "$server_pid"
    server_ends 1
    [ "$(cat errors)" = 'fifo: data that nobody read was dropped' ]
}

@test "fifo: if the reader of its output goes away, it reports that and ends" {
    mkfifo pipe out
    "$EXAMPLES/fifo" pipe >out 2>errors 3>&- &
    server_pid=$!
    started+=("$server_pid")
    exec {from}<out
    exec {writer}>pipe # waits until the example has opened it for reading
    exec {from}<&-
    from=
    echo x >&"$writer"
    server_ends 1
    [ "$(cat errors)" = 'fifo: cannot write standard output: Broken pipe' ]
}

@test "fifo: at a terminal, Ctrl+C ends it" {
    mkfifo pipe
    start_terminal "exec $EXAMPLES/fifo pipe"
    echo 'from the FIFO' >pipe
    shows 'from the FIFO'
    shows 'the last writer has gone'
    keys '\003'
    wait_until ended "$terminal_pid"
    wait "$terminal_pid"
}

@test "fifo: all signals but faults are blocked and read from a signalfd; none has a handler" {
    reader
    signals_are_read
    for signal in HUP USR1 USR2 PIPE CHLD WINCH; do
        kill "-$signal" "$server_pid"
    done
    echo x >pipe
    wait_until told 1
}

@test "fifo: a file that is not a FIFO, a missing file and a missing argument are reported" {
    : >file
    run -1 "$EXAMPLES/fifo" file
    [ "$output" = 'fifo: file is not a FIFO' ]
    run -1 "$EXAMPLES/fifo" nothing
    [ "$output" = 'fifo: cannot open nothing: No such file or directory' ]
    run -2 "$EXAMPLES/fifo"
    [ "$output" = 'fifo: usage: fifo PATH' ]
}
