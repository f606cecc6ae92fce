#!/bin/bash
# The checks of a CI job, side by side. The first check that fails cancels the others, and only its output is shown.
#
#   ci.sh 'make lint' 'make test' 'cppcheck lib'      SERVER=./server names another program than taxi-server
#
# As many run at a time as there are processors, each for at most ten minutes. The exit status is 0 if all have
# succeeded, and otherwise 4. What a check leaves running is ended, and TERM, HUP and Ctrl+C cancel all checks.
set -eu
SECONDS_EACH=600

output=$(mktemp -d)
trap 'rm -r "$output"' EXIT

# The server's log says which check has failed. A check is a word for --each, so it may have several lines. In a
# session of its own the server gets no signal but ours: a second one would kill the checks at once.
setsid "${SERVER:-taxi-server}" --null --halt now --output "$output" --each "$SECONDS_EACH" \
    bash -c 'exec 2>&1; eval "$1"' check {} < <(printf '%s\0' "$@") >"$output/replies" &
server=$!
# shellcheck disable=SC2317 # the trap runs it
stop() {
    trap '' HUP INT TERM
    kill "$server" 2>/dev/null || true
}
trap stop HUP INT TERM

# A signal ends the first wait, and the server comes later.
status=0
wait "$server" || status=$?
[ $status -le 128 ] || { status=0; wait "$server" || status=$?; }

# A check that was cancelled, or has not begun, has not failed.
failed='s/^Job ([0-9]+) Done (exit [1-9]|signal|timeout|lost).*/\1/p'
sed -nE "$failed" "$output/replies" | while read -r job; do
    cat "$output/$job.out" >&2
done
exit $status
