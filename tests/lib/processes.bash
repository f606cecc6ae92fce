# What /proc says of processes.
# shellcheck shell=bash

# What is asked again and again until it is true starts no program: a fork and exec cost a millisecond of
# processor time.

# read_text FILE: sets text to what is in the file of /proc, or to nothing if the process has gone.
read_text() {
    text=
    { IFS= read -r -d '' text <"$1"; } 2>/dev/null || true
}

# field_of TEXT FIELD: sets field to the value of that field in a text like /proc/PID/status. Fails if it
# has none.
field_of() {
    [[ $'\n'$1 == *$'\n'"$2":* ]] || return
    field=$'\n'$1
    field=${field#*$'\n'"$2":}
    field=${field%%$'\n'*}
    field=${field#"${field%%[![:space:]]*}"}
}

# look_at PID: sets process_state to the letter of its state, see proc(5), or to nothing if there is
# no such process.
look_at() {
    local stat
    process_state=
    { read -r stat <"/proc/$1/stat"; } 2>/dev/null || return 0
    stat=${stat##*) }
    process_state=${stat%% *}
}

alive() {
    look_at "$1"
    [[ $process_state == [RSDTt] ]]
}

# gone PID: the process has ended and was reaped.
gone() {
    look_at "$1"
    [[ -z $process_state ]]
}

# ended PID: the process has ended; whoever has to reap it may not have done so yet.
ended() {
    look_at "$1"
    [[ $process_state == Z || -z $process_state ]]
}

in_state() {
    look_at "$1"
    [[ $process_state == "$2" ]]
}

# children_of PID: prints the pids of its children, each with a blank after it.
children_of() {
    local text
    read_text "/proc/$1/task/$1/children"
    printf '%s' "$text"
}

# has_children COUNT: the server has that many children.
has_children() {
    has_children_of "$server_pid" "$1"
}

has_children_of() {
    local text children
    read_text "/proc/$1/task/$1/children"
    read -ra children <<<"$text"
    ((${#children[@]} == $2))
}

# status_field PID FIELD: prints that field of /proc/PID/status.
status_field() {
    local text field
    read_text "/proc/$1/status"
    field_of "$text" "$2" && printf '%s\n' "$field"
}

# Prints the processor time that the server has used, in hundredths of a second.
ticks() {
    local stat
    read -r stat <"/proc/$server_pid/stat"
    # shellcheck disable=SC2086
    set -- ${stat##*) }
    echo $((${12} + ${13}))
}

# switches PID...: prints how often each process has slept or lost the processor. If it was asleep
# both times and the number is the same, it did not run in between.
switches() {
    local process text
    for process; do
        read_text "/proc/$process/status"
        printf %s "${text##*$'\n'voluntary_}"
    done
}

# timer_is_off PID: no deadline runs; the process has no armed timerfd.
timer_is_off() {
    local info text field
    for info in "/proc/$1/fdinfo/"*; do
        read_text "$info"
        if field_of "$text" it_value; then
            [[ $field == '(0, 0)' ]]
            return
        fi
    done
}

# has_read_signals PID: no signal is pending for the process.
has_read_signals() {
    local text field
    read_text "/proc/$1/status"
    field_of "$text" ShdPnd && [[ $field != *[!0]* ]]
}

# rests PID [COMMAND...]: the process sleeps, and neither time nor the command, which must succeed,
# wakes it. So it goes on only when something else happens.
rests() {
    local pid=$1 before
    shift
    before=$(switches "$pid")
    in_state "$pid" S && timer_is_off "$pid" && "${@:-true}" && in_state "$pid" S &&
        [[ $(switches "$pid") == "$before" ]]
}
