# Functions that the programs in this directory share. They source it from the root of the project.
# shellcheck shell=bash

ROOT=$PWD
TORTURE=$ROOT/scripts/torture
PATIENCE=60 # seconds to wait for any event; far more than a loaded machine needs

# Prints the comment at the head of the program, and ends the program.
usage() {
    sed -n '2,/^[^#]/{ /^# shellcheck/d; s/^# \{0,1\}//p; }' "$0"
    exit
}

# misused WHY: ends the program because of its arguments.
misused() {
    echo "${0##*/}: $* (try --help)" >&2
    exit 2
}

# check_numbers ARGUMENT...: ends the program if the arguments ask for help, or are anything but one
# or two whole numbers.
check_numbers() {
    local argument
    for argument; do
        [[ $argument != -h && $argument != --help ]] || usage
        [[ $argument =~ ^(0|[1-9][0-9]{0,8})$ ]] || misused "bad number '$argument'"
    done
    (($# <= 2)) || misused 'too many arguments'
}

# pause SECONDS: reads from a pipe to which nobody writes, instead of starting sleep(1).
pause() {
    local nothing
    [[ -n ${idle_fd-} ]] || exec {idle_fd}<> <(:)
    read -r -t "$1" -u "$idle_fd" nothing
    return 0
}

# in_state PID STATE: whether the process is in that state, a letter of proc(5), or "gone".
in_state() {
    local stat='gone) gone'
    read -r stat 2>/dev/null <"/proc/$1/stat"
    stat=${stat##*) }
    [[ ${stat%% *} == "$2" ]]
}

# Whether the process has ended. Its parent may not have reaped it yet.
ended() {
    in_state "$1" Z || in_state "$1" gone
}

await_end() {
    timeout "$PATIENCE" tail -s 0.02 --pid="$1" -f /dev/null
}

# switches PID...: prints how often these processes have given up the processor, or lost it. The
# numbers change whenever one of the processes runs.
switches() {
    set -- "${@/#//proc/}"
    grep -hs ctxt "${@/%//status}"
}

# working_in DIRECTORY: prints the pids of the processes whose working directory this is. A zombie
# has none.
working_in() {
    find /proc/[0-9]*/cwd -maxdepth 0 -lname "$1" 2>/dev/null | tr -cd '0-9\n' | tr '\n' ' '
}

# measure_queue PID...: sets queued_us to the time, in microseconds, that these processes were ready
# to run but had to wait for a processor. We subtract it from measured times, so that other programs
# on a loaded machine do not count against the server.
measure_queue() {
    local pid ns sum_ns=0
    for pid; do
        read -r _ ns _ 2>/dev/null <"/proc/$pid/schedstat" && sum_ns=$((sum_ns + ns))
    done
    queued_us=$((sum_ns / 1000))
}
