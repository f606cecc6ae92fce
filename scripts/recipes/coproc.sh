#!/bin/bash
# A session with the server as a coprocess: the script gives a command, reads the reply, and then decides what
# comes next. Here it tries a job again with twice the time, as long as the job ends at its limit.
#
#   coproc.sh SECONDS JOB...      SECONDS is a whole number; SERVER=./server names another program than taxi-server
#
# If the script is killed, the input of the server ends, and so the server ends as soon as its job has ended.
set -eu
[[ ${1-} =~ ^[1-9][0-9]*$ ]] || { echo 'usage: coproc.sh SECONDS JOB...' >&2; exit 2; }

# A second line would be a command of its own, whose reply would be taken for the next job's.
[[ $* != *$'\n'* ]] || { echo 'coproc.sh: a job is one line' >&2; exit 2; }

coproc TAXI { exec "${SERVER:-taxi-server}"; }
server=$TAXI_PID
exec {commands}>&"${TAXI[1]}" {replies}<&"${TAXI[0]}" # bash forgets its own when the server ends

# ask COMMAND: sets reply to the reply.
ask() {
    echo "$1" >&"$commands"
    read -r -u "$replies" reply
}

status=0
ask create_driver
for job in "${@:2}"; do
    seconds=$1
    ask "run any $seconds $job"
    while [[ $reply == *' Done timeout' ]]; do
        seconds=$((2 * seconds))
        ask "run any $seconds $job"
    done
    echo "${reply#* Done } in $seconds s: $job"
    [[ $reply == *' Done exit 0' ]] || status=1
done
echo quit >&"$commands"
wait "$server" || true # its own status counts each try
exit $status
