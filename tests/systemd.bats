#!/usr/bin/env bats
# The units, run by systemd(1) itself: the first process of namespaces of its own, where the files are
# that make install puts below /usr/local. See lib/systemd-root.sh. units.bats tries the same
# units where systemd cannot run.

load lib/helpers

TAXI=/usr/local/bin/taxi

setup() {
    cd "$BATS_TEST_TMPDIR" || return
    started=() init=''
    [ "$(id -u)" = 0 ] || skip 'only root can run systemd'
    [ -x /lib/systemd/systemd ] || skip 'no systemd'
    # A group of its own in each hierarchy that systemd manages; it would move the processes of its root.
    groups=()
    for hierarchy in /sys/fs/cgroup/systemd /sys/fs/cgroup/unified /sys/fs/cgroup; do
        [ ! -e "$hierarchy/cgroup.procs" ] || groups+=("$hierarchy/taxi-test.$$")
    done
    mkdir "${groups[@]}" 2>/dev/null || skip 'cannot make a control group'
    unshare --mount --pid --fork --cgroup true 2>/dev/null || skip 'no namespaces to be had'
    boot
}

teardown() {
    [ -z "$init" ] || kill -KILL "$init" 2>/dev/null || true # with it go all processes of its namespace
    end_started
    for group in "${groups[@]}"; do
        wait_until groups_are_gone "$group"
    done
}

# groups_are_gone GROUP: removes the control group, with all below it, once no process is left there.
groups_are_gone() {
    find "$1" -depth -type d -exec rmdir {} + 2>/dev/null || true
    [ ! -e "$1" ]
}

boot() {
    local group
    make -s -C "$ROOT" install DESTDIR="$PWD/files" >/dev/null
    mkdir root
    (
        for group in "${groups[@]}"; do
            echo "$BASHPID" >"$group/cgroup.procs"
        done
        exec unshare --mount --pid --fork --cgroup --kill-child "$LIB/systemd-root.sh" "$PWD/root" "$PWD/files"
    ) <>/dev/null >boot.log 2>&1 3>&- &
    started+=($!)
    wait_until has_init $!
    wait_until is_up || fail "$(cat boot.log)"
}

has_init() {
    init=$(children_of "$1" | tr -d ' ')
    [ -n "$init" ]
}

is_up() {
    inside systemctl is-active -q basic-only.target 2>/dev/null
}

# inside COMMAND...: runs it in the namespaces, at the root, and in the group of systemd.
inside() {
    nsenter --target "$init" --mount --pid --cgroup --root --wd=/ env -i PATH="$PATH" HOME=/root \
        XDG_RUNTIME_DIR=/run/user/0 "$@" 3>&-
}

# at UNIT WORD...: gives a command to the server of that unit.
at() {
    inside $TAXI -c "/run/$1/control" "${@:2}"
}

# main_pid [--user] UNIT: prints the process id of the server, inside.
main_pid() {
    inside systemctl show -p MainPID --value "$@"
}

# restarted PID [--user] UNIT: systemd has started another server in place of that one, and it is ready.
restarted() {
    [ "$(main_pid "${@:2}")" != "$1" ] && inside systemctl "${@:2:$#-2}" is-active -q "${@: -1}"
}

# empty UNIT: there is no process left in the control group of the unit.
empty() {
    [ -z "$(cat "${groups[0]}"/system.slice/"$1".service/cgroup.procs 2>/dev/null)" ]
}

@test "systemd: taxi.service and taxi-jobs.service start, work and stop; nothing of a job is left" {
    for unit in taxi taxi-jobs; do
        inside systemctl start $unit
        [ "$(at $unit get_drivers | tail -n 1)" = '4 drivers' ]
        run -0 at $unit run any 60 'test "$(id -u)" -ge 1000 && ! touch /usr/local/x'
        run -124 at $unit run any 0.2 'setsid sleep 1000 & sleep 1000'
    done
    run -0 at taxi run any 60 '! ls /home && ! touch /tmp/../x'
    run -0 at taxi-jobs run any 60 'touch x; echo "$PWD $HOME"'
    [ "$(inside cat /var/lib/taxi-jobs/output/3.out)" = '/var/lib/private/taxi-jobs /var/lib/taxi-jobs' ]
    for unit in taxi taxi-jobs; do
        at $unit submit 1000 'setsid sleep 1000 & trap "" TERM; sleep 1000' | grep -q ' Waiting$'
        ! empty $unit || fail "no group of $unit"
        inside systemctl stop $unit
        empty $unit
        [ "$(inside systemctl show -p Result --value $unit)" = success ]
    done
}

# sleepers COUNT: as many processes of the job sleep.
sleepers() {
    [ "$(inside sh -c 'cat /proc/[0-9]*/cmdline' 2>/dev/null | tr '\0' '\n' | grep -cx 1000.5)" = "$1" ]
}

@test "systemd: a server that is killed is started again, and nothing is left of its job" {
    for unit in taxi taxi-jobs; do
        inside systemctl start $unit
        at $unit submit 1000 'setsid sleep 1000.5 & sleep 1000.5' >reply
        wait_until sleepers 2
        pid=$(main_pid $unit)
        inside kill -KILL "$pid"
        wait_until restarted "$pid" $unit
        sleepers 0
        [ "$(at $unit get_drivers | tail -n 1)" = '4 drivers' ]
    done
}

# The manager of a user, whose socket is enabled as taxi(1) says.
start_user_manager() {
    inside mkdir -p /run/user/0
    inside systemd-run -q --unit=user-manager -p Delegate=yes -E HOME=/root -E XDG_RUNTIME_DIR=/run/user/0 \
        /lib/systemd/systemd --user
    wait_until user_is_up || fail "$(inside journalctl -u user-manager)"
    inside systemctl --user enable --now taxi.socket 2>/dev/null
}

user_is_up() {
    inside systemctl --user is-active -q default.target 2>/dev/null
}

@test "systemd: taxi.socket starts the server of a user when the first command comes" {
    start_user_manager
    run ! inside systemctl --user is-active -q taxi
    [ "$(inside $TAXI submit 600 'pwd; echo oops >&2')" = 'Job 1 Waiting' ]
    [ "$(inside $TAXI wait_job 1)" = 'Job 1 Done exit 0' ]
    [ "$(inside cat /root/.local/state/taxi/output/1.out)" = /root ]
    [ "$(inside cat /root/.local/state/taxi/output/1.err)" = oops ]
    inside $TAXI shutdown
    wait_until eval '! inside systemctl --user is-active -q taxi'
    [ "$(inside $TAXI get_drivers | tail -n 1)" = '4 drivers' ]
}

@test "systemd: what was submitted to the server of a user waits again after it was killed" {
    start_user_manager
    [ "$(inside $TAXI pause)" = Paused ]
    [ "$(inside $TAXI submit 600 'echo ran >>ran')" = 'Job 1 Waiting' ]
    pid=$(main_pid --user taxi)
    inside kill -KILL "$pid"
    wait_until restarted "$pid" --user taxi
    [ "$(inside $TAXI wait_job 1)" = 'Job 1 Done exit 0' ]
    [ "$(inside cat /root/ran)" = ran ]
}
