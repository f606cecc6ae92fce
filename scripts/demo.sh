#!/bin/bash
# Shows how a script uses the server, from its start to its end: prints each command after '>', and
# the replies. Takes about three seconds.
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

# until_reply COMMAND END: sends the command again and again, until its reply ends with END.
until_reply() {
    until echo "$1" >&"$commands" && read -r -t 10 -u "$replies" reply && [[ $reply == *$2 ]]; do
        read -r -t 0.1 <> <(:) || true
    done
    echo "> $1"
    echo "$reply"
}

echo '# We start two drivers. Each is named by its process id.'
ask create_driver
first=${reply//[^0-9]/}
ask create_driver
second=${reply//[^0-9]/}

echo '# The first gets a task of two seconds. It refuses another task, then becomes free again.'
ask "send_task $first 2"
ask "send_task $first 5"
ask "get_status $second"
until_reply "get_status $first" Available

echo '# We stop the second one. A question to it is answered with an Error after one second.'
kill -STOP "$second"
ask "get_status $second"
kill -CONT "$second"
until_reply "get_status $second" Available

echo '# We kill the second one. The server reaps it, logs its death, and forgets it.'
kill -KILL "$second"
until_reply "get_status $second" "no driver $second"

echo '# The first one runs jobs. It reports how each one ended, and ends a job that takes too long.'
ask "run $first 10 exit 3"
ask "run $first 0.2 sleep 60"

echo '# It is busy when we end the server.'
ask "send_task $first 100"
kill -TERM "$server"
status=0
wait "$server" || status=$?
[ ! -e "/proc/$first" ]
echo "# The server ended with status $status. Its drivers are gone."
