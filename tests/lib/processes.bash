# What /proc says of processes.
# shellcheck shell=bash

# Sets process_state to the letter of its state, see proc(5), or to nothing if there is no such
# process.
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

# Ended and reaped.
gone() {
    look_at "$1"
    [[ -z $process_state ]]
}

# Ended; reaping it may be left to another process, which may be slow.
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

# has_children COUNT: the server has.
has_children() {
    has_children_of "$server_pid" "$1"
}

has_children_of() {
    (($(children_of "$1" | wc -w) == $2))
}

# A field of /proc/PID/status.
status_field() {
    sed -n "s/^$2:[[:space:]]*//p" "/proc/$1/status"
}

# Processor time of the server, in hundredths of a second.
ticks() {
    local stat
    read -r stat <"/proc/$server_pid/stat"
    # shellcheck disable=SC2086
    set -- ${stat##*) }
    echo $((${12} + ${13}))
}

# How often each of these processes has slept or lost the processor: the same number twice means
# that it did not run in between, if it slept both times.
switches() {
    local process
    for process; do
        grep ctxt_switches "/proc/$process/status"
    done
}

# No deadline runs: the process has no timerfd that is armed.
timer_is_off() {
    local fd
    for fd in "/proc/$1/fd/"*; do
        if [[ $(readlink "$fd") == 'anon_inode:[timerfd]' ]]; then
            grep -q '^it_value: (0, 0)' "/proc/$1/fdinfo/${fd##*/}"
            return
        fi
    done
}

# rests PID [COMMAND...]: it sleeps, and neither time nor what the command does (which must succeed)
# wakes it; so it goes on only when something else happens.
rests() {
    local pid=$1 before
    shift
    before=$(switches "$pid")
    in_state "$pid" S && timer_is_off "$pid" && "${@:-true}" && in_state "$pid" S &&
        [[ $(switches "$pid") == "$before" ]]
}
