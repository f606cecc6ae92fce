#!/bin/bash
# A job that resists: it ignores TERM and has four descendants, one of them in a session of its own,
# one orphaned, and one stopped. Each writes its pid to the file pids. With the argument exit, the
# job's first process then exits; otherwise it stays.
trap '' TERM HUP INT
member='echo $$ >>pids; exec sleep 1000'
bash -c "$member" &
setsid bash -c "$member" &
(setsid bash -c "$member" &)
bash -c 'echo $$ >>pids; kill -STOP $$' &

is_stopped() {
    [[ $(<"/proc/$1/stat") == *') T '* ]]
}

until [[ -e pids && $(wc -l <pids) == 4 ]] && is_stopped $!; do sleep 0.01; done
[[ ${1-} != exit ]] || exit 5
eval "$member"
