# Rows about the misbehaviour of one of two drivers.
# shellcheck shell=bash

driver_rows() {
    local late='an answer to no request.*killed'
    row 'one of two drivers stopped, then continued' 10000 bad_driver stopped 10000 'responds again'
    row 'one of two drivers answers late and too often' 10000 bad_driver answers 10000 "$late"
    row 'the same, a byte at a time' 10000 bad_driver bytes 10000 "$late"
    row 'one of two drivers sends garbage' endless bad_driver garbage 0 'bad frame version.*killed'
    row 'one of two drivers floods frames' endless bad_driver ends 0 'the end of no task.*killed'
    row 'one of two drivers closes its socket and stays' - bad_driver closes 0 'did not exit in time: killed'
    row 'one of two drivers killed' - bad_driver killed 0 'died \(killed by signal 9\)'
}

# bad_driver DEED WAITING PATTERN: the second driver does not answer WAITING questions in time. Then
# it does its deed, which the log must report in a line like PATTERN. The first driver must answer
# at all times.
bad_driver() {
    local good bad i longest_us=0
    hire_both "$1" "$2" || return
    [[ $1 != stopped ]] || kill -STOP "$bad"
    yes "get_status $bad" 2>/dev/null | head -n "$2" >&"$to" &
    for ((i = 0; i < $2; i++)); do
        IFS= read -r -t "$DEADLINE" -u "$from" reply
        [[ $reply == "Error: driver $bad is not responding" ]] || flaw "bad driver: $reply" || return
    done
    for ((i = 0; i < 200; i++)); do
        if ((i == 100)); then
            case $1 in
            stopped) kill -CONT "$bad" ;;
            killed) kill -KILL "$bad" ;;
            *) echo >&"$keys" ;;
            esac
        fi
        ask_good || return
    done
    note=", longest answer $((longest_us / 1000)).$((longest_us / 100 % 10)) ms"
    ((longest_us <= ANSWER_MAX_US)) || flaw 'an answer took too long'
    due "$3" && ends 0 TERM
}

# hire_both DEED WAITING: starts a server with two drivers, good and bad. A line to $keys tells the
# bad one to do its deed. The reply timeout is long enough for the good one on a loaded machine.
hire_both() {
    local options=(-t 0.5)
    if [[ $1 != stopped && $1 != killed ]]; then
        # The arguments are not passed as variables, so the server may clean its environment.
        printf '#!/bin/sh\nexec "%s" "%s" "%s" %s %s\n' \
            "$(command -v perl)" "$TORTURE/flood/driver.pl" "$ROOT/driver" "$1" "$2" >driver
        chmod +x driver
        options+=(--driver ./driver)
    fi
    mkfifo go
    exec {keys}<>go
    begin pipe "${options[@]}" && ask create_driver && good=${reply//[^0-9]/} &&
        ask create_driver && bad=${reply//[^0-9]/} || return
    drivers=("$good" "$bad")
}

# Asks the good driver, and updates longest_us.
ask_good() {
    local start us queued_before
    measure_queue "$server" "$good" self
    queued_before=$queued_us
    start=${EPOCHREALTIME/./}
    ask "get_status $good" || return
    us=$((${EPOCHREALTIME/./} - start))
    [[ $reply == "Driver $good Available" ]] || flaw "good driver: $reply" || return
    measure_queue "$server" "$good" self
    us=$((us - (queued_us - queued_before)))
    ((us <= longest_us)) || longest_us=$us
}
