# The blows of the storm, and the book that it keeps of them.
# shellcheck shell=bash

# Does something random, to a random driver or to the server.
blow() {
    driver=${drivers[RANDOM % ${#drivers[@]}]}
    case $((RANDOM % 17)) in
    0) hit KILL ;;
    1 | 2) hit STOP ;;
    3 | 4 | 5) hit CONT ;;
    6) hit TERM ;;
    7 | 8) say "send_task $driver 0.0$((RANDOM % 90 + 10))" ;;
    9) say "cancel_task $driver" ;;
    10) say get_drivers ;;
    11) say "nonsense$RANDOM" ;;
    12) flood ;;
    13) kill "-${HARMLESS[RANDOM % ${#HARMLESS[@]}]}" "$server" ;;
    14) dispensable && say "delete_driver $driver" ;;
    15) say "get_status $driver" ;;
    16) say "run $driver 0.1 echo storm-$said \$TAXI_JOB >>$RAN; sleep 50.$STORM & exit 3" ;;
    esac
}
DONE='^Job [0-9]+ Done (exit 3|timeout|cancelled)$'
HARMLESS=(USR1 USR2 CHLD CONT PIPE ALRM WINCH URG TTIN TTOU 34 64)

# say COMMAND: sends the command and reads the last line of its reply into $reply, and the pids of a
# list into $listed.
say() {
    echo "$1" >&"$to" || fail "the server is gone"
    listed=()
    while :; do
        IFS= read -r -t "$PATIENCE" -u "$from" reply || fail "no reply to '$1'"
        [[ $1 == get_drivers && $reply =~ ^Driver\ ([0-9]+)\ (Available|Busy|Unresponsive) ]] || break
        listed+=("${BASH_REMATCH[1]}")
    done
    said=$((said + 1))
    # A reply names the object of its command, so one that is out of order is noticed.
    case $1 in
    get_drivers) [[ $reply == "${#listed[@]} driver"* ]] ;;
    stats) [[ $reply == Stats* ]] ;;
    wait) [[ $reply =~ ^[0-9]+\ drivers?$ ]] ;;
    create_driver) [[ $reply == 'Driver '*' Available' ]] ;;
    nonsense*) [[ $reply == "Error: unknown command '$1' (try help)" ]] ;;
    run*) [[ $reply =~ $DONE || $reply =~ ^(Job\ .*\ (unrun|lost)|Error:)\ .*driver\ $driver( |$) ]] ;;
    *) [[ $reply =~ [Dd]river\ $driver( |$) ]] ;;
    esac || fail "wrong reply to '$1': '$reply'"
    [[ $1 != run* ]] || echo "storm-$((said - 1)) $reply" >>"$dir/book"
    case $reply in
    Driver*Deleted) deed deleted "$driver" ;;
    Driver*Available) [[ $1 != create_driver ]] || deed made "${reply//[^0-9]/}" ;;
    esac
}

# deed WHAT PID: notes in our own book that a driver was made by us, so that the server does not
# keep it, was deleted, or got KILL, TERM or STOP.
deed() {
    echo "deed $1 $2" >>"$dir/deeds"
    [ "$1" != made ] || made[$2]=1
}

# hit SIGNAL: sends the signal to $driver, if that pid is still a driver's.
hit() {
    grep -qx "PPid:[[:space:]]*$server" "/proc/$driver/status" 2>/dev/null || return
    kill "-$1" "$driver" 2>/dev/null || return
    [[ $1 == CONT ]] || deed "$1" "$driver"
}

# Whether $driver may be deleted; at most DELETE_MAX of the kept ones may.
dispensable() {
    [ -z "${made[$driver]-}" ] || return 0
    ((RANDOM % 8 == 0 && deleted < DELETE_MAX)) && deleted=$((deleted + 1))
}

# Asks all drivers many times without reading, then reads and checks the replies.
flood() {
    local i count=$((RANDOM % 500 + 1))
    for ((i = 0; i < count; i++)); do
        echo "get_status ${drivers[i % ${#drivers[@]}]}"
    done >&"$to"
    for ((i = 0; i < count; i++)); do
        IFS= read -r -t "$PATIENCE" -u "$from" reply || fail 'no reply in a flood'
        [[ $reply =~ [Dd]river\ ${drivers[i % ${#drivers[@]}]}( |$) ]] ||
            fail "wrong reply in a flood: '$reply'"
    done
    said=$((said + count))
}

# Continues all drivers, creates new ones until there are DRIVERS again, and sets $drivers to their
# pids.
refill() {
    for driver in "${drivers[@]}"; do
        hit CONT
    done
    say get_drivers
    while ((${#listed[@]} < DRIVERS)); do
        say create_driver
        say get_drivers
    done
    drivers=("${listed[@]}")
}
