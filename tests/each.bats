#!/usr/bin/env bats
# --each: standard input gives names, and each is a job, without a shell.

load lib/helpers

ARGS=$HELPERS/args

# each OPTION... --each SECONDS WORD...: runs the server with the names on standard input. Sets
# output to what the jobs have written, in their order, and status; the replies are in the file
# replies, and the log is in the file err.
each() {
    rm -rf output
    status=0
    session --output output "$@" >replies 2>err || status=$?
    output=$(find output -name '*.out' -printf '%f\n' 2>/dev/null | sort -n | (cd output && xargs -r cat))
}

# made COUNT: that many jobs have run, and all ended with exit 0.
made() {
    ((status == 0)) && [[ $(<replies) == "$(seq -f 'Job %g Done exit 0' "$1")" && ! -s err ]]
}

@test "each: {} becomes the name, anywhere in a word and in every word" {
    each --each 50 "$ARGS" {} x{}y{} '{{}}' {} <<<$'a b\n{}'
    made 2
    [ "$output" = '3:a b,8:xa bya b,5:{a b},3:a b,
2:{},6:x{}y{},4:{{}},2:{},' ]
    each --each=50 ./{} {} <<<args 2>/dev/null
    [ "$status" = 4 ] # there is no ./args
    cp "$ARGS" .
    each -E50 ./{} {} <<<args
    made 1
    [ "$output" = '4:args,' ]
}

@test "each: without {} the name is the last word" {
    each --each 50 "$ARGS" -k '{ }' <<<$'a b\n-x'
    made 2
    [ "$output" = '2:-k,3:{ },3:a b,
2:-k,3:{ },2:-x,' ]
}

@test "each: no shell sees the name or the words, and what follows SECONDS is no option" {
    each --each 50 "$ARGS" '$HOME *;' --help -n 7 -- <<<$'$(touch bad)\n`touch bad`; touch bad\n~'
    made 3
    [ "$output" = '8:$HOME *;,6:--help,2:-n,1:7,2:--,12:$(touch bad),
8:$HOME *;,6:--help,2:-n,1:7,2:--,22:`touch bad`; touch bad,
8:$HOME *;,6:--help,2:-n,1:7,2:--,1:~,' ]
    [ ! -e bad ]
    each --each 50 -- --version <<<x
    [ "$status" = 4 ]
    [ "$(<output/1.err)" = 'driver: --version: not found' ]
}

@test "each: names are neither commands nor comments, and keep each byte; empty lines are skipped" {
    printf '\357\273\277bom\n\n#x\nquit\nrun any 5 touch bad\n a\t\ncr\r\n\n\377\n' >names
    each --each 50 "$ARGS" <names
    made 7
    [ "$output" = $'6:\357\273\277bom,\n2:#x,\n4:quit,\n19:run any 5 touch bad,\n3: a\t,\n3:cr\r,\n1:\377,' ]
    [ ! -e bad ]
}

@test "each: with -0 a zero byte ends a name, which may be empty or have newlines" {
    printf 'a\nb\0\0\n\0c' >names
    for null in -0 --null; do
        each $null --each 50 "$ARGS" <names
        made 4
        [ "$output" = $'3:a\nb,\n0:,\n1:\n,\n1:c,' ]
    done
    each -0 --each 50 "$ARGS" </dev/null
    made 0
}

# random_names COUNT BYTE: prints that many names of up to 400 random bytes. No byte of them is zero or the
# one with that number, which ends each name.
random_names() {
    perl -e 'my ($count, $end) = ($ARGV[0], chr $ARGV[1]); open my $random, "<:raw", "/dev/urandom" or die;
        for (1 .. $count) {
            read $random, my $name, 1 + rand 400;
            $name =~ tr/\0/x/;
            $name =~ tr/\n/x/ if $end eq "\n";
            print $name, $end;
        }' "$@"
}

# By 500 names each byte occurs hundreds of times, and their 100 KB are more than one block of input.
@test "each: a thousand names of random bytes give the arguments that xargs gives" {
    random_names 500 10 >lines
    random_names 500 0 >zeros
    xargs -d '\n' -I {} "$ARGS" '{}' 'a{}b{}' <lines >wanted-lines
    xargs -0 -I {} "$ARGS" '{}' 'a{}b{}' <zeros >wanted-zeros
    # With one driver the jobs write to standard error in their order, which is cheaper than files.
    session --drivers 1 --each 50 "$ARGS" '{}' 'a{}b{}' <lines >replies 2>err
    seq -f 'Job %.0f Done exit 0' 500 | cmp - replies
    cmp wanted-lines err
    session --drivers 1 -0 --each 50 "$ARGS" '{}' 'a{}b{}' <zeros >replies 2>err
    seq -f 'Job %.0f Done exit 0' 500 | cmp - replies
    cmp wanted-zeros err
}

@test "each: the input may be a file, a pipe, a FIFO or a socket; the last name needs no newline" {
    printf 'a\nb' >names
    mkfifo fifo
    cat names >fifo &
    each --each 50 "$ARGS" <fifo
    made 2
    [ "$output" = $'1:a,\n1:b,' ]
    each --each 50 "$ARGS" < <(cat names)
    made 2
    each --each 50 "$ARGS" <names
    made 2
    perl -MSocket -e 'socketpair my $a, my $b, AF_UNIX, SOCK_STREAM, 0; syswrite $a, "a\nb"; shutdown $a, 1;
        $^F = 99; open STDIN, "<&", $b; close $b; exec @ARGV' \
        "$SERVER" --each 50 "$ARGS" >replies 2>err
    [ "$(<err)" = $'1:a,\n1:b,' ] || [ "$(<err)" = $'1:b,\n1:a,' ]
}

@test "each: if the input breaks off, the last name is not run, whatever ends names" {
    run -1 --separate-stderr "$LIB/broken-input.pl" $'a\nb' "$SERVER" --each 50 "$ARGS"
    [ "$stderr" = $'server: standard input broke off in the middle of a name, which is not run\n1:a,' ] ||
        [ "$stderr" = $'1:a,\nserver: standard input broke off in the middle of a name, which is not run' ]
    run -1 --separate-stderr "$LIB/broken-input.pl" $'a\nb' "$SERVER" -0 --each 50 "$ARGS"
    [ "$output" = '' ]
    [ "$stderr" = 'server: standard input broke off in the middle of a name, which is not run' ]
}

@test "each: a name that cannot be one is one Error, which names its beginning; the status is 4" {
    long=$(printf '%04096d' 0)
    each --each 50 "$ARGS" <<<"$long"
    made 1
    [ "$output" = "4096:$long," ]
    head -c 300000 /dev/zero | tr '\0' x >longer
    printf 'a\n0%s\nb\n' "$long" >names
    cat longer >>names
    printf '\nc\0d\n%063d\0\ne\n' 0 >>names
    each --each 50 "$ARGS" <names
    [ "$status" = 4 ]
    [ "$(<replies)" = "Job 1 Done exit 0
Error: name '$(printf '%064d' 0)...' is too long (limit 4096 bytes)
Job 2 Done exit 0
Error: name '$(printf '%64s' '' | tr ' ' x)...' is too long (limit 4096 bytes)
Error: name 'c\\x00d' has a zero byte (see --null)
Error: name '$(printf '%063d' 0)\\x00' has a zero byte (see --null)
Job 3 Done exit 0" ]
    [ "$output" = $'1:a,\n1:b,\n1:e,' ]
    each -0 --each 50 "$ARGS" <longer
    [ "$status" = 4 ]
    [ "$(<replies)" = "Error: name '$(printf '%64s' '' | tr ' ' x)...' is too long (limit 4096 bytes)" ]
}

@test "each: a name that gets an Error for want of a driver halts the batch" {
    start_server --listen taxi.sock --drivers 1 --halt soon --each 50 true
    wait_until control get_drivers >drivers
    run -0 control delete_driver "$(grep -m 1 -o '[0-9]*' drivers)"
    say a b
    expect 'Error: no driver' 'Job 1 Done unrun halted by an Error'
    logged '^server: halted by an Error$'
}

@test "each: words that are too long are one Error; two of the longest names fit" {
    long=$(printf '%04096d' 0)
    each --each 50 "$ARGS" {}{} <<<"$long"
    made 1
    [ "$output" = "8192:$long$long," ]
    each --each 50 "$ARGS" {}{} {} <<<$'a\n'"$long"$'\nb'
    [ "$status" = 4 ]
    [ "$(<replies)" = "Job 1 Done exit 0
Error: name '$(printf '%064d' 0)...' makes words that are too long (limit 10240 bytes)
Job 2 Done exit 0" ]
}

@test "each: what cannot be run ends with 127 or 126, and says which and why" {
    echo true >plain
    each --each 50 nosuch-{} <<<$'x\na\nb'
    [ "$status" = 4 ]
    [ "$(<replies)" = $'Job 1 Done exit 127\nJob 2 Done exit 127\nJob 3 Done exit 127' ]
    [ "$(<output/2.err)" = 'driver: nosuch-a: not found' ]
    each -0 --each 50 {} < <(printf '\0./plain\0x\ny\0%0100d\0./no/x' 0)
    [ "$(<replies)" = 'Job 1 Done exit 127
Job 2 Done exit 126
Job 3 Done exit 127
Job 4 Done exit 127
Job 5 Done exit 127' ]
    [ "$(<output/1.err)" = 'driver: : not found' ]
    [ "$(<output/2.err)" = 'driver: ./plain: Permission denied' ]
    [ "$(<output/3.err)" = 'driver: x\x0ay: not found' ]
    [ "$(<output/4.err)" = "driver: $(printf '%064d' 0): not found" ]
    # shellcheck disable=SC2016
    [ "$(grep -c '^server: job [1-5] Done exit 12[67] after ' err)" = 5 ]
}

@test "each: a script without #! is run by a shell, as a shell does; PATH finds programs" {
    mkdir bin
    # shellcheck disable=SC2016
    echo 'printf "%s|" script "$@"' >bin/script
    chmod +x bin/script
    each --each 50 ./bin/script 'x  y' <<<$'a  b'
    made 1
    [ "$output" = 'script|x  y|a  b|' ]
    PATH=$PWD/bin:$PATH each --each 50 script <<<$'a  b'
    made 1
    [ "$output" = 'script|a  b|' ]
    # Where execvp(3) leaves that to its caller:
    SERVER=$FAULTY/server FAULT=execvp:ENOEXEC:1 each --drivers 1 --each 50 ./bin/script 'x  y' <<<$'a  b'
    made 1
    [ "$output" = 'script|x  y|a  b|' ]
}

@test "each: the log of jobs and JSON have the words as sh reads them" {
    each -0 --drivers 1 --log jobs.log --each 50 "$ARGS" < <(printf "a\0it's a b\0x\ny\\\\\0\0~\0a=b\0\377\303\244\1")
    made 7
    cut -f 7 jobs.log | sort -u | sed "s|^$ARGS ||" >commands
    LC_ALL=C sort commands >sorted
    LC_ALL=C sort >wanted <<'END'
a
'it'\\''s a b'
'x\ny\\'
''
'~'
a=b
'\xffä\x01'
END
    diff wanted sorted
    # What sh reads is what was run.
    cut -f 7 jobs.log | awk '!seen[$0]++' | while IFS= read -r command; do
        printf -v command '%b' "${command//\\\\/\\\\\\\\}"
        sh -c "${command//\\\\/\\}"
    done >again
    head -n 2 again >twice
    [ "$(<twice)" = "$(head -n 2 <<<"$output")" ]
    each -j -0 --each 50 "$ARGS" < <(printf "it's \"\n\1")
    grep -qF ",\"command\":\"$ARGS 'it'\\\\''s \\\"\\u000a\\u0001'\"," replies
}

@test "each: --resume goes on where the log ends, with any names" {
    # shellcheck disable=SC2016
    deed=(sh -c 'printf "%s|" "$1" >>deeds; test -e good || test "$1" != "x'$'\n'''"'"'y"' sh)
    printf "a b\0x\n'y\0c\0" >names
    each -0 --drivers 1 --log jobs.log --halt soon --each 50 "${deed[@]}" <names
    [ "$(<replies)" = $'Job 1 Done exit 0\nJob 2 Done exit 1\nJob 3 Done unrun halted by job 2' ]
    touch good
    each -0 --drivers 1 --log jobs.log --resume=failed --each 50 "${deed[@]}" <names
    [ "$status" = 0 ]
    [ "$(<replies)" = $'Job 1 Done exit 0\nJob 4 Done exit 0\nJob 5 Done exit 0' ]
    [ "$(<deeds)" = $'a b|x\n\'y|x\n\'y|c|' ]
    each -0 --drivers 1 --log jobs.log --resume --each 50 "${deed[@]}" <names
    [ "$(<replies)" = $'Job 1 Done exit 0\nJob 4 Done exit 0\nJob 5 Done exit 0' ]
    # Nothing that the longest words become in the log is too long for it.
    perl -e 'print chr(39) x 4095, "\n", "\1" x 4095, "\n"' >names
    each --log long.log --each 50 true {}{} <names
    made 2
    each --log long.log --resume --each 50 false {}{} <names
    [ "$status" = 4 ]
    each --log long.log --resume --each 50 true {}{} <names
    made 2
    each -j --log long.json --each 50 true {}{} <names
    each -j --log long.json --resume --each 50 true {}{} <names
    [ "$(grep -c '"exit":0,' replies)" = 2 ]
    [ "$(grep -c '"state":"done"' long.json)" = 2 ]
}

@test "each: statuses and an Error halt a batch as with commands" {
    each --drivers 1 --halt soon --each 50 test good = <<<$'good\nbad\ngood'
    [ "$status" = 4 ]
    [ "$(<replies)" = $'Job 1 Done exit 0\nJob 2 Done exit 1\nJob 3 Done unrun halted by job 2' ]
    each --drivers 1 --halt soon --each 50 true < <(printf 'a\0\nb\n')
    [ "$status" = 4 ]
    [ "$(<replies)" = "Error: name 'a\\x00' has a zero byte (see --null)"$'\nJob 1 Done unrun halted by an Error' ]
}

@test "each: a limit ends a job; a stop leaves the rest unrun" {
    each --drivers 1 --each 0.1 sleep <<<1000
    [ "$status" = 4 ]
    [ "$(<replies)" = 'Job 1 Done timeout' ]
    start_server --drivers 1 --each 1000 sleep
    say 1000 0
    wait_until has_grandchildren
    kill "$server_pid"
    expect 'Job 1 Done cancelled' 'Job 2 Done unrun server is stopping'
    server_ends 4
}

@test "each: a signal before the end of the names makes the status 4, though none has come" {
    for signal in TERM INT HUP QUIT; do
        start_server --drivers 1 --each 50 true
        wait_until has_children 1
        kill "-$signal" "$server_pid"
        server_ends 4
        hang_up
    done
    start_server --drivers 1 --each 50 true
    end_input
    server_ends 0
    hang_up
    start_server --drivers 1 --listen taxi.sock --each 50 true
    wait_until has_children 1
    kill "$server_pid"
    server_ends 0
}

has_grandchildren() {
    local children
    children=$(children_of "$server_pid")
    [[ -n $children && -n $(children_of "${children%% *}") ]]
}

@test "each: without --drivers there is one for each processor that the server may use" {
    each -v --each 50 true <<<x
    [ "$(grep -c '^server: driver [0-9]* started$' err)" = "$(nproc)" ]
    command -v taskset >/dev/null || skip 'no taskset'
    cpu=$(taskset -cp $$ | sed 's/.*[ ]\([0-9]*\).*/\1/')
    printf '#!/bin/sh\nexec taskset -c %s "%s" "$@"\n' "$cpu" "$SERVER" >limited
    chmod +x limited
    SERVER=$PWD/limited each -v --each 50 true <<<x
    [ "$(grep -c '^server: driver [0-9]* started$' err)" = 1 ]
}

@test "each: a slow job in front idles no driver, and memory stays bounded" {
    mkfifo gate
    printf '#!/bin/sh\nread x <gate\n' >slow
    chmod +x slow
    # The quick jobs are programs that do not exist. They are more than the replies that a client may be owed.
    start_server --drivers 2 --log jobs.log --each 1000 ./{}
    { echo slow && seq 3000; } >in
    wait_until grep -qP '\t3001\tDone\t' jobs.log
    run ! grep -qP '\t1\tDone\t' jobs.log
    echo >gate
    expect 'Job 1 Done exit 0' 'Job 2 Done exit 127'
    tally 2999
    (($(peak_kb "$server_pid") <= MEMORY_MAX_KB)) || fail "$(peak_kb "$server_pid") KiB"
    end_input
    server_ends 4
}

@test "each: names are not read while enough wait" {
    mkfifo gate
    start_server --drivers 1 --each 1000 sh -c 'read x <gate' sh
    flood 1000000 "$(printf '%0500d' 0)"
    wait_until has_grandchildren
    wait_until reads_no_more
    (($(peak_kb "$server_pid") <= MEMORY_MAX_KB)) || fail "$(peak_kb "$server_pid") KiB"
    kill "$server_pid"
    expect 'Job 1 Done cancelled' 'Job 2 Done unrun server is stopping'
    cat <&"$from" >/dev/null
    server_ends 4
}

# The flooder waits, and the server has not run between two looks.
reads_no_more() {
    local before
    before=$(switches "$server_pid")
    flooder_waits && in_state "$server_pid" S && flooder_waits && [[ $(switches "$server_pid") == "$before" ]]
}

peak_kb() {
    sed -n 's/^VmHWM:[^0-9]*\([0-9]*\).*/\1/p' "/proc/$1/status"
}

@test "each: at a terminal there is no prompt" {
    start_terminal "exec '$SERVER' --drivers 1 --each 50 echo named"
    wait_until find_server
    started+=("$server_pid")
    wait_until has_children_of "$server_pid" 1
    wait_until rests "$server_pid"
    prompts 0
    keys 'x\n'
    shows '^Job 1 Done exit 0'
    keys '\004'
    terminal_ends 0
    prompts 0
}

@test "each: an option after SECONDS is wrong usage; after -- it is a program's name" {
    for option in -n --drivers=4 --version -; do
        run -2 --separate-stderr session --each 5 $option 4 true <<<x
        [ "$output" = '' ]
        [ "$stderr" = "server: '$option' after --each SECONDS is no option but a program: options come before --each, and a program of that name after -- (try --help)" ]
    done
    run -2 session --each 5 -- <<<x
    [ "$output" = 'server: --each needs SECONDS and WORD... (try --help)' ]
    printf '#!/bin/sh\necho "$@"\n' >-n
    chmod +x ./-n
    PATH=$PATH:.
    each --each 50 -- -n 4 <<<x
    [ "$output" = '4 x' ]
    each --each 50 ./-n -- <<<x
    [ "$output" = '-- x' ]
}

@test "each: wrong usage" {
    while IFS='|' read -r arguments message; do
        # shellcheck disable=SC2086
        run -2 session $arguments </dev/null
        [ "$output" = "server: $message (try --help)" ] || fail "$arguments: $output"
    done <<'END'
--each|--each needs a value
--each 5|--each needs SECONDS and WORD...
--each 0 true|bad --each '0' (seconds above 0, at most 31536000)
--each x true|bad --each 'x' (seconds above 0, at most 31536000)
--each -1 true|bad --each '-1' (seconds above 0, at most 31536000)
-E 1e3 true|bad --each '1e3' (seconds above 0, at most 31536000)
-0|--null needs --each SECONDS WORD..., and comes before it
--null|--null needs --each SECONDS WORD..., and comes before it
-c taxi.sock --each 5 true|--connect goes with --here and --json only
-c taxi.sock -0|--connect goes with --here and --json only
END
    run -2 session --each 5 "$(printf '%06000d' 0)" "$(printf '%06000d' 0)" </dev/null
    [ "$output" = 'server: --each: the words are too long (limit 10240 bytes) (try --help)' ]
}
