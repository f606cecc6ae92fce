# What the programs in this directory share. They source it from the root of the project.
# shellcheck shell=bash

ROOT=$PWD
TORTURE=$ROOT/scripts/torture
PATIENCE=60 # seconds for any event; a loaded machine needs some of them, only a hang needs all

# usage [STATUS]: prints the comment at the head of the program, and ends it.
usage() {
    sed -n '2,/^[^#]/s/^# \{0,1\}//p' "$0"
    exit "${1-0}"
}

# Prints the usage and ends the program, if the arguments ask for help or are not whole numbers.
check_numbers() {
    local argument
    for argument; do
        [[ $argument != -h && $argument != --help ]] || usage
        [[ $argument =~ ^[0-9]+$ ]] || usage 2 >&2
    done
}

# pause SECONDS: reads from a pipe that nobody writes to.
pause() {
    local nothing
    [[ -n ${idle_fd-} ]] || exec {idle_fd}<> <(:)
    read -r -t "$1" -u "$idle_fd" nothing
    return 0
}

# in_state PID LETTER, see proc(5); "gone" if there is no such process.
in_state() {
    local stat='gone) gone'
    read -r stat 2>/dev/null <"/proc/$1/stat"
    stat=${stat##*) }
    [[ ${stat%% *} == "$2" ]]
}

# The process has ended. Whoever has to reap it may be slow.
ended() {
    in_state "$1" Z || in_state "$1" gone
}

# Waits until the process has ended.
await_end() {
    timeout "$PATIENCE" tail -s 0.02 --pid="$1" -f /dev/null
}

# How often the processes gave the processor away, or lost it: it changes whenever one of them runs.
switches() {
    set -- "${@/#//proc/}"
    grep -hs ctxt "${@/%//status}"
}

# The processes that work in a directory. A zombie works nowhere.
working_in() {
    find /proc/[0-9]*/cwd -maxdepth 0 -lname "$1" 2>/dev/null | tr -cd '0-9\n' | tr '\n' ' '
}

# Sets queued_us to the time, in microseconds, that these processes have been ready to run but had
# to wait for a processor. What others do to a loaded machine shows here; what the server does shows
# elsewhere.
measure_queue() {
    local pid ns sum_ns=0
    for pid; do
        read -r _ ns _ 2>/dev/null <"/proc/$pid/schedstat" && sum_ns=$((sum_ns + ns))
    done
    queued_us=$((sum_ns / 1000))
}
