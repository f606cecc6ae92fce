#!/usr/bin/env bats
# Drivers that are kept and die: at once, or after a delay, is another started, by how long they lived.

load lib/helpers
load lib/looks

# no_delay_until COMMAND...: until that succeeds, the timer never has between 100 ms, after which dead
# children are looked for, and the time that a driver has to come up: no driver waits to be started.
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

@test "backoff: those that come up and then die are not replaced at once" {
    puppet dies hello exit:3
    start_server --drivers 1 --driver ./dies
    waits_longer() { local left; left=$(timer_ms); ((left > 150 && left < 1000)); }
    wait_until waits_longer
    (($(grep -c 'replaces one that died' err) < 10)) || fail 'they were'
}

@test "backoff: one that has lived for a second is replaced at once; the delay is then a short one again" {
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
