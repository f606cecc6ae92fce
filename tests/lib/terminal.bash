# A server at a terminal.
# shellcheck shell=bash

# start_terminal COMMAND: runs the command by bash at a terminal of its own, which script(1) makes.
# What is written to $to is typed there; what is shown goes to the file screen. Sets terminal_pid.
start_terminal() {
    mkfifo keys
    : >screen
    SHELL=$BASH script -qefc "$1" /dev/null <keys >screen 2>&1 3>&- &
    terminal_pid=$!
    started+=("$terminal_pid")
    exec {to}>keys
}

keys() {
    # shellcheck disable=SC2059 # the keys contain escapes
    printf "$1" >&"$to"
}

# shows PATTERN: waits until the screen shows that; lines end in \r\n, as at any terminal.
shows() {
    wait_until grep -qaE "$1" screen || fail "on the screen: $(cat -v screen)"
}

# prompts COUNT: that many prompts have been shown so far.
prompts() {
    [ "$(grep -ao '> ' screen | wc -l)" = "$1" ]
}

# Sets server_pid to the server below script(1) or below the terminal's shell.
find_server() {
    local child
    for child in $(children_of "$terminal_pid") $(children_of "${shell_pid:-$terminal_pid}"); do
        if [[ /proc/$child/exe -ef $SERVER ]]; then
            server_pid=$child
            return 0
        fi
        shell_pid=$child
    done
    return 1
}

# start_server_at_terminal OPTION...: runs a server at a terminal, and waits for its prompt.
start_server_at_terminal() {
    start_terminal "exec '$SERVER' $*"
    wait_until find_server
    started+=("$server_pid")
    wait_until prompts 1
}

# Runs an interactive shell, with job control.
start_shell_at_terminal() {
    start_terminal "HISTFILE=/dev/null PS1='ready: ' exec bash --norc --noprofile -i"
    shows 'ready: $'
}

# terminal_ends STATUS: the command ends with that exit status.
terminal_ends() {
    local status=0
    wait_until ended "$terminal_pid" || fail "on the screen: $(cat -v screen)"
    wait "$terminal_pid" || status=$?
    ((status == $1)) || fail "status $status: $(cat -v screen)"
}
