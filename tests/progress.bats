#!/usr/bin/env bats
# --progress: a line at a terminal that says how far a batch is.

load lib/helpers

in_vain='' # what sees() has last looked for in vain, and the screen then

# The terminal has 78 columns, unless a test sets another number.
columns=78

# start_progress OPTION...: a server at a terminal, with one driver, whose commands come from the FIFO
# in.
start_progress() {
    mkfifo in
    start_terminal "stty cols $columns; exec '$SERVER' ${PATIENT[*]} --progress --drivers 1 $* <in"
    exec {feed}>in
    wait_until find_server
    started+=("$server_pid")
}

give() {
    printf '%s\n' "$@" >&"$feed"
}

end_batch() {
    exec {feed}>&-
}

# batch_at_terminal STATUS OPTION...: runs the batch in the file commands, to its end.
batch_at_terminal() {
    start_terminal "stty cols $columns; exec '$SERVER' ${PATIENT[*]} --progress ${*:2} <commands"
    terminal_ends "$1"
}

# rendered: prints the lines of the screen as somebody sees them, without blanks at their ends.
rendered() {
    perl -pe 's/\n//; my $line = "";
        for (split /\r/) {
            $line .= " " x (length() - length $line) if length() > length $line;
            substr($line, 0, length) = $_;
        }
        $line =~ s/ *$/\n/; $_ = $line' screen
}

# sees PATTERN: the last line is that. Rendering takes longer than all else here, so a screen that was of
# no use is not rendered again until there is something new.
sees() {
    local now
    IFS= read -r -d '' now <screen || true
    [[ $1$now != "$in_vain" ]] || return
    # shellcheck disable=SC2053
    [[ $(rendered | tail -n 1) != $1 ]] || return 0
    in_vain=$1$now
    return 1
}

# is_rendered PATTERN...: the screen shows these lines.
is_rendered() {
    local shown pattern i=0
    mapfile -t shown < <(rendered)
    [[ ${#shown[@]} == "$#" ]] || fail "$# lines wanted:" "${shown[@]}" || return
    for pattern; do
        # shellcheck disable=SC2053
        [[ ${shown[i]} == $pattern ]] || fail "expected: $pattern" "shown:    ${shown[i]}" || return
        i=$((i + 1))
    done
}

# A driver has begun a job.
has_begun() {
    [[ $(control get_drivers) == *Busy* ]]
}

ends_with_newline() {
    [[ $(tail -c 1 screen | od -An -c) == *'\n'* ]]
}

@test "progress: at the end the line stays, with all jobs and failures; replies and the log are whole" {
    printf 'run any 50 %s\n' true 'exit 3' 'kill -9 $$' true nosuchcommand >commands
    printf '%s\n' get_drivers '# no run' 'run any x true' >>commands
    batch_at_terminal 4 --drivers 1
    is_rendered 'Job 1 Done exit 0' \
        'server: job 2 Done exit 3 after *' 'Job 2 Done exit 3' \
        'server: job 3 Done signal 9 after *' 'Job 3 Done signal 9' \
        'Job 4 Done exit 0' \
        '*nosuchcommand*' 'server: job 5 Done exit 127 after *' 'Job 5 Done exit 127' \
        'Driver +([0-9]) *' '1 driver' "Error: bad seconds 'x'*" \
        '6 done, 4 failed, 0 running, of 6'
    ends_with_newline
}

@test "progress: a line that gives a job and is too long counts as a job that failed" {
    for command in 'run any 50' 'submit 50'; do
        printf '%s %05000d\nrun any 50 true\n' "$command" 0 >commands
        batch_at_terminal 4 --drivers 1 '>replies'
        is_rendered '2 done, 1 failed, 0 running, of 2'
        rm keys
    done
}

@test "progress: is updated as jobs begin and end; how many is known once the input has ended" {
    mkfifo gate
    start_progress '>replies'
    give 'run any 50 read x <gate'
    wait_until sees '0 done, 0 failed, 1 running'
    open_gate
    wait_until sees '1 done, 0 failed, 0 running'
    give get_drivers ' run any 50 read x <gate; exit 3' 'run any 50 true'
    wait_until sees '1 done, 0 failed, 1 running'
    printf 'run any 50 true' >&"$feed"
    end_batch
    wait_until sees '1 done, 0 failed, 1 running, of 4, 0:[0-9][0-9] left'
    open_gate
    terminal_ends 4
    is_rendered 'server: job 2 Done exit 3 *' '4 done, 1 failed, 0 running, of 4'
}

@test "progress: the time that is left counts down, and not below 0" {
    mkfifo gate
    printf 'run any 50 %s\n' 'sleep 1.5' 'read x <gate' >commands
    start_terminal "exec '$SERVER' ${PATIENT[*]} --progress --drivers 1 <commands >replies"
    wait_until sees '0 done, 0 failed, 1 running, of 2'
    wait_until sees '1 done, 0 failed, 1 running, of 2, 0:02 left'
    wait_until sees '1 done, 0 failed, 1 running, of 2, 0:00 left'
    open_gate
    terminal_ends 0
}

@test "progress: how many is known of a file that is larger than a read, from where it begins" {
    mkfifo gate
    { echo 'run any 50 false'; echo 'run any 50 read x <gate'; seq -f 'run any 50 exit %.0f' 20000; echo quit; echo 'run any 5 true'; } >commands
    start_terminal "{ read -r line; exec '$SERVER' ${PATIENT[*]} --grace 0.1 --progress --drivers 1; } <commands >replies"
    wait_until sees '0 done, 0 failed, 1 running, of 20001'
    wait_until find_server
    started+=("$server_pid")
    kill -TERM "$server_pid"
    terminal_ends 4
}

@test "progress: of a file that grows, never fewer are known than have ended" {
    mkfifo gate
    printf 'run any 50 %s\n' 'read x <gate' true >commands
    start_terminal "exec '$SERVER' ${PATIENT[*]} --progress --drivers 1 <commands >replies"
    wait_until sees '0 done, 0 failed, 1 running, of 2'
    printf 'run any 50 %s\n' true true >>commands
    open_gate
    terminal_ends 0
    sees '4 done, 0 failed, 0 running, of 4'
}

@test "progress: without a terminal there is no line and no error" {
    printf 'run any 50 true\n' >commands
    session --progress --drivers 1 <commands >out 2>err
    [ "$(<out)" = 'Job 1 Done exit 0' ]
    [ ! -s err ]
    session --progress --drivers 1 <commands >out 2>/dev/full
    start_terminal "exec '$SERVER' ${PATIENT[*]} --progress --drivers 1 <commands 2>err"
    terminal_ends 0
    is_rendered 'Job 1 Done exit 0'
    [ ! -s err ]
}

@test "progress: at a prompt there is no line" {
    start_server_at_terminal --progress
    keys 'create_driver\n'
    wait_until prompts 2
    keys 'run any 50 true\n'
    shows 'Job 1 Done exit 0'
    wait_until prompts 3
    keys 'quit\n'
    terminal_ends 0
    run ! grep -q 'done,' screen
}

@test "progress: with no job there is no line" {
    printf 'create_driver\nget_drivers\n' >commands
    batch_at_terminal 0
    run ! grep -q 'done,' screen
}

@test "progress: a narrow terminal shows whole parts, and no line fills it" {
    printf 'run any 50 true\n' >commands
    columns=28 batch_at_terminal 0 --drivers 1 '>replies'
    is_rendered '1 done, 0 failed, 0 running'
    rm keys
    columns=27 batch_at_terminal 0 --drivers 1 '>replies'
    is_rendered '1 done, 0 failed'
    [ "$(tr '\r' '\n' <screen | wc -L)" -lt 27 ]
    rm keys
    columns=6 batch_at_terminal 0 --drivers 1 '>replies'
    [ "$(rendered)" = '' ]
}

@test "progress: a line that a job writes in pieces is whole, and so is the next one" {
    mkfifo gate second_gate
    start_progress '>replies'
    give 'run any 50 echo zero >&2; printf one >&2; read x <gate; echo two; read x <second_gate'
    wait_until sees one
    kill -USR2 "$server_pid" # does nothing but wake it
    open_gate
    wait_until sees '0 done, 0 failed, 1 running'
    echo >second_gate
    give 'run any 50 printf three >&2'
    wait_until sees '2 done, 0 failed, 0 running'
    end_batch
    terminal_ends 0
    is_rendered zero onetwo three '2 done, 0 failed, 0 running, of 2'
}

@test "progress: all that jobs write to a terminal that is slow is shown whole" {
    mkfifo in
    start_terminal "exec '$SERVER' --grace 1000 --progress --drivers 1 <in >replies"
    exec {feed}>in
    wait_until find_server
    started+=("$server_pid")
    wait_until has_children 1
    kill -STOP "$terminal_pid"
    wait_until in_state "$terminal_pid" T
    give 'run any 1000 seq 9000' 'run any 1000 seq 9001 12000'
    end_batch
    # shellcheck disable=SC2317 # called by wait_until
    stands_still() {
        local before
        before=$(switches "$server_pid")
        in_state "$server_pid" S && pause && [[ $(switches "$server_pid") == "$before" ]]
    }
    wait_until stands_still
    wait_until past $(($(uptime_ms) + 300)) # what is in the way is no moment
    kill -CONT "$terminal_pid"
    terminal_ends 0
    rendered | grep -x '[0-9]*' >numbers
    seq 12000 | cmp - numbers
    sees '2 done, 0 failed, 0 running, of 2'
}

@test "progress: a terminal that takes no more keeps no client and no stop waiting" {
    start_progress --listen taxi.sock -g 0.2 '>replies'
    wait_until has_children 1
    driver=$(children_of "$server_pid")
    driver=${driver% }
    kill -STOP "$terminal_pid" # script(1), which reads what the screen shows
    wait_until in_state "$terminal_pid" T
    give 'run any 1000 yes x >&2'
    job_waits() {
        local job before
        job=$(children_of "$driver")
        before=$(switches "${job% }") && [[ -n $job ]] && in_state "${job% }" S && pause &&
            [[ $(switches "${job% }") == "$before" ]]
    }
    wait_until job_waits
    [[ $(control get_status "$driver") == "Driver $driver Busy "* ]]
    kill -TERM "$server_pid"
    wait_until ended "$server_pid"
}

@test "progress: Ctrl+C: the line stays, above the last lines of the log" {
    start_progress '>replies'
    give 'run any 50 true' 'run any 1000 sleep 1000'
    wait_until sees '1 done, 0 failed, 1 running'
    keys '\003'
    terminal_ends 4
    is_rendered '1 done, 0 failed, 0 running' 'server: 1 job cancelled'
}

@test "progress: Ctrl+Z and fg: the line is taken away, and shown again" {
    mkfifo in
    start_shell_at_terminal
    keys "'$SERVER' ${PATIENT[*]} --progress --drivers 1 <in >replies\n"
    exec {feed}>in
    give 'run any 1000 sleep 1000'
    wait_until sees '0 done, 0 failed, 1 running'
    keys '\032'
    shows 'Stopped'
    wait_until sees '*ready:'
    run ! grep -F 'running' <(rendered)
    keys 'fg\n'
    wait_until sees '0 done, 0 failed, 1 running'
    keys '\003'
    wait_until sees '*ready:'
    rendered | grep -x '0 done, 0 failed, 0 running'
    keys 'exit\n'
    wait_until ended "$terminal_pid"
}

@test "progress: in the background, only the last line is shown" {
    mkfifo gate
    printf 'run any 50 %s\n' 'read x <gate' true >commands
    start_shell_at_terminal
    keys "'$SERVER' ${PATIENT[*]} --progress --drivers 1 --listen taxi.sock <commands >replies &\n"
    wait_until find_server
    started+=("$server_pid")
    wait_until has_children 1
    wait_until has_begun
    open_gate
    shows '2 done, 0 failed, 0 running, of 2'
    [ "$(grep -ao running screen | wc -l)" = 1 ]
    kill -TERM "$server_pid"
    wait_until ended "$server_pid"
    keys 'exit\n'
    wait_until ended "$terminal_pid"
}

@test "progress: with --listen the line stays when the batch has ended; the jobs of others do not count" {
    mkfifo gate
    start_progress --drivers 2 --listen taxi.sock '>replies'
    wait_until server_listens
    control run any 50 'read x <gate' 3>&- &
    other=$!
    wait_until has_begun
    give 'run any 50 true'
    wait_until sees '1 done, 0 failed, 0 running'
    open_gate
    wait "$other"
    end_batch
    wait_until sees '1 done, 0 failed, 0 running, of 1'
    wait_until ends_with_newline
    control run any 50 'echo more'
    wait_until sees more
    control shutdown
    terminal_ends 0
    is_rendered '1 done, 0 failed, 0 running, of 1' more
}

@test "progress: with --halt and a cancellation, what did not run does not count as done" {
    printf 'run any 50 %s\n' true 'exit 3' true true >commands
    batch_at_terminal 4 --drivers 1 --halt soon '>replies'
    is_rendered 'server: job 2 Done exit 3 *' 'server: halted by job 2' \
        '2 done, 1 failed, 0 running, of 4' 'server: 2 jobs did not run'
    rm keys
    start_progress --halt soon '>replies'
    give 'run any 50 exit 3' # more may come, which is not known
    terminal_ends 4
    is_rendered 'server: job 1 Done exit 3 *' 'server: halted by job 1' '1 done, 1 failed, 0 running'
}

@test "progress: with --resume, what the log answers counts" {
    printf 'run any 50 %s\n' true 'exit 3' >commands
    session --log log --drivers 1 <commands >replies 2>err || [ $? = 4 ]
    echo 'run any 50 true' >>commands
    batch_at_terminal 4 --log log --resume --drivers 1 '>replies'
    is_rendered '3 done, 1 failed, 0 running, of 3'
}

@test "progress: a server whose jobs have ended is at rest" {
    start_progress '>replies'
    give 'run any 50 true'
    wait_until sees '1 done, 0 failed, 0 running'
    wait_until rests "$server_pid"
}

@test "progress: the client program refuses --progress" {
    run -2 "$SERVER" --connect taxi.sock --progress </dev/null
    [ "$output" = 'server: --connect goes with --here and --json only (try --help)' ]
}

@test "progress: the names of --each are counted" {
    printf 'a\n\nb\nfalse\nc' >commands
    batch_at_terminal 4 --drivers 1 --each 50 sh -c "'test \$1 != false'" sh
    sees '4 done, 1 failed, 0 running, of 4'
}

@test "progress: an empty name counts if a zero byte ends it" {
    printf 'a\0\0b\0' >commands
    batch_at_terminal 0 --drivers 1 -0 --each 50 true
    sees '3 done, 0 failed, 0 running, of 3'
}
