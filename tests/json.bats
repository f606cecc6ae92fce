#!/usr/bin/env bats
# Replies in JSON.

load lib/helpers

# Checks by a strict parser that each line of standard input is one JSON object, and prints it with
# its keys sorted.
json() {
    "$LIB/json.pl" || fail 'not strict JSON'
}

@test "JSON: every kind of reply is one object a line" {
    start_server --json -t 3 -g 0.2
    say create_driver
    reply
    pid=${line//[^0-9]/}
    [ "$line" = "{\"driver\":$pid,\"state\":\"available\"}" ]
    say "send_task $pid 100"
    expect "{\"driver\":$pid,\"state\":\"busy\",\"left_ms\":100000}"
    say "send_task $pid 5"
    expect "{\"error\":\"driver $pid Busy 100\",\"code\":\"busy\"}"
    say "get_status $pid"
    expect "{\"driver\":$pid,\"state\":\"busy\",\"left_ms\":*}"
    say "cancel_task $pid" "cancel_task $pid" 'get_status 5' 'get_status x' 'send_task any x' 'create_driver x'
    expect "{\"driver\":$pid,\"state\":\"available\"}" \
        "{\"error\":\"driver $pid has no task\",\"code\":\"no_task\"}" \
        '{"error":"no driver 5","code":"no_driver"}' "{\"error\":\"bad pid 'x'\",\"code\":\"bad_pid\"}" \
        "{\"error\":\"bad seconds 'x' (above 0, at most 31536000, three digits behind the point)\",\"code\":\"bad_seconds\"}" \
        "{\"error\":\"bad count 'x' (1 to 100000)\",\"code\":\"bad_count\"}"
    say get_status wait "wait $pid"
    expect '{"error":"usage: get_status PID","code":"usage"}' '{"count":1}' "{\"driver\":$pid,\"state\":\"available\"}"
    stop_process "$pid"
    say get_drivers "get_status $pid"
    expect "{\"driver\":$pid,\"state\":\"unresponsive\"}" '{"count":1}' \
        "{\"error\":\"driver $pid is not responding\",\"code\":\"not_responding\"}"
    say "delete_driver $pid"
    expect "{\"driver\":$pid,\"state\":\"deleted\"}"
    say 'send_task any 1' "$(printf '%5000d' 0)"
    expect '{"error":"no driver","code":"no_driver"}' '{"error":"line too long (limit 4096 bytes)","code":"line_too_long"}'
    say stats
    reply
    [[ $(json <<<"$line") == *'"commands":18,'*'"uptime":'* ]]
    hang_up
    session --json <<<help >replies
    json <replies >objects
    [ "$(tail -n 1 objects)" = '{"count":20}' ]
}

@test "JSON: replies are strict JSON, whatever the input" {
    "$LIB/noise.pl" >input
    session --json <input >output
    json <output >objects
    (($(wc -l <objects) > 3000))
    grep -qF '"error":"bad pid '"'\\\"'\"" objects
    grep -qF 'unknown command '"'\\\"\\\\\\\"'" objects
}

@test "JSON: session json switches one client; its earlier commands are still answered as text" {
    start_listening
    create
    say "get_status $pid" 'session json' "get_status $pid" 'session nonsense json' get_drivers
    expect "Driver $pid Available" "{\"driver\":$pid,\"state\":\"available\"}" \
        "{\"error\":\"bad word 'nonsense' (json, prompt or farewell)\",\"code\":\"usage\"}" \
        "{\"driver\":$pid,\"state\":\"available\"}" '{"count":1}'
    run -0 control get_drivers
    [ "${lines[1]}" = '1 driver' ]
    run -0 control --json get_drivers
    [ "${lines[1]}" = '{"count":1}' ]
    run -1 control --json get_status 5
    [ "$output" = '{"error":"no driver 5","code":"no_driver"}' ]
}

@test "JSON: a job's reply says how it ended, its times and its memory" {
    start_server -j -g 1000
    say create_driver
    expect '*"available"}'
    its=${line//[^0-9]/}
    number='[0-9]+\.[0-9]'
    tail=",\"ms\":($number),\"user_ms\":($number),\"sys_ms\":($number),\"maxrss_kb\":([0-9]+),\"left\":0,\"command\":"
    while IFS='|' read -r command how; do
        say "run $its $command"
        [[ $command != *1000 ]] || say "cancel_task $its"
        reply
        [[ $line =~ ^\{\"job\":$((++job)),\"driver\":$its,\"$how$tail ]] || fail "$line"
        [[ $line == *",\"command\":\"${command#* }\"}" ]] || fail "$line"
        [[ $command != *1000 ]] || expect "{\"driver\":$its,\"state\":\"available\"}"
    done <<'END'
50 exit 3|exit":3
50 kill -15 $$|signal":15
0.1 sleep 60|timeout":true
50 sleep 1000|cancelled":true
50 sleep 0.25|exit":0
END
    ms=${BASH_REMATCH[1]%.*}
    ((ms >= 250 && ms < 10000))
    ((${BASH_REMATCH[2]%.*} + ${BASH_REMATCH[3]%.*} < 200))
    say "run $its 50 $LIB/busy.pl"
    reply
    [[ $line =~ ^\{\"job\":6,\"driver\":$its,\"exit\":0$tail ]] || fail "$line"
    ((${BASH_REMATCH[2]%.*} >= 100))
    ((BASH_REMATCH[4] > 49000))
}

@test "JSON: a job's reply names the files of its output; each Error has a code" {
    start_server -j --output output
    say create_driver 'run any 50 true' 'run any 50 ./missing' 'run any 50' "run any 50 trap \0x"
    expect '*"available"}' '*"left":0,"command":"true","out":"output/1.out","err":"output/1.err"}' \
        '*,"exit":127,*"out":"output/2.out","err":"output/2.err"}' '*"code":"usage"}' '*"command":"trap \\\\0x","out"*'
    printf 'run any 5 a\0b\n' >&"$to"
    expect '*"code":"bad_command"}'
}
