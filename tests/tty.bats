#!/usr/bin/env bats
# More about terminals: when the prompt is shown, what stops together with a server in the
# background, and a terminal that the server may not open by its name.

load lib/helpers
load lib/looks

# Sets server_pid to the server among the descendants of the terminal's script(1).
find_server() {
    server_pid=$(descendant "$terminal_pid" server)
    [[ -n $server_pid ]]
}

# descendant PID NAME: prints the pid of the descendant with that name.
descendant() {
    local child
    for child in $(children_of "$1"); do
        if [[ $(<"/proc/$child/comm") == "$2" ]]; then
            echo "$child"
        else
            descendant "$child" "$2"
        fi
    done 2>/dev/null
}

@test "prompt: not shown while a reply is awaited" {
    start_terminal "exec '$SERVER' -t 100"
    wait_until find_server
    started+=("$server_pid")
    wait_until prompts 1
    keys 'create_driver\n'
    shows '^Driver [0-9]+ Available'
    wait_until prompts 2
    pid=$(children_of "$server_pid")
    pid=${pid% }
    kill -STOP "$pid"
    wait_until in_state "$pid" T
    keys "get_status $pid\n"
    stats_show() { kill -USR1 "$server_pid"; pause; (($(grep -ca ' commands=2 ' screen) >= $1)); }
    wait_until stats_show 1
    # A log line would replace a prompt, which would then be shown again; here there is none to
    # show.
    before=$(grep -ao '> ' screen | wc -l)
    wait_until stats_show 5
    prompts "$before"
    kill -CONT "$pid"
    wait_until prompts $((before + 1))
    [ "$(grep -ca "^Driver $pid Available" screen)" = 2 ]
}

@test "background of a terminal: the server stops as a job, with its whole pipeline" {
    start_shell_at_terminal
    keys "'$SERVER' | cat &\n"
    wait_until find_server
    find_cat() { # the stop may come before its exec: it is no cat by name yet
        for cat_pid in $(children_of "$(status_field "$server_pid" PPid)"); do
            [ "$cat_pid" = "$server_pid" ] || return 0
        done
        return 1
    }
    wait_until find_cat
    started+=("$server_pid")
    both_stopped() { in_state "$server_pid" T && in_state "$cat_pid" T; }
    wait_until both_stopped
    keys 'fg\n'
    wait_until in_state "$cat_pid" S
    keys 'get_drivers\n'
    shows '^0 drivers'
    keys '\004'
    wait_until gone "$cat_pid"
    keys 'exit\n'
    wait_until ended "$terminal_pid"
}

# in_background COMMAND: a shell at a terminal runs it in the background, in another pid namespace, where
# the terminal's process groups have no number.
in_background() {
    needs_pid_namespace --mount-proc
    start_shell_at_terminal
    keys "unshare -pf --mount-proc $1 &\n"
}

# The shell, which reports such things before a prompt, has reported that its job has stopped.
told_of_stop() {
    keys '\n'
    pause
    grep -q Stopped screen
}

@test "background of a terminal: as process 1, which cannot be stopped, the server takes it for the end of input" {
    in_background "'$SERVER'"
    wait_until told_of_stop # unshare, which is in the same group
    keys 'fg; echo status $?\n'
    shows '^status 0'
    keys 'exit\n'
    wait_until ended "$terminal_pid"
}

@test "background of a terminal: as process 1, the client takes it for the end of input, and does not spin" {
    start_server --listen taxi.sock
    wait_until control stats
    in_background "'$SERVER' --connect taxi.sock"
    told_of_end() {
        keys '\n'
        pause
        grep -q Done screen
    }
    wait_until told_of_end
    keys 'exit\n'
    wait_until ended "$terminal_pid"
}

@test "background of a terminal: in another pid namespace, the server stops as a job; fg continues it" {
    in_background "bash -c '\"$SERVER\"; echo status \$?'"
    stopped() { find_server && in_state "$server_pid" T; }
    wait_until stopped
    started+=("$server_pid")
    keys 'fg\n'
    shows '^> '
    keys 'get_drivers\n'
    shows '^0 drivers'
    keys 'quit\n'
    shows '^status 0'
    keys 'exit\n'
    wait_until ended "$terminal_pid"
}

@test "another user's terminal: if its screen takes no more, TERM still ends the server" {
    become_other
    mkfifo in
    start_terminal "exec ${as_other[*]} $PWD/server -g 0.2 <in"
    exec {feed}>in
    echo get_drivers >&"$feed"
    shows '^0 drivers'
    wait_until find_server
    started+=("$server_pid")
    kill -STOP "$terminal_pid" # script(1), which reads what the screen shows
    wait_until in_state "$terminal_pid" T
    # The replies exceed what a terminal takes.
    yes help 2>/dev/null | head -n 5000 >&"$feed" 3>&- {feed}>&- &
    stands_still() {
        local before
        before=$(cut -d' ' -f14,15 "/proc/$server_pid/stat")
        in_state "$server_pid" S && pause && pause && pause &&
            [ "$(cut -d' ' -f14,15 "/proc/$server_pid/stat")" = "$before" ]
    }
    wait_until stands_still
    kill -TERM "$server_pid"
    wait_until ended "$server_pid"
    exec {feed}>&-
}
