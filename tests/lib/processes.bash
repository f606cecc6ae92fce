# What /proc says of processes.
# shellcheck shell=bash

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

children_of() {
    cat "/proc/$1/task/$1/children" 2>/dev/null || true
}

# has_children COUNT: the server has that many children.
has_children() {
    has_children_of "$server_pid" "$1"
}

has_children_of() {
    (($(children_of "$1" | wc -w) == $2))
}

# status_field PID FIELD: prints that field of /proc/PID/status.
status_field() {
    sed -n "s/^$2:[[:space:]]*//p" "/proc/$1/status"
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
    local process
    for process; do
        grep ctxt_switches "/proc/$process/status"
    done
}

# timer_is_off PID: no deadline runs; the process has no armed timerfd.
timer_is_off() {
    local fd
    for fd in "/proc/$1/fd/"*; do
        if [[ $(readlink "$fd") == 'anon_inode:[timerfd]' ]]; then
            grep -q '^it_value: (0, 0)' "/proc/$1/fdinfo/${fd##*/}"
            return
        fi
    done
}

# has_read_signals PID: no signal is pending for the process.
has_read_signals() {
    grep -q '^ShdPnd:.0*$' "/proc/$1/status"
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
