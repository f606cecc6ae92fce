#!/usr/bin/env bats
# README.md is true: its sessions are run, and the terminal has to show what they show.
#
# A block fenced as ```console is a session. It is typed at an interactive bash, at a terminal of its
# own, in a directory of its own that has ./server, ./driver, scripts/ and the command taxi-server. A
# test of sessions is named by the heading that they are below.
#
# - What is behind `$ ` is typed at the shell's prompt, what is behind `> ` at the server's (or the
#   shell's second), once that prompt is shown; `^C` and the like are keys. A prompt alone has to be
#   there.
# - All other lines are what the terminal shows for the line typed above them: all of it, to the letter.
#
# But these may differ:
#
# - Process ids. A number of four or more digits is one if the word before it is driver or pid, or if
#   no word is before it. One number of README is one process, another another, and it is that of the
#   session where it is typed. A number that is typed before it is shown is itself.
# - Seconds behind Busy. Where README has no more than it had last for that driver, they may be
#   anything from 1 to what was shown last. The first of a task are exact. So is left_ms of JSON, in
#   seconds rounded up.
# - The seconds of uptime=.
# - What bash says of its jobs as they start and end, `[1] 4711` and `[1]+  Done`, where README does
#   not have it. That a job is stopped README has to have.
#
# Two things are done that no reader does: a server is more patient with its drivers unless it is told
# otherwise, as in all tests; and after `--listen PATH ... &` nothing is typed until PATH takes
# connections.

load lib/helpers

README=$ROOT/README.md
SESSION_DEADLINE=30 # seconds, for all of one
SHELL_PROMPT='{shell} ' # is `$ ` in README; no output has it
export LC_ALL=C # lengths are in bytes

teardown() {
    end_session
}

# Adds that process to started, and what runs below it; servers first, which end their drivers.
add_started() {
    local child
    for child in $(children_of "$1"); do
        if [[ /proc/$child/exe -ef $SERVER ]]; then
            started=("$child" "${started[@]}")
        else
            add_started "$child"
        fi
    done
    started+=("$1")
}

end_session() {
    if [[ -n ${terminal_pid-} ]]; then
        started=()
        add_started "$terminal_pid"
        terminal_pid=
    fi
    end_started
}

# ---- README

# Reads it. Each session is one of blocks, with the heading above it and the number of its first line; all
# other lines are in outside, with their numbers.
read_readme() {
    local line number=0 heading='' fence=''
    blocks=() headings=() numbers=() outside=()
    while IFS= read -r line; do
        number=$((number + 1))
        if [[ $line == '```'* && -n $fence ]]; then
            fence=
        elif [[ $line == '```'* ]]; then
            fence=$line
            if [[ $fence == '```console' ]]; then
                blocks+=('') headings+=("$heading") numbers+=($((number + 1)))
            fi
        elif [[ $fence == '```console' ]]; then
            blocks[-1]+=$line$'\n'
        else
            [[ -n $fence || ! $line =~ ^#+\ (.*)$ ]] || heading=${BASH_REMATCH[1]}
            outside+=("$number: ${fence:+    }$line") # as if it were indented
        fi
    done <"$README"
    [[ -z $fence ]] || fail "README.md: $fence has no end"
}

# ---- a session

# Starts its terminal, with the shell.
start_session() {
    mkdir session bin
    # The server's own options come later and count.
    cat >session/server <<END
#!$BASH
case " \$* " in
    *' --connect'* | *' -c '*) exec '$SERVER' "\$@" ;;
esac
exec '$SERVER' ${PATIENT[*]} "\$@"
END
    chmod +x session/server
    cp session/server bin/taxi-server
    ln -s "$BUILD/driver" "$ROOT/scripts" session
    # What is typed is not echoed: it would mix with what background jobs show.
    start_terminal "stty -echo; cd session && exec env -i HOME='$PWD' PATH='$PWD/bin:$PATH' LC_ALL=C \
        TERM=dumb PS1='$SHELL_PROMPT' '$BASH' --norc --noprofile --noediting -i"
    seen=0 key=false
    declare -gA process=() number_of=() busy=() busy_in_readme=()
}

# answered COUNT: what was typed last is answered, by a prompt and at least so many lines. Sets
# prompt to which it is, and shown to the lines.
answered() {
    local text line
    IFS= read -r -d '' text <screen || true
    text=${text:seen}
    case $text in
        *"$SHELL_PROMPT"*) prompt='$' ;;
        '> ' | *$'\n> ') prompt='>' ;;
        *) prompt= ;;
    esac
    [[ $text == *"$SHELL_PROMPT" || $text == *'> ' || $text == *$'\n' ]] || prompt= # in the midst of a line
    new_seen=$((seen + ${#text}))
    text=${text//"$SHELL_PROMPT"/}
    text=${text//$'\r\n'/$'\n'}
    [[ $prompt != '>' ]] || text=${text%'> '}
    ! $key || text=${text#$'\n'} # that ends the line which the key was typed in
    shown=()
    while [[ -n $text ]]; do
        line=${text%%$'\n'*}
        text=${text:${#line} + 1}
        line=${line##*$'\r'} # has overwritten what was before it, a prompt
        $jobs_too || ! of_job "$line" || continue
        shown+=("$line")
    done
    [[ -n $prompt ]] && ((${#shown[@]} >= $1))
}

of_job() {
    [[ $1 =~ ^\[[0-9]+\]\ [0-9]+$ || $1 =~ ^\[[0-9]+\][-+\ ]\  && $1 != *@(Stopped|Running)* ]]
}

# await COMMAND...: until it succeeds, in the session's time.
await() {
    until "$@"; do
        ((SECONDS < session_end)) || return
        pause
    done
}

# Types a line of README's, with the numbers of this session.
type_line() {
    local rest=$1 line='' number code
    if [[ $1 == ^? ]]; then
        key=true
        printf -v code '%03o' $(($(printf '%d' "'${1:1}") & 31))
        keys "\\$code"
        return
    fi
    key=false
    while [[ $rest =~ ^([^0-9]*)([0-9]+)(.*)$ ]]; do
        number=${BASH_REMATCH[2]} rest=${BASH_REMATCH[3]}
        line+=${BASH_REMATCH[1]}
        ((${#number} < 4)) || : "${process[$number]:=$number}" "${number_of[${process[$number]}]:=$number}"
        line+=${process[$number]-$number}
    done
    say "$line$rest"
}

can_connect() {
    perl -MIO::Socket::UNIX -e 'exit !IO::Socket::UNIX->new(Peer => shift)' "$1"
}

# same README SHOWN: the lines are the same but for what may differ. Remembers the numbers.
same() {
    local rest=$1 other=$2 before='' number got word driver=none
    while :; do
        [[ $rest =~ ^([^0-9]*)([0-9]*)(.*)$ ]]
        before+=${BASH_REMATCH[1]} number=${BASH_REMATCH[2]} rest=${BASH_REMATCH[3]}
        [[ $other == "${BASH_REMATCH[1]}"* ]] || return
        [[ ${other:${#BASH_REMATCH[1]}} =~ ^([0-9]*)(.*)$ ]]
        got=${BASH_REMATCH[1]} other=${BASH_REMATCH[2]}
        [[ -n $number ]] || break
        [[ $before =~ ([A-Za-z_]*)[^A-Za-z_]*$ ]]
        word=${BASH_REMATCH[1],,}
        before+=$number
        if [[ -n ${process[$number]-} ]] || is_process; then
            [[ -n $got ]] || return
            [[ $got == "${process[$number]-$got}" && $number == "${number_of[$got]-$number}" ]] || return
            process[$number]=$got number_of[$got]=$number
            driver=$number
        elif [[ $word == @(busy|left_ms) ]]; then
            [[ -n $got ]] || return
            if [[ $word == left_ms ]]; then
                number=$(((number + 999) / 1000)) got=$(((got + 999) / 1000))
            fi
            if ((number <= ${busy_in_readme[$driver]:-0})); then
                ((got > 0 && got <= busy[$driver])) || return
            else
                [[ $got == "$number" ]] || return
            fi
            busy[$driver]=$got busy_in_readme[$driver]=$number
        elif [[ $word == uptime ]]; then
            [[ -n $got ]] || return
        else
            [[ $got == "$number" ]] || return
        fi
    done
    [[ -z $got$other ]] || return
    [[ $1 != *[Aa]vailable* ]] || busy_in_readme[$driver]=0
}

# The number behind that word is a process id.
is_process() {
    ((${#number} > 3)) && [[ $word == @(driver|pid|) ]]
}

# The line with README's numbers.
as_readme() {
    local rest=$1 line=''
    while [[ $rest =~ ^([^0-9]*)([0-9]+)(.*)$ ]]; do
        line+=${BASH_REMATCH[1]}${number_of[${BASH_REMATCH[2]}]-${BASH_REMATCH[2]}}
        rest=${BASH_REMATCH[3]}
    done
    printf '%s\n' "$line$rest"
}

# compare: what is shown is what is wanted; writes both, as README has them, to the files got and wanted.
compare() {
    local i differs=false
    for ((i = 0; i < ${#wanted[@]} || i < ${#shown[@]}; i++)); do
        ((i >= ${#wanted[@]})) || printf '%s\n' "${wanted[i]}" >>wanted
        if ((i < ${#wanted[@]} && i < ${#shown[@]})) && same "${wanted[i]}" "${shown[i]}"; then
            printf '%s\n' "${wanted[i]}" >>got
        else
            differs=true
            ((i >= ${#shown[@]})) || as_readme "${shown[i]}" >>got
        fi
    done
    ! $differs
}

is_typed() {
    [[ $1 =~ ^([\$>])(\ (.*))?$ ]]
}

# play LINE...: types and compares, until something differs.
play() {
    local line typed late
    session_end=$((SECONDS + SESSION_DEADLINE))
    jobs_too=false wanted=() shown=() prompt=
    start_session
    await answered 0
    while (($# > 0)); do
        seen=$new_seen line=$1 typed=
        shift
        printf '%s\n' "$line" >>wanted
        if ! is_typed "$line" || [[ $prompt != "${BASH_REMATCH[1]}" ]]; then
            echo "${prompt:-(no prompt)}" >>got
            return 1
        fi
        typed=${BASH_REMATCH[3]}
        printf '%s\n' "$line" >>got
        wanted=() shown=() jobs_too=false late=
        while (($# > 0)) && ! is_typed "$1"; do
            ! of_job "$1" || jobs_too=true
            wanted+=("$1")
            shift
        done
        if [[ $line == ?\ * ]]; then
            type_line "$typed"
            await answered ${#wanted[@]} || late='nothing more'
        fi
        if [[ $typed =~ \ (--listen|-l)[\ =]*([^\ ]+)(\ .*)?\&$ ]]; then
            line=session/${BASH_REMATCH[2]}
            [[ ${BASH_REMATCH[2]} != /* ]] || line=${BASH_REMATCH[2]}
            await can_connect "$line" || late="nobody listens at $line"
        fi
        compare || late=${late:-differs}
        [[ -z $late ]] && continue
        [[ $late == differs ]] || echo "($late in $SESSION_DEADLINE s)" >>got
        return 1
    done
}

# Runs the sessions below the heading that the test is named by.
run_sessions() {
    local heading=${BATS_TEST_DESCRIPTION#README: } count=0 i lines status
    read_readme
    for i in "${!blocks[@]}"; do
        [[ ${headings[i]} == "$heading" ]] || continue
        count=$((count + 1))
        mkdir "$BATS_TEST_TMPDIR/$count"
        cd "$BATS_TEST_TMPDIR/$count" || return
        mapfile -t lines < <(printf '%s' "${blocks[i]}")
        status=0
        play "${lines[@]}" || status=1
        end_session
        ((status == 0)) || fail "README.md, the session in line ${numbers[i]}:" \
            "$(diff -U 100 --label 'README.md' --label 'the terminal' wanted got)" || return
    done
    ((count > 0)) || fail "README.md has no session below the heading '$heading'"
}

@test "README: A session at the terminal" {
    run_sessions
}

@test "README: The same from a script" {
    run_sessions
}

@test "README: A batch of jobs" {
    run_sessions
}

@test "README: As a service, for many at once" {
    run_sessions
}

@test "README: no session goes unchecked" {
    read_readme
    for heading in "${headings[@]}"; do
        grep -qxF "@test \"README: $heading\" {" "$BATS_TEST_FILENAME" ||
            fail "no test runs the sessions below the heading '$heading'"
    done
    for line in "${outside[@]}"; do
        [[ ! $line =~ ^[0-9]+:\ +\$(\ |$) && ! $line =~ ^[0-9]+:\ \ +\>(\ |$) ]] ||
            fail "README.md, a session in no \`\`\`console block, line $line"
    done
}

@test "README: the keys of stats" {
    read_readme
    stats=$(printf '%s\n' "${outside[@]}" | sed -n 's/^[0-9]*: *\(Stats \)/\1/p')
    ask stats
    [ "${output//[0-9]/}" = "${stats//[0-9]/}" ]
}

# Adds the next reply to said.
note_reply() {
    reply || return
    said+=("$line")
}

provoke() {
    say "$@"
    note_reply
}

# The same from a server of its own, which has no driver.
provoke_alone() {
    said+=("$(session 2>err <<<"$1")")
}

# The same from a server of its own, which has to start that driver.
provoke_by() {
    said+=("$(session --driver "$1" 2>err <<<create_driver)")
}

another_server() {
    end_started
    rm -f in out
    "$@"
}

# tested ERROR: takes it as said if a test in another file expects it.
tested() {
    said+=("$1")
    grep -qF "${1/4711/+([0-9])}'" "$ROOT"/tests/[!r]*.bats || fail "no test expects '$1'"
}

@test "README: each Error is what the server says, word for word" {
    said=()
    another_server start_server
    create
    provoke fly
    provoke 'send_task 1'
    provoke 'get_status 12x'
    provoke "send_task $pid -5"
    provoke 'create_driver 0'
    provoke 'get_status 999999999'
    provoke_alone 'send_task any 1'
    provoke 'session colour'
    env printf '%s\n' "send_task $pid 3" "send_task $pid 1" >&"$to" # in one write: no second passes
    expect "Driver $pid Busy 3"
    note_reply
    say "cancel_task $pid"
    expect "Driver $pid Available"
    provoke "cancel_task $pid"
    provoke "run $pid 5 /none/such"
    env printf 'run any 5 echo \0\n' >&"$to"
    note_reply

    another_server start_server -t 0.1
    create
    kill -STOP "$pid"
    provoke "get_status $pid"

    another_server start_server
    create
    kill -STOP "$pid"
    say "get_status $pid"
    wait_until took 2
    kill -KILL "$pid"
    note_reply

    another_server start_after 'ulimit -n 24'
    say 'create_driver 100'
    while reply && [[ $line == Driver* ]]; do
        :
    done
    said+=("${line/No file descriptors available/Too many open files}") # the first are musl's words

    fake_driver seven 'exit 7'
    provoke_by ./seven
    tested 'Error: cannot create driver: 4711 did not come up in 5 s'
    fake_driver babbler 'printf garbage-and-more-of-it >&3' linger
    provoke_by ./babbler
    tested 'Error: cannot list drivers: Cannot allocate memory'

    another_server start_server -g 0.2
    provoke "$(printf '%05000d' 0)"
    create
    kill -STOP "$pid"
    say "get_status $pid" shutdown
    note_reply

    read_readme
    diff -U 100 --label README.md --label 'the server' \
        <(printf '%s\n' "${outside[@]}" | sed -n 's/^[0-9]*:     *\(Error: \)/\1/p') \
        <(printf '%s\n' "${said[@]}" | sed -E 's/(driver:? )[0-9]+/\14711/') >&2
}
