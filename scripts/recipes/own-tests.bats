#!/usr/bin/env bats
# Tests that run a program of your own many times at once: each run must succeed, leave nothing, and say the same.
#
#   PROGRAM=./my-program bats own-tests.bats      SERVER=./server names another program than taxi-server

# fifty_runs: runs the program 50 times, eight at a time, each in a directory of its own in work, and each for at most
# a minute. Sets output to the replies, in JSON. What the runs write goes to files in said.
fifty_runs() {
    program=$(realpath "$(command -v "${PROGRAM:-./my-program}")")
    server=$(realpath "$(command -v "${SERVER:-taxi-server}")")
    cd "$BATS_TEST_TMPDIR" || return
    run "$server" --json --drivers 8 --output said \
        --each 60 sh -c 'mkdir -p "work/$2" && cd "work/$2" && exec "$1"' sh "$program" {} < <(seq 50)
    echo "$output" # which bats shows if the test fails
    [ "$status" = 0 ]
}

@test "fifty runs at the same time succeed and leave no process" {
    fifty_runs
    [ "$(grep -c '"exit":0,.*"left":0,' <<<"$output")" = 50 ]
}

@test "fifty runs leave no file" {
    fifty_runs
    [ -z "$(find work -type f)" ]
}

@test "fifty runs say the same" {
    fifty_runs
    for i in {2..50}; do
        cmp said/1.out "said/$i.out"
    done
}
