#!/usr/bin/env bats
# How soon a kept driver that dies is replaced: at once or after a delay, depending on how long it
# lived.

load lib/helpers
load lib/looks

# no_delay_until COMMAND...: until that succeeds, no driver waits to be started: the timer has
# either at most 100 ms, the delay of a search for dead children, or the seconds that a driver has
# to come up.
no_delay_until() {
    local end=$((SECONDS + DEADLINE)) left
    until "$@"; do
        ((SECONDS < end)) || fail "waited in vain until: $*" || return
        left=$(timer_ms)
        ((left <= 100 || left > 500)) || fail "the timer has $left ms left" || return
    done
}

replaced() {
    (($(grep -c 'replaces one that died' err) >= $1))
}

@test "backoff: kept drivers that die right after they came up are not replaced at once" {
    puppet dies hello exit:3
    start_server --drivers 1 --driver ./dies
    waits_longer() { local left; left=$(timer_ms); ((left > 150 && left < 1000)); }
    wait_until waits_longer
    (($(grep -c 'replaces one that died' err) < 10)) || fail 'they were'
}

@test "backoff: a kept driver that lived for a second is replaced at once, and the delay is reset" {
    # The first two die at once, the third lives, the fourth dies at once.
    cat >lives <<END
#!/bin/sh
echo >>tries
case \$(wc -l <tries) in
[124]) exec '$HELPERS/puppet' hello exit:3 ;;
*) exec '$DRIVER' ;;
esac
END
    chmod +x lives
    start_server --drivers 1 --driver ./lives
    wait_until replaced 2
    wait_until counted drivers=1
    pid=$(children_of "$server_pid")
    wait_until past $(($(uptime_ms) + 1020))
    kill -KILL "${pid% }"
    no_delay_until replaced 3
    no_delay_until replaced 4
    wait_until counted drivers=1
}

@test "backoff: drivers that wait to be started when the server stops are never started" {
    cat >later <<END
#!/bin/sh
echo >>tries
mkdir first 2>/dev/null || [ -e works ] || exit 3
exec '$DRIVER'
END
    chmod +x later
    start_server --drivers 3 --driver ./later
    tried() { (($(wc -l <tries) >= 8)); }
    wait_until tried
    : >works # a driver started from now on would come up and never be told to exit
    kill -TERM "$server_pid"
    server_ends 0
}
