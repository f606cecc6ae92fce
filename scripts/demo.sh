#!/bin/bash
# A session from beginning to end, as a script would have it: shows what is sent after '>', and the
# replies as they come. Ends by itself after about three seconds.
#
#   scripts/demo.sh
set -eu
cd "$(dirname "$0")/.."
make -s

# The server is a coprocess: we write commands to one pipe and read replies from another.
coproc SERVER { exec ./server; }
server=$SERVER_PID
exec {commands}>&"${SERVER[1]}" {replies}<&"${SERVER[0]}"

ask() {
    echo "> $1"
    echo "$1" >&"$commands"
    read -r -t 10 -u "$replies" reply
    echo "$reply"
}

# until_reply COMMAND END: asks again until the reply ends like that.
until_reply() {
    until echo "$1" >&"$commands" && read -r -t 10 -u "$replies" reply && [[ $reply == *$2 ]]; do
        read -r -t 0.1 <> <(:) || true
    done
    echo "> $1"
    echo "$reply"
}

echo '# Two drivers are started; each is named by its process id.'
ask create_driver
first=${reply//[^0-9]/}
ask create_driver
second=${reply//[^0-9]/}

echo '# One works for two seconds. It refuses another task, and becomes free by itself.'
ask "send_task $first 2"
ask "send_task $first 5"
ask "get_status $second"
until_reply "get_status $first" Available

echo '# One is stopped behind our back: whoever asks it waits for one second, and nobody else does.'
kill -STOP "$second"
ask "get_status $second"
kill -CONT "$second"
until_reply "get_status $second" Available

echo '# One is killed: the server reaps it, logs it, and forgets it.'
kill -KILL "$second"
until_reply "get_status $second" "no driver $second"

echo '# The last one runs jobs: it reports how each has ended, and lets none take too long.'
ask "run $first 10 exit 3"
ask "run $first 0.2 sleep 60"

echo '# It is busy when the server is told to end.'
ask "send_task $first 100"
kill -TERM "$server"
status=0
wait "$server" || status=$?
[ ! -e "/proc/$first" ]
echo "# The server ended with status $status, and its drivers are gone."
