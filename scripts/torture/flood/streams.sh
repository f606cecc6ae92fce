# Rows about a client at standard input and output.
# shellcheck shell=bash

stream_rows() {
    local kind full
    row 'random bytes' "$megabytes MB" random_bytes
    row 'no newline' "$megabytes MB" no_newline
    row 'driver stopped, then continued' "$commands" stopped_driver CONT "$commands" -t 1000
    full=$((commands > 100000 ? commands : 100000)) # half of them are for the driver
    row 'driver stopped, its socket full, then continued' $full stopped_driver CONT $full -t 0.1
    row 'driver stopped, then TERM' "$commands" stopped_driver TERM "$commands" -t 1000
    for kind in pipe socket terminal; do
        row "reader never reads ($kind), then TERM" endless never_reads $kind
        row "reader comes back ($kind)" "$commands" comes_back $kind
    done
    row 'reader takes a byte a second, then all' "$commands" byte_a_second all
    row 'reader takes a byte a second, then TERM' "$commands" byte_a_second TERM
    row 'reader goes away (pipe)' endless goes_away pipe
    row 'reader goes away (socket)' endless goes_away socket
    row 'full disk' "$commands" full_disk
}

random_bytes() {
    begin pipe && hire || return
    { read -r && exec cksum; } <&"$from" >replies {to}>&- &
    reader=$!
    perl "$TORTURE/flood/commands.pl" bytes "$megabytes" >&"$to" &
    writer=$!
    given && ends 0 && wait_until ended "$reader" || return
    [[ $(<replies) == "$(<expected)" ]] ||
        flaw "sum and size of the replies: $(<replies), expected: $(<expected)"
}

no_newline() {
    begin pipe && hire && read_all || return
    perl "$TORTURE/flood/commands.pl" one_line "$megabytes" >&"$to" &
    writer=$!
    given && ends 0 && wait_until ended "$reader" || return
    [[ $(tail -n +2 replies) == $'Error: line too long (limit 4096 bytes)\nError: unknown command \'x1\''* &&
        $(wc -l <replies) == 3 ]] || flaw "replies: $(head -c 500 replies)"
}

# stopped_driver END COUNT OPTION...: the server stops reading from the client of a stopped driver,
# but still serves others. Then the driver is continued (END is CONT), or the server is stopped
# (TERM).
stopped_driver() {
    local stats
    begin pipe "${@:3}" && hire && read_all || return
    kill -STOP "${drivers[0]}"
    wait_until in_state "${drivers[0]}" T || return
    give "$2" "${drivers[0]}"
    wait_until held_back || return
    stats=$(grep -c Stats err)
    kill -USR1 "$server"
    wait_until more_stats "$stats" || return
    if [[ $1 == TERM ]]; then
        ends 0 TERM && due 'did not exit in time: killed' && replied "$2" stopped
    else
        kill -CONT "${drivers[0]}"
        given && ends 0 && replied "$2"
    fi
}

more_stats() {
    (($(grep -c Stats err) > $1))
}

# held KIND COUNT: sends COUNT commands and reads no replies, until the server stops reading, too.
held() {
    begin "$1" && hire || return
    [[ $1 != terminal ]] || printf '\023' >&"$keys" # Ctrl+S
    give "$2"
    wait_until held_back
}

never_reads() {
    held "$1" 1e18 && ends 0 TERM && due 'output that nobody read was dropped'
}

comes_back() {
    held "$1" "$commands" && read_all && given && ends 0 && replied "$commands"
}

# byte_a_second END: reads a byte a second, for three seconds. Then reads everything (END is all),
# or goes on like this while the server is stopped (TERM).
byte_a_second() {
    local text='' byte
    held pipe "$commands" || return
    for _ in 1 2 3; do
        IFS= read -r -d '' -N 1 -u "$from" byte || flaw 'nothing to read' || return
        text+=$byte
        pause 1
    done
    if [[ $1 == TERM ]]; then
        { while IFS= read -r -N 1 _; do pause 1; done; } <&"$from" {to}>&- &
        ends 0 TERM && due 'output that nobody read was dropped'
    else
        read_all "$text" && given && ends 0 && replied "$commands"
    fi
}

goes_away() {
    held "$1" 1e18 || return
    if [[ $1 == pipe ]]; then
        head -n 1000 <&"$from" >/dev/null
        exec {from}<&-
        from=''
    else
        head -n 1000 <out >/dev/null
    fi
    ends 1 && due '^server: cannot write standard output: (Broken pipe|Connection reset by peer)$'
}

full_disk() {
    begin full || return
    { echo create_driver && exec perl "$TORTURE/flood/commands.pl" numbered "$commands"; } 2>/dev/null 1>&"$to" &
    ends 1 && due '^server: cannot write standard output: No space left on device$'
}
