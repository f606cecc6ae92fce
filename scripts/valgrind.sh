#!/bin/bash
# A session under valgrind, server and driver: no error, and at exit no memory and no descriptor
# that was not there before.
set -eu
cd "$(dirname "$0")/.."

make -s all build/dynamic/driver
logs=$(mktemp -d)
trap 'rm -rf "$logs"' EXIT
check() { valgrind --quiet --leak-check=full --show-leak-kinds=all --errors-for-leak-kinds=all \
    --error-exitcode=99 --track-fds=yes --log-file="$logs/%p" "$@"; }

cat >"$logs/driver" <<END
#!/bin/sh
exec valgrind --quiet --leak-check=full --error-exitcode=99 --log-file='$logs/%p' '$PWD/build/dynamic/driver'
END
chmod +x "$logs/driver"

# Its drivers are named by it, so those who speak to it wait for the first.
session() {
    echo create_driver
    until grep -q Available "$logs/out"; do read -r -t 0.1 <> <(:); done
    driver=$(sed -n 's/^Driver \([0-9]*\) .*/\1/p;q' "$logs/out")
    printf '%s\n' "send_task $driver 50" "send_task $driver 5" "cancel_task $driver" "get_status $driver" \
        "cancel_task $driver" "run $driver 50 true" 'create_driver 3' 'run any 50 exit 3' \
        'run any 0.1 sleep 50' 'run any 50 /none' 'run any 50 sleep 50' get_drivers help stats fly 'send_task 1 2' \
        "delete_driver $driver" create_driver shutdown
}
: >"$logs/out"
session | check ./server -t 30 --driver "$logs/driver" >"$logs/out" 2>"$logs/err" ||
    { cat "$logs"/[0-9]*; echo 'valgrind found something, or the server failed' >&2; exit 1; }
rm "$logs/driver" "$logs/out"
[ ! -s "$logs/err" ] || { cat "$logs/err"; exit 1; }
rm "$logs/err"
# Descriptors that this script was started with are reported as inherited; all others are leaks.
if cat "$logs"/* | sed 's/^==[0-9]*== *//' | grep -vE '^$|^FILE DESCRIPTORS|inherited from parent' |
    grep -vE '^Open (file descriptor|AF_UNIX socket) [0-9]+:'; then
    echo 'valgrind found something' >&2
    exit 1
fi
echo 'valgrind: nothing found'
