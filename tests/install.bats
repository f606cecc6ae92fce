#!/usr/bin/env bats
# What make install puts where; and that the manual pages and the completion agree with the
# programs.

load lib/helpers

COMPLETION=$ROOT/scripts/install/completion/taxi-server
PAGE=$ROOT/scripts/install/man/taxi-server.1

# make_quietly TARGET: makes the target with a DESTDIR whose name has a blank.
make_quietly() {
    make -s -C "$ROOT" "$1" DESTDIR="$PWD/a root" PREFIX=/usr >/dev/null
}

installed() {
    (cd 'a root' && find . ! -type d | sort)
}

# each_of NAME: sorts the lines of standard input into that variable; there must be some.
each_of() {
    local -n into=$1
    into=$(sort -u)
    [[ -n $into ]] || fail "nothing was found for $1"
}

# same WHAT WANTED GOT: the two sorted lists are the same; if not, shows the difference.
same() {
    [[ $2 == "$3" ]] || fail "$1:" "$(diff <(printf '%s\n' "$2") <(printf '%s\n' "$3"))"
}

# Prints the options of --help, in lines like "d driver", or "- env" if an option has no letter.
options_of_help() {
    # shellcheck disable=SC2153 # not a misspelling of a variable in the completion
    "$SERVER" --help | sed -nE 's/^ +-(.), --([a-z-]+).*/\1 \2/p; s/^ +--([a-z-]+).*/- \1/p'
}

commands_of_help() {
    "$SERVER" <<<help | sed '$d; s/ .*//'
}

# offered WORD...: prints what the completion offers for the last word of this command line, one a
# line, sorted.
offered() {
    local COMP_WORDS=("$@") COMP_CWORD=$(($# - 1)) COMPREPLY=()
    _taxi_server "$1" "${*: -1}" "${*: -2:1}"
    printf '%s\n' "${COMPREPLY[@]}" | sort
}

# completion_with LINE...: loads the completion, and makes a program ./server of those lines of
# bash, and a socket named control, at which nobody listens.
completion_with() {
    # shellcheck source=scripts/install/completion/taxi-server
    # shellcheck disable=SC1090,SC1091
    source "$COMPLETION"
    printf '%s\n' "#!$BASH" "$@" >server
    chmod +x server
    make_socket control
}

make_socket() {
    "$LIB/make-socket.pl" "$1"
}

@test "install: puts these files there, no others; the server finds ../libexec/taxi/driver" {
    make_quietly install
    [ "$(installed)" = './usr/bin/taxi
./usr/bin/taxi-server
./usr/lib/systemd/system/taxi-jobs.service
./usr/lib/systemd/system/taxi.service
./usr/lib/systemd/user/taxi.service
./usr/lib/systemd/user/taxi.socket
./usr/libexec/taxi/driver
./usr/share/bash-completion/completions/taxi
./usr/share/bash-completion/completions/taxi-server
./usr/share/man/man1/taxi-driver.1
./usr/share/man/man1/taxi-server.1
./usr/share/man/man1/taxi.1
./usr/share/man/man7/taxi-protocol.7' ]
    run -0 'a root/usr/bin/taxi-server' <<<create_driver
    [[ $output == 'Driver '*' Available' ]]
    mv 'a root' moved
    start_listening
    TAXI_SOCKET=$PWD/taxi.sock run -0 moved/usr/bin/taxi get_drivers
    [ "$output" = '0 drivers' ]
    [ -s moved/usr/share/bash-completion/completions/taxi ]
}

@test "install: everybody can read all files and run the programs" {
    (umask 077; make_quietly install)
    [ "$(find 'a root' -type f -perm 755 -printf '%f\n' | sort | xargs)" = 'driver taxi-server' ]
    [ "$(find 'a root' -type f -perm 644 | wc -l)" = 9 ]
}

@test "install: the units run the server that was installed" {
    make_quietly install
    for unit in taxi.service taxi-jobs.service; do
        sed 's|^ExecStart=/usr/local/bin/taxi-server |ExecStart="/usr/bin/taxi-server" |' "$ROOT/scripts/install/$unit" |
            diff - "a root/usr/lib/systemd/system/$unit" || fail "$unit"
        [ "$(grep -c '^ExecStart="/usr/bin/taxi-server" ' "a root/usr/lib/systemd/system/$unit")" = 1 ]
    done
    grep -qx 'ExecStart="/usr/bin/taxi-server" --drivers .*' 'a root/usr/lib/systemd/user/taxi.service'
    cmp "$ROOT/scripts/install/user/taxi.socket" 'a root/usr/lib/systemd/user/taxi.socket'
}

@test "uninstall: removes what install put there, and nothing else" {
    make_quietly install
    find 'a root' -type d ! -path '*/libexec/taxi' -exec touch '{}/other' ';'
    others=$(installed | grep '/other$')
    make_quietly uninstall
    [ "$(installed)" = "$others" ]
    [ ! -e 'a root/usr/libexec/taxi' ]
}

@test "taxi-server(1): has each option of --help, and no other" {
    each_of wanted < <(options_of_help)
    each_of got < <(sed -nE 's/^\.It Fl -([a-z-]+).*/- \1/p; s/^\.It Fl (.).* Fl -([a-z-]+).*/\1 \2/p' "$PAGE")
    same 'options of --help and of the page' "$wanted" "$got"
    each_of got < <(sed -n '/^\.Sh SYNOPSIS/,/^\.Sh DESCRIPTION/p' "$PAGE" |
        sed -nE 's/^\.(Op )?Fl //p' | sed 's/ Ar.*//; s/ | //' | grep -oE '^-.*|.')
    same 'options of --help and of the synopsis' "$(sed -E 's/^- /-/; s/^([^-]).*/\1/' <<<"$wanted" | sort)" "$got"
}

@test "taxi-server(1): has each command of help, and no other" {
    each_of wanted < <(commands_of_help)
    each_of got < <(sed -n '/^\.Sh COMMANDS/,/^\.Sh JSON/s/^\.It Ic //p' "$PAGE" |
        sed 's/ , /\n/g' | sed 's/ .*//')
    same 'commands of help and of the page' "$wanted" "$got"
}

@test "taxi-protocol(7): its client gets the replies, and knows whether it has all" {
    protocol_example 1 >client
    chmod +x client
    start_listening
    create
    run -0 ./client taxi.sock
    [[ $output == '{"job":1,"driver":'$pid',"exit":7,'*'}' ]]
    sed "s/exit 7/kill -9 $server_pid/" client >killer
    run ! perl killer taxi.sock
    [ "$output" = 'the server was killed' ]
}

@test "taxi-protocol(7): its driver works with the server" {
    protocol_example 2 >other
    chmod +x other
    start_server -v --driver ./other
    create
    say "send_task $pid 31536000" "send_task $pid 1" "get_status $pid" "cancel_task $pid" \
        "cancel_task $pid" "send_task $pid 0.05"
    expect "Driver $pid Busy 31536000" "Error: driver $pid Busy 31536000" \
        "Driver $pid Busy 31536000" "Driver $pid Available" "Error: driver $pid has no task" \
        "Driver $pid Busy 1"
    wait_until logged "driver $pid task done"
    say "send_task $pid 100" "delete_driver $pid"
    expect "Driver $pid Busy 100" "Driver $pid Deleted"
    [ "$(cat err)" = "server: driver $pid started
server: driver $pid task of 31536000.000 s started
server: driver $pid task cancelled
server: driver $pid task of 0.050 s started
server: driver $pid task done
server: driver $pid task of 100.000 s started
server: driver $pid task cancelled
server: driver $pid ended (exited with status 0)" ]
    create
    end_input
    server_ends 0
    gone "$pid"
}

@test "completion: offers each option of --help, and no other" {
    completion_with 'exit 9'
    each_of wanted < <(options_of_help | sed 's/. /--/')
    same 'options of --help and those offered' "$wanted" "$(offered ./server '')"
    [ "$(offered ./server --connect control --hel)" = --help ]
}

@test "completion: after --connect PATH, offers each command of help, and no other" {
    completion_with 'exit 9'
    each_of wanted < <(commands_of_help)
    same 'commands of help and those offered' "$wanted" "$(offered ./server --connect control '')"
    [ "$(offered ./server -c control send)" = send_task ]
    [ "$(offered ./server -jccontrol send)" = send_task ]
    [ "$(offered ./server -c control help send)" = send_task ]
    [ -z "$(offered ./server -c control help help send)" ]
    [ "$(offered ./server --json --connect = control -g 1 -- send)" = send_task ]
    [ -z "$(offered ./server send)" ]
}

@test "completion: after --env NAME=VALUE, offers options" {
    completion_with 'exit 9'
    # bash splits words at = and :
    [ "$(offered ./server --env A = b : c --hel)" = --help ]
    [ "$(offered ./server --env = A = b : c --hel)" = --help ]
    [ -z "$(offered ./server --env '')" ]
    # After --each SECONDS, the words of a job.
    for words in '--each 5' '-0 -E 5' '-jE5' '--each = 5' '--each 5 --'; do
        # shellcheck disable=SC2086
        offered ./server $words 'gzi' | grep -qx gzip || fail "$words"
        # shellcheck disable=SC2086
        [ -z "$(offered ./server $words gzip --he)" ] || fail "$words"
    done
    [ -z "$(offered ./server --each '')" ]
}

@test "completion: offers nothing for values other than paths, nor after a command's last word" {
    completion_with 'exit 9'
    for words in '--grace' '-g' '--start-timeout' '--watchdog =' '--drivers =' '-n' '-r' '-c control send_task any' \
        '-c control get_drivers' '-c control create_driver' '-c control fly'; do
        # shellcheck disable=SC2086
        [ -z "$(offered ./server $words '')" ] || fail "$words"
    done
}

@test "completion: offers any and the pids of the server's drivers" {
    completion_with '[ "$*" = "--connect control get_drivers" ] || exit 9' \
        'echo Driver 17 Available; echo Driver 181 Busy 3; echo Driver 19 Unresponsive; echo 3 drivers'
    for command in get_status cancel_task delete_driver; do
        [ "$(offered ./server --connect control $command '' | xargs)" = '17 181 19' ] || fail "$command"
    done
    [ "$(offered ./server --connect control send_task '' | xargs)" = '17 181 19 any' ]
    [ "$(offered ./server --connect control wait '' | xargs)" = '17 181 19 own' ]
    [ "$(offered ./server --connect = control get_status 18)" = 181 ]
    [ "$(offered ./server --connect control session '' | xargs)" = 'farewell json prompt' ]
}

@test "completion: of taxi, offers a client's options, the commands, and what its server has" {
    completion_with '[ "$*" = "--connect control get_drivers" ] || exit 9' 'echo Driver 17 Available'
    mv server taxi
    export TAXI_SOCKET=control
    [ "$(offered ./taxi --h | xargs)" = '--help --here' ]
    [ -z "$(offered ./taxi --dr)" ]
    [ "$(offered ./taxi send)" = send_task ]
    [ "$(offered taxi --here -j send)" = send_task ]
    each_of wanted < <(commands_of_help)
    same 'commands of help and those offered' "$wanted" "$(offered ./taxi '')"
    [ "$(offered ./taxi get_status '')" = 17 ]
    mkdir -p run/taxi
    mv control run/taxi
    TAXI_SOCKET=
    sed -i 's|connect control|connect run/taxi/control|' taxi
    XDG_RUNTIME_DIR=run
    [ "$(offered ./taxi get_status '')" = 17 ]
    [ "$(offered ./taxi -c run/taxi/control get_status '')" = 17 ]
    XDG_RUNTIME_DIR=elsewhere
    [ -z "$(offered ./taxi get_status '')" ]
}

@test "completion: offers the numbers of jobs, and the program that a job runs" {
    completion_with '[ "$*" = "--connect control get_jobs" ] || exit 9' 'echo "Job 3 Running 17 5 make"' \
        'echo "{\"job\":12,\"state\":\"waiting\"}"; echo 2 jobs'
    for command in wait_job cancel_job; do
        [ "$(offered ./server --connect control $command '' | xargs)" = '12 3' ] || fail "$command"
    done
    [ "$(offered ./server -c control get_jobs '')" = all ]
    printf '#!/bin/sh\n' >a_program_of_this_test
    chmod +x a_program_of_this_test
    PATH=$PWD:$PATH
    [ "$(offered ./server -c control run any 60 a_program_of_th)" = a_program_of_this_test ]
    [ "$(offered ./server -c control submit 60 a_program_of_th)" = a_program_of_this_test ]
    [ -z "$(offered ./server -c control run any a_program_of_th)" ]
    [ -z "$(offered ./server -c control submit a_program_of_th)" ]
}

@test "completion: offers pids also if the server answers in JSON" {
    completion_with 'echo "{\"driver\":17,\"state\":\"busy\",\"left_ms\":12}"; echo "{\"count\":1}"'
    [ "$(offered ./server -c control get_status '')" = 17 ]
}

@test "completion: quoted paths are understood, and nothing in them is run" {
    completion_with 'echo "Driver 17 Available"; echo "$2" >asked'
    make_socket "my 'socket'"
    for path in "my\\ \\'socket\\'" "\"my 'socket'\""; do
        [ "$(offered ./server --connect "$path" get_status '')" = 17 ]
        [ "$(cat asked)" = "my 'socket'" ]
    done
    HOME=$PWD
    # shellcheck disable=SC2088 # the completion expands it
    [ "$(offered '~/server' --connect '~/control' get_status '')" = 17 ]
    [ "$(cat asked)" = "$PWD/control" ]
    for path in '$(touch run)' '`touch run`' '"$(touch run)"' 'control;touch run'; do
        [ -z "$(offered ./server --connect "$path" get_status '')" ]
    done
    [ ! -e run ]
}

@test "completion: offers no pids if the server is missing or does not answer" {
    completion_with 'echo $$ >asked; exec sleep 1000'
    SECONDS=0
    [ -z "$(offered ./server --connect control get_status '')" ]
    ((SECONDS < DEADLINE))
    gone "$(cat asked)"
    rm asked control
    [ "$(offered ./server --connect control send_task '')" = any ]
    [ ! -e asked ] # without a socket, no client is started
}

@test "completion: offers the pids of a real server" {
    # shellcheck source=scripts/install/completion/taxi-server
    # shellcheck disable=SC1090,SC1091
    source "$COMPLETION"
    start_server --listen control
    create_many 3
    each_of wanted < <(printf '%s\n' "${pids[@]}")
    # It gives the server a second to answer, which may not be enough on a busy machine.
    three_are_offered() {
        got=$(offered "$SERVER" --connect control get_status '')
        [ "$(wc -l <<<"$got")" = 3 ]
    }
    wait_until three_are_offered
    same 'drivers and those offered' "$wanted" "$got"
}

@test "completion: at a terminal, completes an option's name and paths with blanks" {
    completion_with 'printf "<%s>" "$@"; echo'
    make_socket 'my socket'
    start_terminal "HISTFILE=/dev/null INPUTRC=/dev/null exec '$BASH' --noprofile --norc -i"
    keys "source '$COMPLETION'\n"
    keys './server --gra\t5 --listen my\t\n'
    shows '<--grace><5><--listen><my socket>'
    keys './server --driver=my\t\n'
    shows '<--driver=my socket>'
    keys './server --log my\t --output=my\t\n'
    shows '<--log><my socket><--output=my socket>'
    keys './server -c control run any 5 ls my\t\n'
    shows '<-c><control><run><any><5><ls><my socket>'
    keys 'exit\n'
    wait_until ended "$terminal_pid"
}
