#!/usr/bin/env bats
# A person types more than the server takes at once, or more than a terminal keeps of a line.

load lib/helpers

# long_line SIZE: a get_drivers of that many bytes, without its newline.
long_line() {
    printf "get_drivers%$(($1 - 12))sx" ''
}

# shows_times COUNT PATTERN: that many lines of the screen have shown that.
shows_times() {
    [ "$(grep -cae "$2" screen)" = "$1" ]
}

# A terminal keeps 4095 bytes of a line, whatever was typed.
@test "typing: a line that the terminal has cut is refused, not run; a shorter one is run" {
    start_server_at_terminal
    keys "$(long_line 5000)\\n"
    shows '^Error: line too long \(limit 4095 bytes\)'
    keys "$(long_line 4095)\\n"
    wait_until shows_times 2 '^Error: line too long'
    keys "$(printf '%4083s' '')get_drivers\\n"
    shows '^0 drivers'
    shows_times 2 '^Error'
}

@test "typing: a line that the terminal has cut is refused at a client's prompt, too" {
    start_listening
    start_terminal "exec '$SERVER' --connect taxi.sock"
    wait_until prompts 1
    keys "$(long_line 5000)\\n"
    shows '^Error: line too long \(limit 4096 bytes\)'
    keys "$(long_line 4095)\\n"
    wait_until shows_times 2 '^Error: line too long'
    keys "$(printf '%4083s' '')get_drivers\\n"
    shows '^0 drivers'
    shows_times 2 '^Error'
    keys "$(long_line 5000)\\004\\004"
    wait_until shows_times 3 'Error: line too long'
    terminal_ends 1
}

# paste BYTES: that much is typed while a wait holds back what follows it; a terminal's own buffer
# has 4 KiB.
paste() {
    keys 'create_driver\nsend_task any 1000\nwait\n'
    shows 'Busy 1000'
    yes '# what is typed while the server waits, and not run before it waits no more' |
        head -c "$1" >&"$to"
    keys '\n'
}

@test "typing: after a paste of 8 KiB while a command waits, Ctrl+C stops the server" {
    start_server_at_terminal
    paste 8192
    keys 'get_drivers\nget_drivers\n\003'
    terminal_ends 0
    shows_times 1 'Error: server is stopping' # of the wait, not of what was typed ahead
    shows 'server: 1 task cancelled'
}

@test "typing: after a paste while a command waits, Ctrl+\\ stops the server at once" {
    start_server_at_terminal -g 1000
    paste 8192
    driver=$(children_of "$server_pid")
    stop_process "${driver% }"
    keys '\034'
    terminal_ends 0
}

@test "typing: after a paste while a command waits, Ctrl+Z and fg stop and continue the server" {
    start_shell_at_terminal
    keys "'$SERVER'\n"
    wait_until find_server
    started+=("$server_pid")
    shows '> '
    paste 8192
    keys '\032'
    shows 'Stopped'
    keys 'fg\n'
    wait_until in_state "$server_pid" S
    keys '\003'
    shows 'ready: $'
    keys 'exit\n'
    terminal_ends 0
}

@test "typing: after a paste while a command waits, Ctrl+D says what the server waits for" {
    start_server_at_terminal --listen taxi.sock
    paste 8192
    keys 'get_drivers\n\004'
    shows 'server: the console has ended'
    read -ra drivers <<<"$(children_of "$server_pid")"
    control cancel_task "${drivers[0]}"
    wait_until shows_times 2 '1 driver'
    keys '\003'
    terminal_ends 0
}

@test "typing: Ctrl+D while a wait lasts says that replies are awaited" {
    start_server_at_terminal
    keys 'create_driver\nsend_task any 1000\nwait\n\004'
    shows '^server: waiting for the last replies; Ctrl\+C stops the server'
    keys '\003'
    terminal_ends 0
}

@test "typing: a paste of more than the server keeps waits in the terminal, and nothing spins or is lost" {
    start_server_at_terminal --listen taxi.sock
    paste 100000
    wait_until rests "$server_pid"
    (($(status_field "$server_pid" VmRSS | cut -d' ' -f1) < MEMORY_MAX_KB))
    keys 'get_drivers\n'
    read -ra drivers <<<"$(children_of "$server_pid")"
    control cancel_task "${drivers[0]}"
    wait_until shows_times 2 '1 driver'
    run ! grep -q Error screen
    keys '\003'
    terminal_ends 0
}
