# Plays the sessions of documents: README files and manual pages.
#
# A session is a block fenced as ```console, or in a manual page a literal display that begins with
# `$ ` or `# `. It is typed at an interactive bash, at a terminal of its own, in a directory of its
# own that has ./server, ./driver, the sources, and the commands taxi-server and taxi.
#
# - What follows `$ `, or `# ` as root's prompt, is typed at the shell's prompt. What follows `> `
#   is typed at the server's prompt, or at the shell's second. A line is typed when its prompt is
#   shown; `^C` and the like are keys. A prompt with nothing after it must be shown, too.
# - All other lines are what the terminal shows for the line typed above them, in full and to the
#   letter.
#
# But these may differ:
#
# - Process ids. A number of four or more digits is one if the word before it is driver or pid, or
#   if there is no word before it. The same number in a document is the same process, another number
#   another process. A number that is typed is replaced by the pid of that process in this session;
#   one that is typed before it was shown is left as it is.
# - Seconds after Busy. The first ones of a task must be exact. Later ones, where the document has
#   no more than it last had for that driver, may be anything from 1 to what was shown last. The
#   same holds for left_ms in JSON, in seconds rounded up.
# - What bash says when its jobs start and end, `[1] 4711` and `[1]+  Done`, if the document leaves
#   it out. The document must say that a job has stopped.
#
# Five things are not as a reader would have them. The reply timeout is longer, unless the session
# sets it, as in all tests. After `--listen PATH ... &` nothing is typed until PATH takes
# connections. After a submit, nothing is typed until the server rests: by then a job that does not
# wait has begun, before anybody could ask. /run/ is a directory of the session. And systemctl is a
# stand-in, see systemctl.bash.
# shellcheck shell=bash

SESSION_DEADLINE=60 # seconds, for a whole session
SHELL_PROMPT='{shell} ' # stands for `$ `; never part of any output
export LC_ALL=C # lengths are in bytes

# add_started PID: adds the process and what runs below it to started; servers first, since these
# end their drivers.
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

# Prints the pids of the session's running servers, also of those that are not children of its
# shell.
servers() {
    local pid
    while read -r pid; do
        [[ /proc/$pid/exe -ef $SERVER && /proc/$pid/cwd -ef session ]] && echo "$pid"
    done <pids
}

end_session() {
    if [[ -n ${terminal_pid-} ]]; then
        mapfile -t started < <(servers)
        add_started "$terminal_pid"
        terminal_pid=
    fi
    end_started
}

# ---- documents

# as_markdown FILE: prints the document; of a manual page the headings and sessions become Markdown,
# line by line.
as_markdown() {
    [[ $1 == *.[17] ]] || { cat "$1"; return; }
    sed '/^\.Bd -literal/{N;s/^[^\n]*\n\([$#] \)/```console\n\1/;s/^\.Bd[^\n]*/```/;}
        s/^\.Ed$/```/; s/^\.S[hs] /# /; s/\\e/\\/g; s/\\&//g' "$1"
}

# read_document FILE: sets the arrays blocks, headings and numbers to each session's text, the
# heading above it and the number of its first line; and outside to all other lines, with their
# numbers.
read_document() {
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
    done < <(as_markdown "$1")
    [[ -z $fence ]] || fail "$1: $fence has no end"
}

# ---- a session

# Starts the session's terminal and shell.
start_session() {
    mkdir session bin run
    : >pids
    # The session's own options come later, so they win.
    cat >session/server <<END
#!$BASH
echo \$\$ >>'$PWD/pids'
case " \$* " in
    *' --connect'* | *' -c '*) exec '$SERVER' "\$@" ;;
esac
exec '$SERVER' ${PATIENT[*]} "\$@"
END
    chmod +x session/server
    cp session/server bin/taxi-server
    printf '#!%s\nexec -a taxi "%s" "$@"\n' "$BASH" "$SERVER" >bin/taxi
    printf '#!%s\nsource "%s" "$@"\n' "$BASH" "$ROOT/tests/lib/systemctl.bash" >bin/systemctl
    chmod +x bin/systemctl bin/taxi
    ln -s "$BUILD/driver" "$ROOT"/{Makefile,proto.h,build,lib,scripts,tests} session
    # What is typed is not echoed, since it would mix with the output of background jobs.
    start_terminal "stty -echo; cd session && exec env -i HOME='$PWD' PATH='$PWD/bin:$PATH' LC_ALL=C \
        XDG_RUNTIME_DIR='$PWD/run' LIB='$LIB' TERM=dumb PS1='$SHELL_PROMPT' '$BASH' --norc --noprofile --noediting -i"
    seen=0 key=false
    declare -gA process=() number_of=() busy=() busy_in_document=()
}

# answered COUNT: what was typed last has been answered by at least that many lines and a prompt.
# Sets shown to the lines, and prompt to the prompt.
answered() {
    local text line
    IFS= read -r -d '' text <screen || true
    text=${text:seen}
    case $text in
        *"$SHELL_PROMPT"*) prompt='$' ;;
        '> ' | *$'\n> ') prompt='>' ;;
        *) prompt= ;;
    esac
    # No prompt if this is the middle of a line.
    [[ $text == *"$SHELL_PROMPT" || $text == *'> ' || $text == *$'\n' ]] || prompt=
    new_seen=$((seen + ${#text}))
    text=${text//"$SHELL_PROMPT"/}
    text=${text//$'\r\n'/$'\n'}
    [[ $prompt != '>' ]] || text=${text%'> '}
    ! $key || text=${text#$'\n'} # this newline ends the line in which the key was typed
    shown=()
    while [[ -n $text ]]; do
        line=${text%%$'\n'*}
        text=${text:${#line} + 1}
        line=${line##*$'\r'} # a log line overwrites the prompt before it
        $jobs_too || ! of_job "$line" || continue
        shown+=("$line")
    done
    [[ -n $prompt ]] && ((${#shown[@]} >= $1))
}

of_job() {
    [[ $1 =~ ^\[[0-9]+\]\ [0-9]+$ || $1 =~ ^\[[0-9]+\][-+\ ]\  && $1 != *@(Stopped|Running)* ]]
}

# await COMMAND...: tries the command until it succeeds, in the session's time.
await() {
    until "$@"; do
        ((SECONDS < session_end)) || return
        pause
    done
}

# The session's servers and their drivers have begun what they were given: all of them sleep at the same
# time, so nothing is on its way between them.
servers_rest() {
    local pid pids before
    mapfile -t pids < <(servers)
    for pid in "${pids[@]}"; do
        # shellcheck disable=SC2207
        pids+=($(children_of "$pid"))
    done
    before=$(switches "${pids[@]}")
    for pid in "${pids[@]}"; do
        in_state "$pid" S || return
    done
    [[ $(switches "${pids[@]}") == "$before" ]]
}

# type_line LINE: types a line of the document, with this session's numbers and paths.
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
    line+=$rest
    say "${line//' /run/'/" ../run/"}"
}

# can_connect PATH: a server answers there, as a client that sends nothing succeeds.
can_connect() {
    timeout --foreground "$DEADLINE" "$SERVER" --connect "$1" </dev/null 2>/dev/null
}

# same WANTED SHOWN: the lines are the same, except for what may differ. Remembers the numbers.
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
            if ((number <= ${busy_in_document[$driver]:-0})); then
                ((got > 0 && got <= busy[$driver])) || return
            else
                [[ $got == "$number" ]] || return
            fi
            busy[$driver]=$got busy_in_document[$driver]=$number
        else
            [[ $got == "$number" ]] || return
        fi
    done
    [[ -z $got$other ]] || return
    [[ $1 != *[Aa]vailable* ]] || busy_in_document[$driver]=0
}

# By its length and the word before it, number is a process id.
is_process() {
    ((${#number} > 3)) && [[ $word == @(driver|pid|) ]]
}

# as_document LINE: prints a line of the session with the document's numbers.
as_document() {
    local rest=$1 line=''
    while [[ $rest =~ ^([^0-9]*)([0-9]+)(.*)$ ]]; do
        line+=${BASH_REMATCH[1]}${number_of[${BASH_REMATCH[2]}]-${BASH_REMATCH[2]}}
        rest=${BASH_REMATCH[3]}
    done
    printf '%s\n' "$line$rest"
}

# compare: the lines shown are those wanted. Adds both, with the document's numbers, to the files
# got and wanted.
compare() {
    local i differs=false
    for ((i = 0; i < ${#wanted[@]} || i < ${#shown[@]}; i++)); do
        ((i >= ${#wanted[@]})) || printf '%s\n' "${wanted[i]}" >>wanted
        if ((i < ${#wanted[@]} && i < ${#shown[@]})) && same "${wanted[i]}" "${shown[i]}"; then
            printf '%s\n' "${wanted[i]}" >>got
        else
            differs=true
            ((i >= ${#shown[@]})) || as_document "${shown[i]}" >>got
        fi
    done
    ! $differs
}

is_typed() {
    [[ $1 =~ ^([\$\#>])(\ (.*))?$ ]]
}

# play LINE...: types the session and compares its output, until something differs.
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
        if ! is_typed "$line" || [[ $prompt != "${BASH_REMATCH[1]/\#/$}" ]]; then
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
        if [[ $typed =~ (^|\ )submit\  ]]; then
            await servers_rest || late='the server does not rest'
        fi
        compare || late=${late:-differs}
        [[ -z $late ]] && continue
        [[ $late == differs ]] || echo "($late in $SESSION_DEADLINE s)" >>got
        return 1
    done
}

# run_sessions FILE: plays the document's sessions below the heading that the test is named after.
run_sessions() {
    local heading=${BATS_TEST_DESCRIPTION#*: } count=0 i lines status
    read_document "$1"
    for i in "${!blocks[@]}"; do
        [[ ${headings[i]} == "$heading" ]] || continue
        count=$((count + 1))
        mkdir "$BATS_TEST_TMPDIR/$count"
        cd "$BATS_TEST_TMPDIR/$count" || return
        mapfile -t lines < <(printf '%s' "${blocks[i]}")
        status=0
        play "${lines[@]}" || status=1
        end_session
        ((status == 0)) || fail "$1, the session in line ${numbers[i]}:" \
            "$(diff -U 100 --label "$1" --label 'the terminal' wanted got)" || return
    done
    ((count > 0)) || fail "$1 has no session below the heading '$heading'"
}
