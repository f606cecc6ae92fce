#!/usr/bin/env bats
# Kept drivers that can never start: a batch ends; a server that may still get commands goes on.

load lib/helpers

# batch NAME WORD...: starts a server in the background whose output, log and status go to files.
# Adds to batches.
batch() {
    {
        status=0
        session "${@:2}" >"$1.out" 2>"$1.err" || status=$?
        echo "$status" >"$1.new"
        mv "$1.new" "$1.status"
    } <&0 3>&- &
    batches+=("$!")
}

# The batches of the last tests take longer than ten seconds. They run while the first test does.
setup_file() {
    cd "$BATS_FILE_TMPDIR" || return
    batches=()
    printf '%s\n' 'run any 5 true' 'send_task any 1' fly >lines
    batch file -n 2 --driver /bin/false <lines
    batch pipe -n 40 --driver ./missing < <(cat lines)
    fake_driver silent linger
    batch slow -n 1 --driver ./silent --start-timeout 3 -g 0.1 < <(cat lines)
    # A client that waits for a driver is not read from, so this is never read to its end.
    { cat lines; yes 'run any 5 true' | head -n 20000; } >long
    batch many -n 1 --driver /bin/false <long
    batch submitted -n 1 --driver /bin/false < <(printf '%s\n' 'submit 50 true' 'wait own')
}

teardown_file() {
    wait "${batches[@]}" # a bare wait would also wait for what times the test
}

@test "gives up: not while the input is open or there is a control socket" {
    batches=()
    batch control -n 1 --driver ./later --listen taxi.sock </dev/null
    start_server --drivers 1 --driver ./later
    say 'run any 5 true'
    wait_until past $(($(uptime_ms) + 12000))
    cp "$DRIVER" new
    mv new later
    expect 'Job 1 Done exit 0'
    end_input
    server_ends 0
    run -0 control run any 5 true
    [ "$output" = 'Job 1 Done exit 0' ]
    control shutdown
    wait "${batches[@]}"
    [ "$(cat control.status)" = 0 ]
}

@test "gives up: a batch whose input has ended ends with status 1 when no driver comes up in 10 s" {
    cd "$BATS_FILE_TMPDIR"
    for name in file pipe slow many; do
        wait_until test -e $name.status
        [ "$(cat $name.status)" = 1 ] || fail "$name: $(cat $name.status $name.err)"
    done
    for name in file pipe slow; do
        [ "$(cat $name.out)" = "Job 1 Done unrun no driver
Error: no driver
Error: unknown command 'fly' (try help)" ]
        [ "$(grep -c 'no driver came up in 10 s, and the input has ended: gave up$' $name.err)" = 1 ]
    done
    grep '^Job' many.out | cmp - <(printf 'Job %d Done unrun no driver\n' {1..20001})
    [ "$(grep -v '^Job' many.out)" = "Error: no driver
Error: unknown command 'fly' (try help)" ]
}

@test "gives up: then a wait for submitted jobs does not wait for ever" {
    cd "$BATS_FILE_TMPDIR"
    wait_until test -e submitted.status
    [ "$(cat submitted.status)" = 1 ]
    [ "$(cat submitted.out)" = $'Job 1 Waiting\n0 drivers' ]
    [[ $(cat submitted.err) == *'gave up'*'job 1 Done unrun no driver: true'* ]]
}
