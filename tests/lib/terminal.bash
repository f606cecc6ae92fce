# A server at a terminal.
# shellcheck shell=bash

# start_terminal COMMAND: bash runs it at a terminal of its own (by script(1), which would take the
# user's shell); what is typed goes to $to, what is shown comes to the file screen. Sets
# terminal_pid.
start_terminal() {
    mkfifo keys
    : >screen
    SHELL=$BASH script -qefc "$1" /dev/null <keys >screen 2>&1 3>&- &
    terminal_pid=$!
    started+=("$terminal_pid")
    exec {to}>keys
}

keys() {
    # shellcheck disable=SC2059 # escapes are meant
    printf "$1" >&"$to"
}

# shows PATTERN: the screen shows it, in time; line ends are those of a terminal, \r\n.
shows() {
    wait_until grep -qaE "$1" screen || fail "on the screen: $(cat -v screen)"
}

# So many prompts were shown so far.
prompts() {
    [ "$(grep -ao '> ' screen | wc -l)" = "$1" ]
}

# The server below the terminal's shell or script.
find_server() {
    local child
    for child in $(children_of "$terminal_pid") $(children_of "${shell_pid:-$terminal_pid}"); do
        if [ "$(readlink "/proc/$child/exe")" = "$SERVER" ]; then
            server_pid=$child
            return 0
        fi
        shell_pid=$child
    done
    return 1
}
