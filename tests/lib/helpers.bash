# Helpers for the tests. A test talks to a server over two FIFOs and waits, with a deadline, for
# what it expects: a line, or the end of a process. Nothing here waits for time to pass.
# shellcheck shell=bash

bats_require_minimum_version 1.5.0

# This is read anew for each test, so it starts no program: bats gives an absolute path.
LIB=${BASH_SOURCE[0]%/*}
ROOT=${LIB%/*/*}
# The reply timeout, unless a test gives another: on a loaded machine a driver may need more than
# the default of one second.
PATIENT=(-t 30)
BUILD=$ROOT${TEST_BUILD:+/$TEST_BUILD} # the binaries under test
SERVER=$BUILD/server
DRIVER=$BUILD/driver
FAULTY=$ROOT/${TEST_BUILD:-build/faulty} # builds that fail on demand
HELPERS=$ROOT/build/tests                # the programs of tests/lib/*.c

: "${MEMORY_MAX_KB:=16384}" # the most that the server may use
DEADLINE=60 # seconds, for anything that should happen at once; generous for a loaded machine

# A user that owns no process and no file, for tests that run as root. Tests that run at the same
# time use different ones.
OTHER_UID=$((20000 + $$ % 40000))

setup() {
    enter_test
}

enter_test() {
    trace_the_test_alone
    cd "$BATS_TEST_TMPDIR" || return
    server_pid='' line='' to='' from=''
    started=() # pids to end in teardown
    declare -gA client_pid=() client_to=() client_from=()
}

teardown() {
    end_started
}

# bats runs a trap before each command, to know which one has failed, and the trap takes longer than most
# commands. So it is for those of the test alone, but with bats --trace. Of helpers, say_where() knows that.
trace_the_test_alone() {
    [[ ${BATS_TRACE_LEVEL:-0} == 0 ]] || return 0
    set +T
    trap 'bats_error_trap; say_where' ERR
}

# Prints in which helpers, and where in them, the test has failed.
say_where() {
    local i
    ((BASH_SUBSHELL == 0)) || return 0
    for ((i = 1; i < ${#FUNCNAME[@]} - 1; i++)); do
        [[ ${FUNCNAME[i]} != "$BATS_TEST_NAME" ]] || break
        echo "in ${FUNCNAME[i]}, ${BASH_SOURCE[i]#"$ROOT/"}, line ${BASH_LINENO[i - 1]}"
    done >&2
}

# protocol_example N: prints the N-th program in taxi-protocol(7).
protocol_example() {
    awk -v n="$1" '/^#!/ { i++; inside = 1 } /^\.Ed/ { inside = 0 } inside && i == n' \
        "$ROOT/scripts/install/man/taxi-protocol.7" | sed 's/\\e/\\/g'
}

# Ends what the test started. The test fails if a driver is left over.
end_started() {
    local pid fd rest=() left=
    for fd in "${client_to[@]}" "${client_from[@]}"; do
        { exec {fd}>&-; } 2>/dev/null || true # a test may have closed it
    done
    [[ -z $to ]] || exec {to}>&-
    [[ -z $from ]] || exec {from}<&-
    to='' from=''
    # A server before its terminal, whose end would give it a HUP and a CONT, see below.
    for pid in "${started[@]}"; do
        [[ $pid == "${terminal_pid-}" ]] || rest+=("$pid")
    done
    for pid in "${rest[@]}" ${terminal_pid-}; do
        drivers_are_gone_with "$pid" || left+=" $pid"
    done
    started=() terminal_pid=''
    [[ -z $left ]] || fail "drivers of$left were left over"
}

# drivers_are_gone_with PID: ends the process (a server by QUIT, anything else by KILL), and checks
# that its children end.
drivers_are_gone_with() {
    local child children text
    read_text "/proc/$1/task/$1/children"
    children=$text
    if alive "$1" && [[ /proc/$1/exe -ef $SERVER || /proc/$1/exe -ef $FAULTY/server ]]; then
        kill -QUIT "$1"
        # Only if it is stopped: a CONT can hang a leak checker at the exit of a running server.
        ! in_state "$1" T || kill -CONT "$1"
        wait_until ended "$1" || true
    fi
    ! alive "$1" || kill -KILL "$1" 2>/dev/null || true
    wait "$1" 2>/dev/null || true
    for child in $children; do
        wait_until ended "$child" || return 1
    done
}

fail() {
    printf '%s\n' "$@" >&2
    return 1
}

# wait_until COMMAND...: tries the command again and again until it succeeds, for at most DEADLINE
# seconds.
wait_until() {
    local end=$((SECONDS + DEADLINE))
    until "$@"; do
        ((SECONDS < end)) || fail "waited in vain until: $*" || return
        pause
    done
}

# Yields the processor between two tries, by a read from a pipe that nobody writes to.
pause() {
    local nothing
    [[ -n ${idle_fd-} ]] || exec {idle_fd}<> <(:)
    read -r -t 0.01 -u "$idle_fd" nothing || true
}

uptime_ms() {
    local up
    read -r up _ </proc/uptime
    echo "${up/./}0"
}

# past MS: the uptime is later than that. For what no event tells: wait_until past "$(($(uptime_ms)
# + 500))".
past() {
    (($(uptime_ms) > $1))
}

# sooner MS COMMAND...: the command takes less than that in at least one of ten tries. Code that is
# too slow never does; right code now and then does, even on a loaded machine.
sooner() {
    local limit=$1 before i
    shift
    for i in {1..10}; do
        before=$(uptime_ms)
        "$@" || return
        (($(uptime_ms) - before >= limit)) || return 0
    done
    fail "took $limit ms or longer, ten times: $*"
}

# Prepares for running commands as another user: "${as_other[@]}" COMMAND... That user can reach the
# programs ./server and ./driver, and owns none of our files.
become_other() {
    [ "$(id -u)" = 0 ] || skip 'only root can become another user'
    command -v setpriv >/dev/null || skip 'no setpriv'
    cp "$SERVER" "$DRIVER" .
    chmod 711 "$BATS_RUN_TMPDIR" "$BATS_RUN_TMPDIR"/* .
    as_other=(setpriv "--reuid=$OTHER_UID" "--regid=$OTHER_UID" --clear-groups)
}

# needs_pid_namespace [--mount-proc]: skips the test if it cannot have a pid namespace of its own; with the
# option, one with its own /proc.
needs_pid_namespace() {
    unshare --fork --pid "$@" true 2>/dev/null || skip 'no pid namespace to be had'
}

# shellcheck source=tests/lib/processes.bash
source "$LIB/processes.bash"
# shellcheck source=tests/lib/server.bash
source "$LIB/server.bash"
# shellcheck source=tests/lib/clients.bash
source "$LIB/clients.bash"
# shellcheck source=tests/lib/drivers.bash
source "$LIB/drivers.bash"
# shellcheck source=tests/lib/jobs.bash
source "$LIB/jobs.bash"
# shellcheck source=tests/lib/terminal.bash
source "$LIB/terminal.bash"
