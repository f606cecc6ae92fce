#!/usr/bin/env bats
# Lines and words, and the kinds of standard input.

load lib/helpers

@test "words: split at blanks and tabs; leading and trailing ones do not count" {
    ask $'  get_drivers\t' $'\t \tget_drivers  ' $'get_status \t 12x'
    [ "$output" = $'0 drivers\n0 drivers\nError: bad pid \'12x\'' ]
}

@test "lines: a trailing CR is dropped" {
    ask $'get_drivers\r' $'get_status 12x\r'
    [ "$output" = $'0 drivers\nError: bad pid \'12x\'' ]
}

@test "lines: empty lines and comments get no reply" {
    ask '' '   ' $'\t' $'\r' '#' '# get_drivers' '#get_drivers' get_drivers
    [ "$output" = '0 drivers' ]
}

@test "lines: the last line counts even without its newline" {
    output=$(printf 'get_drivers\nget_drivers' | session)
    [ "$output" = $'0 drivers\n0 drivers' ]
    printf 'get_drivers' >file
    output=$(session <file)
    [ "$output" = '0 drivers' ]
}

@test "lines: 4096 bytes with the newline are accepted, one byte more is too long" {
    long=$(printf '%04095d' 0)
    ask "$long" get_drivers
    [ "$output" = "Error: unknown command '$(printf '%064d' 0)' (try help)"$'\n0 drivers' ]
    ask "0$long" get_drivers
    [ "$output" = $'Error: line too long (limit 4096 bytes)\n0 drivers' ]
}

@test "lines: a line that is too long gets one Error and is dropped to its end" {
    output=$({
        echo get_drivers
        head -c 300000 /dev/zero | tr '\0' x
        echo ' get_drivers'
        echo get_drivers
    } | session)
    [ "$output" = $'0 drivers\nError: line too long (limit 4096 bytes)\n0 drivers' ]
}

@test "lines: a line that is too long and has no end gets its Error at the end of input" {
    output=$(head -c 300000 /dev/zero | session)
    [ "$output" = 'Error: line too long (limit 4096 bytes)' ]
}

@test "lines: NUL and other control characters are shown as \\xNN" {
    output=$(printf 'a\0b\nget_status \33[2J\n' | session)
    [ "$output" = "Error: unknown command 'a\\x00b' (try help)
Error: bad pid '\\x1b[2J'" ]
}

@test "lines: every malformed line gets exactly one Error" {
    head -c 200000 /dev/urandom | LC_ALL=C tr '\n\r#' x | LC_ALL=C tr '\200-\237' '\n' >random
    count=$(LC_ALL=C grep -acE '[^ 	]' random)
    output=$(session <random)
    [ "$(wc -l <<<"$output")" = "$count" ]
    [ "$(grep -c '^Error: ' <<<"$output")" = "$count" ]
    [ -z "$(tr -d '\n -~' <<<"$output")" ]
}

@test "lines: a command that arrives byte by byte is one command" {
    start_server
    for byte in g e t _ d r i v e r s; do
        printf '%s' $byte >&"$to"
    done
    say ''
    expect '0 drivers'
}

@test "stdin: can be a pipe" {
    output=$(echo get_drivers | cat | session)
    [ "$output" = '0 drivers' ]
}

@test "stdin: can be a FIFO with several writers in turn, held open by one of them" {
    start_server
    echo get_drivers >in
    expect '0 drivers'
    echo get_drivers >in
    expect '0 drivers'
    end_input
    server_ends 0
}

@test "stdin: can be a FIFO whose writer has gone before it is read" {
    mkfifo fifo
    exec {both}<>fifo
    exec {reader}<fifo
    echo get_drivers >fifo
    exec {both}>&-
    output=$(session <&"$reader" 3>&-)
    [ "$output" = '0 drivers' ]
}

@test "stdin: can be a regular file, larger than any buffer" {
    yes get_drivers | head -n 20000 >file
    session <file >replies
    [ "$(grep -c '^0 drivers$' replies)" = 20000 ]
    [ "$(wc -l <replies)" = 20000 ]
}

@test "stdin: a regular file is read from the caller's position" {
    printf 'fly\nget_drivers\n' >file
    output=$({ read -r _ && session; } <file)
    [ "$output" = '0 drivers' ]
}

@test "stdin: a regular file is one even to a server without a spare descriptor; with too few it says so" {
    echo get_drivers >commands
    for limit in {5..14}; do
        run bash -c "exec 3>&-; ulimit -n $limit; exec '$SERVER'" <commands
        [ "$status $output" = '0 0 drivers' ] ||
            [[ "$status $output" == '1 server: cannot '*': Too many open files'* ]] || fail "$limit: $output"
    done
    [ "$output" = '0 drivers' ]
}

@test "stdin: /dev/null is the end of input" {
    run -0 --separate-stderr session </dev/null
    [ -z "$output$stderr" ]
}

@test "stdin: if it is closed, a directory or write-only, the server says why; status 1" {
    # In another shell, because bats with descriptor 0 closed would open other files there.
    run -1 --separate-stderr timeout 120 bash -c "'$SERVER' <&-"
    [ "$stderr" = 'server: cannot read standard input: Bad file descriptor' ]
    run -1 --separate-stderr session <.
    [ "$stderr" = 'server: cannot read standard input: Is a directory' ]
    : >file
    run -1 --separate-stderr session 0>file
    [ "$stderr" = 'server: cannot read standard input: Bad file descriptor' ]
    mkfifo fifo
    cat fifo >/dev/null 3>&- &
    run -1 --separate-stderr session 0>fifo
    [ "$stderr" = 'server: cannot read standard input: Bad file descriptor' ]
}

@test "end of input: the server answers everything first, then ends its drivers" {
    start_server
    create
    say "send_task $pid 0.001" "get_status $pid" create_driver get_drivers
    end_input
    expect "Driver $pid Busy 1" "Driver $pid *" 'Driver * Available' "Driver $pid *" '*' '2 drivers'
    server_ends 0
    gone "$pid"
}

@test "end of input: running tasks are cancelled, and the log says how many" {
    start_server
    create_many 3
    for pid in "${pids[@]}"; do
        say "send_task $pid 100"
        expect "Driver $pid Busy 100"
    done
    end_input
    server_ends 0
    [ "$(cat err)" = 'server: 3 tasks cancelled' ]
}
