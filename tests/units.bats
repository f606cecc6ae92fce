#!/usr/bin/env bats
# What the units for systemd forbid, tried without systemd: the server, its drivers and its jobs work
# under the same filters of system calls, and in much the same sandboxes. In systemd.bats, systemd
# itself runs them.

load lib/helpers

declare -gA UNITS=([taxi]=$ROOT/scripts/install/taxi.service [taxi-jobs]=$ROOT/scripts/install/taxi-jobs.service)

# setting UNIT KEY: prints the values of a directive of a unit, one a line.
setting() {
    sed -n "s/^$2=//p" "${UNITS[$1]}"
}

# calls_of NAME...: prints the system calls that these names stand for; @NAME is a set of them.
calls_of() {
    local name
    for name in "$@"; do
        case $name in
        @*) # shellcheck disable=SC2046 # names have no blanks
            calls_of $(systemd-analyze syscall-filter "$name" | sed '1d; /^ *#/d') ;;
        *) echo "$name" ;;
        esac
    done
}

# forbidden_by UNIT: prints the system calls that the unit forbids, as strace takes them for -e. The
# first line of SystemCallFilter= decides whether all others are forbidden, or none; each of the next
# lines adds to that or takes away, see systemd.exec(5).
forbidden_by() {
    local line call denies
    declare -A listed=()
    while read -r line; do
        : "${denies=$([[ $line == '~'* ]] && echo 1)}"
        # shellcheck disable=SC2086 # several names
        for call in $(calls_of ${line#'~'}); do
            if [[ -n $denies && $line != '~'* || -z $denies && $line == '~'* ]]; then
                unset "listed[$call]"
            else
                listed[$call]=1
            fi
        done
    done < <(setting "$1" SystemCallFilter)
    ((${#listed[@]} > 10)) || fail "no SystemCallFilter= in the unit of $1" || return
    [[ -n $denies ]] || printf '!'
    printf '?%s\n' "${!listed[@]}" | paste -sd,
}

# No process is left of those that session_works() starts.
nothing_is_left() {
    ! grep -zqsxE "1000[.]$OTHER_UID" /proc/[0-9]*/cmdline || return 1
}

# session_works DIRECTORY: a session that has drivers and jobs do most of what they can do gets the
# right replies. DIRECTORY: where the server runs, with --output output.
session_works() {
    local pid sleep="sleep 1000.$OTHER_UID"
    # A process whose program may not be read has a /proc that only root may read.
    local unreadable="setsid '$PWD/unreadable' -c"
    cp "$(command -v sh)" unreadable
    chmod 111 unreadable
    control get_drivers | grep -c Available | grep -qx 2
    control create_driver 2 | grep -qx '2 drivers'
    control send_task any 0.05 | grep -q ' Busy 1$'
    run -3 control run any 60 'echo "$TAXI_JOB"; echo oops >&2; exit 3'
    [ "$output" = 'Job 1 Done exit 3' ]
    run -127 control run any 60 /nonexistent
    # One that is ended at its limit, and one that leaves processes.
    run -124 control run any 0.2 "$unreadable 'trap \"\" TERM; $sleep; true' & trap '' TERM; $sleep; true"
    nothing_is_left
    run -0 control run any 60 "setsid sh -c '$sleep & $sleep' & $unreadable '$sleep & $sleep' & exec true"
    nothing_is_left
    pid=$(control get_drivers | sed -n '1s/Driver \([0-9]*\) Available/\1/p')
    control delete_driver "$pid" | grep -qx "Driver $pid Deleted"
    # One whose driver is killed.
    run -125 control run any 60 "setsid $sleep & kill -KILL \$PPID; $sleep"
    [[ $output == 'Job 5 Done lost driver '*' died (killed by signal 9)' ]]
    wait_until nothing_is_left
    wait_until drivers_are_up
    control shutdown
    server_ends 0
    [ "$(cat "$1"/output/1.out "$1"/output/1.err)" = $'1\noops' ]
}

drivers_are_up() {
    (($(control get_drivers | grep -c Available) >= 2))
}

# works_under UNIT: the session works with --output, and has an Error for each system call that the
# unit forbids; none was made.
works_under() {
    local forbidden
    command -v strace >/dev/null || skip 'no strace to forbid system calls with'
    command -v systemd-analyze >/dev/null || skip 'no systemd-analyze to tell what is in a set of system calls'
    [[ ${TEST_BUILD-} != *asan* ]] || skip 'a sanitizer makes system calls of its own'
    forbidden=$(forbidden_by "$1")
    start strace -D -f -qq -o trace -e signal=none -e "trace=$forbidden" -e "inject=$forbidden:error=EPERM" \
        "$SERVER" "${PATIENT[@]}" --listen taxi.sock --drivers 2 --output output
    wait_until server_listens
    end_input
    session_works .
    # What the shells of jobs and sleep(1) call is counted, too.
    ! grep -E '^[0-9]+ +[a-z]' trace || fail 'these system calls are forbidden'
}

@test "taxi.service: forbids no system call that a session makes" {
    works_under taxi
}

@test "taxi-jobs.service: forbids no system call that a session makes" {
    works_under taxi-jobs
}

# start_in_sandbox UNSHARE COMMAND...: starts the server in a sandbox like a unit's: in namespaces of its
# own (UNSHARE: more options for that), with all read-only but ./work, and by COMMAND, which makes it
# another user. Standard input has lines of sh that do the rest.
start_in_sandbox() {
    local unshare=$1
    shift
    become_other
    cat >sandbox
    # shellcheck disable=SC2086 # options
    unshare --mount --ipc --uts $unshare sh -euc "$(cat sandbox)
        exec \"\$@\"" sh "$@" true 2>/dev/null || skip 'no such namespaces to be had'
    mkdir work
    chown "$OTHER_UID:$OTHER_UID" work
    # shellcheck disable=SC2086 # options
    start unshare --mount --ipc --uts $unshare sh -euc "
        mount --bind work work
        $(cat sandbox)
        mount -o remount,bind,ro /
        cd work
        umask 077
        exec \"\$@\"" sh "$@" ../server "${PATIENT[@]}" --listen taxi.sock --drivers 2 --output output
    ln -s work/taxi.sock .
    wait_until server_listens
    end_input
}

@test "taxi.service: the server works in such a sandbox" {
    start_in_sandbox --net "$HELPERS/confine" "$OTHER_UID" <<'END'
mount -t proc -o hidepid=invisible,subset=pid proc /proc
END
    session_works work
}

@test "taxi-jobs.service: the server works in such a sandbox" {
    start_in_sandbox '' setpriv --reuid="$OTHER_UID" --regid="$OTHER_UID" --clear-groups --no-new-privs \
        --bounding-set=-all <<'END'
mount --bind /proc/sys /proc/sys
mount -o remount,bind,ro /proc/sys
END
    session_works work
}

@test "units: OOM of one process stops no service; at a stop only the server gets TERM, and has time" {
    for unit in taxi taxi-jobs; do
        [ "$(setting "$unit" OOMPolicy)" = continue ]
        [ "$(setting "$unit" KillMode)" = mixed ]
        # The grace period, and five seconds for what cannot be killed.
        (($(setting "$unit" TimeoutStopSec) > 2 + 5)) || fail "$unit"
    done
}

@test "units: the socket, the output and the home are in directories that systemd makes" {
    for unit in taxi taxi-jobs; do
        [[ $(setting "$unit" ExecStart) == */taxi-server\ --listen\ "%t/$(setting "$unit" RuntimeDirectory)/"* ]]
    done
    state=$(setting taxi-jobs StateDirectory)
    [ "$(setting taxi-jobs WorkingDirectory)" = "%S/$state" ]
    [[ $(setting taxi-jobs Environment) == "HOME=%S/$state "* ]]
    [ "$(sort <(setting taxi RuntimeDirectory) <(setting taxi-jobs RuntimeDirectory) | uniq -d)" = '' ]
}
