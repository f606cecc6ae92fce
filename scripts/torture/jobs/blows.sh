# The blows that jobs.sh deals to drivers. Each is noted in the file "blows": what, and to whom.
# shellcheck shell=bash

# Deals blows until the file "over" exists, then continues all drivers that it has stopped.
deal_blows() {
    stopped=() until_us=()
    : >>"$dir/starved"
    exec {starved}<"$dir/starved"
    while [ ! -e "$dir/over" ]; do
        pause "0.0$((RANDOM % 90 + 10))"
        blow
        continue_due "${EPOCHREALTIME/./}"
        while read -r -u "$starved" driver; do
            hit KILL
        done
    done
    continue_due 9999999999999999
}

# Deals a random blow to a random driver.
blow() {
    local drivers=() driver
    read -r -a drivers 2>/dev/null <"/proc/$server/task/$server/children"
    ((${#drivers[@]} > 0)) || return
    driver=${drivers[RANDOM % ${#drivers[@]}]}
    case $((RANDOM % 32)) in
    0 | 1 | 2 | 3) hit KILL ;;
    4) hit TERM ;;
    5 | 6 | 7 | 8 | 9 | 10 | 11) hold $((RANDOM % 40)) ;; # for less than the reply timeout
    12 | 13 | 14 | 15 | 16 | 17 | 18) hold $((RANDOM % 400 + 60)) ;; # for more
    19) hold 10000 ;; # for more than the server waits for the end of any job
    20 | 21) starve ;;
    22 | 23 | 24) slow_down ;;
    25) renice -n 19 -p "$driver" >/dev/null 2>&1 ;;
    26) stop_server ;;
    esac
}

# hit WHAT: does that, a signal or "starve", to $driver, if that pid is still a driver's.
hit() {
    local stat
    [[ /proc/$driver/exe -ef $BUILD/driver ]] || return
    read -r stat 2>/dev/null <"/proc/$driver/stat" || return
    [[ ${stat##*) } == ?" $server "* ]] || return # its state and parent, proc(5)
    echo "$1 $driver" >>"$dir/blows"
    if [ "$1" = starve ]; then
        # It can start no job, or only one that can open no file.
        prlimit --nofile=0:0 --pid "$driver" 2>/dev/null
    else
        kill "-$1" "$driver" 2>/dev/null
    fi
}

# continue_due TIME: continues the drivers for which it is time, in microseconds.
continue_due() {
    local i
    for i in "${!stopped[@]}"; do
        ((until_us[i] <= $1)) || continue
        driver=${stopped[i]}
        hit CONT
        unset "stopped[i]" "until_us[i]"
    done
}

# hold MILLISECONDS: stops the driver for that long, unless many are stopped.
hold() {
    ((${#stopped[@]} < DRIVERS / 2)) || return
    hit STOP || return
    stopped+=("$driver")
    until_us+=($((${EPOCHREALTIME/./} + $1 * 1000)))
    (($1 < 1000)) || echo "long $driver" >>"$dir/blows"
}

# A starved driver fails any number of jobs, so it must not live long.
starve() {
    hit starve && pause 0.01 && hit KILL
}

# Stops and continues the driver many times.
slow_down() {
    local i
    for ((i = 0; i < 20; i++)); do
        hit STOP || return
        pause 0.002
        hit CONT
        pause 0.001
    done
}

# Stops the server for a moment. Answers of drivers come in time, and are read too late.
stop_server() {
    kill -STOP "$server"
    pause "0.$((RANDOM % 200 + 50))"
    kill -CONT "$server"
}
