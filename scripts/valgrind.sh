#!/bin/bash
# Runs the server and its drivers under valgrind. There must be no error, and at their exit no
# memory and no descriptor that was not there at the start.
#
#   scripts/valgrind.sh
set -eu
cd "$(dirname "$0")/.."
PATIENCE=120 # seconds for a reply
TRIES=20     # to start a driver

main() {
    make -s all build/dynamic/driver
    dir=$(mktemp -d)
    trap 'rm -rf "$dir"' EXIT
    mkdir "$dir/logs"
    start
    session
    exec {to}>&-
    local status=0
    wait "$server" || status=$?
    # Some of the jobs fail.
    [ $status = 4 ] || fail "valgrind found something, or the server failed: status $status"
    [ -z "$(unexpected)" ] || fail "the server's log: $(unexpected)"
    [ -z "$(found)" ] || fail "$(found)"
    echo 'valgrind: nothing found'
}

# Starts the server. The limits are long because everything is slow under valgrind, and slower on a
# loaded machine.
start() {
    printf '#!/bin/sh\nexec %s %s\n' \
        "valgrind --quiet --leak-check=full --error-exitcode=99 --log-file='$dir/logs/%p'" \
        "'$PWD/build/dynamic/driver'" >"$dir/driver"
    chmod +x "$dir/driver"
    mkfifo "$dir/in" "$dir/out"
    valgrind --quiet --leak-check=full --show-leak-kinds=all --errors-for-leak-kinds=all \
        --error-exitcode=99 --track-fds=yes --log-file="$dir/logs/%p" \
        ./server -t 60 -g 60 --driver "$dir/driver" <"$dir/in" >"$dir/out" 2>"$dir/err" &
    server=$!
    exec {to}>"$dir/in" {from}<"$dir/out"
}

# Reads only the replies from which it needs a driver's pid.
session() {
    drivers=()
    hire 1
    driver=${drivers[0]}
    say "send_task $driver 1000" "send_task $driver 5" "cancel_task $driver" "get_status $driver" \
        "cancel_task $driver" "run $driver 1000 true"
    hire 3
    say 'run any 1000 exit 3' 'run any 0.1 sleep 50' 'run any 1000 /none' get_drivers help stats fly \
        'send_task 1 2' "delete_driver $driver" create_driver 'run any 1000 sleep 1000' shutdown
    timeout $PATIENCE cat <&"$from" >/dev/null || fail 'the server does not end'
}

say() {
    printf '%s\n' "$@" >&"$to"
}

# hire COUNT: creates that many drivers, and adds them to $drivers. On a loaded machine a driver may
# need more than the 5 s that the server allows for its start. The server then kills it, and we
# create another one.
hire() {
    local wanted=$((${#drivers[@]} + $1)) try line
    say "create_driver $1" fly # an Error that marks the end of the replies
    for ((try = 0; try < TRIES; try++)); do
        while IFS= read -r -t $PATIENCE -u "$from" line || fail 'no reply'; do
            [[ $line != *fly* ]] || break
            [[ $line =~ ^Driver\ ([0-9]+)\ Available$ ]] || continue
            # A reply to an earlier command names a driver that we know.
            [[ " ${drivers[*]} " == *" ${BASH_REMATCH[1]} "* ]] || drivers+=("${BASH_REMATCH[1]}")
        done
        ((${#drivers[@]} < wanted)) || return 0
        say create_driver fly
    done
    fail "no driver comes up: $(cat "$dir/err")"
}

# Prints the lines that the server's log should not have. It reports the three jobs that fail, and
# that the shutdown has cancelled the last job; drivers may come up too late and be killed.
unexpected() {
    awk '/^server: driver [0-9]+: did not come up in 5 s: killed$/ { late[$3] = 1; next }
        /^server: job [0-9]+ Done (exit 3|exit 127|timeout) after / { next }
        /^sh: .*not found$/ || /^server: 1 job cancelled$/ { next }
        /^server: driver [0-9]+ died \(killed by signal 9\)$/ && (($3 ":") in late) { next }
        { print }' "$dir/err"
}

# Prints what valgrind has found. It reports the descriptors that this script has inherited, too;
# all others are leaks.
found() {
    cat "$dir"/logs/* | sed 's/^==[0-9]*== *//' |
        grep -vE '^$|^FILE DESCRIPTORS|inherited from parent' |
        grep -vE '^Open (file descriptor|AF_UNIX socket) [0-9]+:' || true
}

fail() {
    printf '%s\n' "valgrind: $*" >&2
    cat "$dir"/logs/* >&2
    exit 1
}

main
