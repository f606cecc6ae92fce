#!/bin/bash
# A nightly batch from cron. It writes nothing unless a job has failed, so cron sends mail only then.
#
#   30 2 * * *  nightly.sh DIR      in the crontab; another line, @reboot nightly.sh DIR, goes on after a crash
#
# DIR/batch has a line 'run any SECONDS COMMAND' for each job. The log of the day tells the next call on that day what
# is done: it runs only jobs that have failed, were interrupted, or have not begun. So a job may run again. A lock keeps
# two calls from running at the same time. SERVER=./server names another program than taxi-server; in a crontab, whose
# PATH is short, name both programs by their whole paths.
set -eu
server=$(command -v "${SERVER:-taxi-server}") || { echo "nightly: there is no ${SERVER:-taxi-server}" >&2; exit 1; }
server=$(realpath "$server")
cd "$1"
day=$(date +%F)

# The server inherits descriptor 9, so the lock lasts as long as the server, even if this script is killed.
exec 9>lock
flock -n 9 || { echo "nightly: another batch is still running in $PWD" >&2; exit 1; }

status=0
"$server" --drivers 2 --log "$day.log" --resume=failed --output "$day" \
    <./batch >"$day.replies" 2>"$day.errors" || status=$?
[ $status != 0 ] || exit 0
{
    echo "nightly: $(grep -vc ' Done exit 0$' "$day.replies") of $(wc -l <"$day.replies") jobs failed on $day:"
    cat "$day.errors"
    echo "What the jobs have written is in $PWD/$day."
} >&2
exit $status
