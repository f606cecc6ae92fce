#!/usr/bin/env bats
# README's table "From xargs, parallel, make -j, tsp": both sides of each row do what the row says. A
# test is named after its row. It takes the commands from README, and runs the commands of a side one
# after another in a directory that prepare() has filled; check() then looks at their effects. If a tool is
# not installed, only our side is tried.

load lib/helpers
load lib/peers

setup() {
    enter_test
    setup_peers
    mkdir bin
    printf '#!/bin/sh\nexec "%s" %s "$@"\n' "$SERVER" "${PATIENT[*]}" >bin/taxi-server
    # A stand-in: the other machine is this one. As sshd does, it sets SHELL, by which parallel runs the command there.
    printf '%s\n' '#!/bin/bash' 'echo "$*" >>ssh.log' 'while (($#)) && [[ $1 != host ]]; do shift; done; shift' \
        '[[ $1 != -- ]] || shift' 'SHELL=/bin/sh exec sh -c "$*"' >bin/ssh
    chmod +x bin/*
    ln -s "$SERVER" bin/taxi
    PATH=$PWD/bin:$PATH
    shown=$PWD/shown
}

teardown() {
    end_started
    end_peers
}

# Prints the rows of the table. A | in a cell is \1.
rows() {
    sed -n '/^## From xargs/,/^## Where/s/^| //p' "$ROOT/README.md" | sed '1,2d; s/\\|/\x01/g'
}

# commands_of CELL: sets commands to the commands in a cell, and wanted to their statuses.
commands_of() {
    local rest=${1//$'\1'/|}
    commands=() wanted=()
    while [[ $rest =~ ^[^\`]*\`([^\`]+)\`(\ \(([0-9]+)\))?(.*)$ ]]; do
        commands+=("${BASH_REMATCH[1]}")
        wanted+=("${BASH_REMATCH[3]:-0}")
        rest=${BASH_REMATCH[4]}
    done
}

# type_in LINE: has a shell run the line. Its output goes to the file shown. Sets status.
type_in() {
    status=0
    timeout --foreground -k 1 120 bash -c "$1" >"$shown" 2>"$shown.err" </dev/null 3>&- || status=$?
}

# Runs the command of a row. A test may have another way to do that.
carry_out() {
    type_in "$command"
}

# missing_peer: prints the first tool that is named in the commands and is not installed.
missing_peer() {
    local tool
    for tool in xargs parallel make tsp; do
        [[ " ${commands[*]} " != *" $tool "* ]] || has_peer "$tool" || { echo "$tool"; return; }
    done
}

# try SIDE: prepares a directory, runs the commands in it and checks the effects of each: prepare SIDE,
# check SIDE NUMBER. If there is no command, checks what the row says instead.
try() {
    local i
    mkdir "$BATS_TEST_TMPDIR/$1"
    cd "$BATS_TEST_TMPDIR/$1" || return
    prepare "$1"
    for i in "${!commands[@]}"; do
        command=${commands[i]}
        carry_out
        [[ $status == "${wanted[i]}" ]] || fail "$command: status $status" "$(cat "$shown" "$shown.err")" || return
        check "$1" $((i + 1)) || fail "$command: not the right effect" "$(cat "$shown" "$shown.err")" || return
    done
    ((${#commands[@]} > 0)) || check "$1" 0
}

# row: tries both sides of the row. A side of ours without a command says no.
row() {
    local there here missing
    IFS='|' read -r _ there here < <(rows | grep -F "${BATS_TEST_DESCRIPTION#*: } |")
    commands_of "$here"
    [[ ${#commands[@]} -gt 0 || $here == ' no, '* ]]
    try here
    commands_of "$there"
    ((${#commands[@]} > 0))
    missing=$(missing_peer)
    [[ -z $missing ]] || skip "$missing is not installed; our side was tried"
    try there
}

# queue SIDE [DRIVERS]: on our side, starts a server that listens. The server of tsp starts by itself.
queue() {
    [[ $1 == here ]] || return 0
    start_listening --drivers "${2-1}"
    export TAXI_SOCKET=$PWD/taxi.sock
}

# in_queue SIDE NAME...: puts jobs into the queue. The job a runs until the file go is there.
in_queue() {
    local name
    script work '[ "$1" != a ] || until [ -e go ]; do sleep 0.01; done' 'sleep 0.2; echo "$1" >>ran'
    for name in "${@:2}"; do
        if [[ $1 == here ]]; then taxi submit 60 ./work "$name"; else tsp ./work "$name" 3>&-; fi
    done >"$shown"
}

@test "table: each row has a test, and each test has a row" {
    diff <(rows | sed 's/ | .*//' | sort) \
        <(sed -n 's/^@test "row: \(.*\)" {$/\1/p' "$BATS_TEST_FILENAME" | sort)
    [ "$(rows | wc -l)" -gt 12 ]
}

@test "row: a command for each name" {
    prepare() {
        touch 'a b' "it's" c
        printf '%s\n' * >list
    }
    check() {
        [ "$(printf '%s/' *)" = "a b.gz/c.gz/it's.gz/list/" ]
    }
    row
}

@test "row: names from find, 4 at a time" {
    prepare() {
        mkdir running
        touch {1..8}.log $'new\nline.log'
        find . -name '*.log' -print0 | sort -z >names
        script work 'touch running/$$; echo >>up; until (($(wc -l <up) >= 4)); do sleep 0.01; done' \
            'ls running | wc -l >>seen; rm running/$$; printf "%s\0" "$1" >>ran'
    }
    check() {
        sort -z ran | cmp names && (($(sort -n seen | tail -n 1) <= 4))
    }
    row
}

@test "row: commands from a file" {
    prepare() {
        printf '%s\n' 'echo a  b >one' "touch 'it is'" >"jobs"
    }
    check() {
        [ "$(<one)" = 'a b' ] && [ -e 'it is' ]
    }
    row
}

@test "row: a limit for each" {
    prepare() {
        echo a >list
        script work 'exec sleep 1000'
    }
    check() {
        [ "$(noted_alive)" = 0 ]
    }
    row
}

@test "row: end all at a failure" {
    prepare() {
        printf '%s\n' bad a b c >list
        # On one processor, nothing runs beside the first.
        script work 'if [ "$1" = bad ]; then [ "$(nproc)" = 1 ] || until [ -e up ]; do sleep 0.01; done; exit 3; fi' \
            'touch up; exec sleep 1000'
    }
    check() {
        [ "$(noted_alive)" = 0 ] && run ! grep timeout "$shown"
    }
    row
}

@test "row: begin no more after it" {
    prepare() {
        { echo bad; seq 2000; } >list
        script work 'if [ "$1" = bad ]; then touch failed; exit 3; fi' \
            'until [ -e failed ]; do sleep 0.01; done; sleep 0.1; touch "did.$1"'
        makefile './work $@' bad {1..2000}
    }
    check() {
        [ -e failed ] && [ ! -e did.2000 ]
    }
    row
}

@test "row: go on after a crash" {
    prepare() {
        printf '%s\n' a b >list
        script work 'echo "$1" >>ran'
    }
    check() {
        printf '%s\n' c d >>list
        carry_out
        [ "$status" = 0 ] && [ "$(sort ran | xargs)" = 'a b c d' ]
    }
    row
}

@test "row: output in files, in order" {
    prepare() {
        printf '%s\n' b a c >list
        script work '[ "$1" != b ] || sleep 0.3; echo "by $1"'
    }
    check() {
        if [[ $2 == 1 ]]; then
            [ "$(grep -rlx 'by [abc]' out | wc -l)" = 3 ]
        else
            [ "$(xargs <"$shown")" = 'by b by a by c' ]
        fi
    }
    row
}

@test "row: progress" {
    prepare() {
        printf '%s\n' a b c >list
        script work :
    }
    carry_out() { # at a terminal
        type_in "SHELL=$BASH script -qefc ${command@Q} /dev/null"
    }
    check() {
        if [[ $1 == here ]]; then grep -q '3 done' "$shown"; else grep -q '100%' "$shown"; fi
    }
    row
}

@test "row: job number, slot" {
    prepare() {
        printf '%s\n' a b c d e >list
        script work 'echo "$1 ${2-$TAXI_JOB} ${3-$TAXI_SLOT}" >>ran'
    }
    check() {
        [ "$(sort ran | cut -d ' ' -f 1,2 | xargs)" = 'a 1 b 2 c 3 d 4 e 5' ] &&
            awk -v most="$(nproc)" '$3 < 1 || $3 > most { exit 1 }' ran
    }
    row
}

@test "row: a queue" {
    prepare() {
        queue "$1"
        in_queue "$1" a
    }
    check() {
        case $2 in
            2) grep -q '\./work b' "$shown" ;;
            3) touch go ;;
            4) [ "$(<ran)" = a ] ;;
        esac
    }
    row
    # The jobs that were taken out have not run.
    taxi wait
    tsp -w
    [ "$(cat ../*/ran | xargs)" = 'a a' ]
}

@test "row: in this directory" {
    prepare() {
        queue "$1"
        mkdir tree
        printf 'all:\n\ttouch made\n' >tree/Makefile
    }
    check() {
        wait_until test -e tree/made
    }
    row
}

@test "row: status after a failure" {
    prepare() {
        printf '%s\n' a b c >list
        touch a c
    }
    # Each status in the row is compared.
    check() {
        [ "$status" != 0 ]
    }
    row
}

@test "row: retries" {
    prepare() {
        printf '%s\n' flaky good >list
        script work 'echo "$1" >>ran; [ "$1" != flaky ] || [ -e tried ] || { touch tried; exit 1; }'
        [[ $1 == there ]] || run -4 taxi-server --log log --each 60 ./work <list
    }
    check() {
        [ "$(sort ran | xargs)" = 'flaky flaky good' ]
    }
    row
}

@test "row: dependencies" {
    prepare() {
        queue "$1" 4
        script work 'sleep 0.1; echo "$1" >>ran'
        makefile './work $@' c
        printf 'c: a b\na b:\n\t./work $@\n' >>Makefile
    }
    carry_out() { # our command is a recipe
        if [[ $command == taxi* ]]; then
            sed -i "s|\./work \$@|$command|" Makefile
            type_in 'make -j 4'
        else
            type_in "$command"
        fi
    }
    check() {
        [ "$(sort ran | xargs)" = 'a b c' ] && [ "$(tail -n 1 ran)" = c ]
    }
    row
}

@test "row: priorities" {
    prepare() {
        queue "$1"
        [[ $1 == here ]] || in_queue there a b c
    }
    # here: a client that has given much does not keep another one waiting
    check() {
        if [[ $1 == there ]]; then
            touch go
            tsp -w 1 && [ "$(xargs <ran)" = 'a c b' ]
        else
            script work 'echo "$1" >>ran'
            taxi pause
            printf 'submit 60 ./work %s\n' {1..9} | taxi >"$shown"
            taxi submit 60 ./work other
            taxi resume
            taxi wait
            [ "$(wc -l <ran)" = 10 ] && head -n 3 ran | grep -qx other
        fi
    }
    row
}

@test "row: other machines" {
    prepare() {
        printf '%s\n' a b >list
        script work 'echo "$1" >>ran'
    }
    check() {
        [ "$(sort ran | xargs)" = 'a b' ] && [ -s ssh.log ]
    }
    row
}
