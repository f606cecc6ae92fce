#!/usr/bin/env bats
# What somebody sees who tries make, make run, make test and make static for the first time. The
# greeting is in terminal.bats; suggestions are in commands.bats and options.bats.

load lib/helpers

# make_only TARGET...: runs make, without the options of the make that runs the tests, and without
# building the programs, which other tests use just now.
make_only() {
    env -u MAKEFLAGS -u MFLAGS -u MAKELEVEL make --no-print-directory -C "$ROOT" -o server -o driver "$@"
}

@test "make: ends with one line that says what comes next, unless it is silent or has a target" {
    run -0 --separate-stderr make_only
    [ "$output" = 'Next: make run starts the server, make help lists the other targets.' ]
    [ -z "$stderr" ]
    for options in -s --silent '-s -j2' all 'all -j2'; do
        # shellcheck disable=SC2086
        run -0 make_only $options
        [ -z "$output" ] || fail "$options: $output"
    done
}

@test "make run: ARGS are the options of the server" {
    run -0 make_only run ARGS='--drivers 2 --json' <<<$'get_drivers\nfly'
    [[ ${lines[2]} == '{"count":2}' && ${lines[3]} == *unknown_command* ]]
}

# tree: makes a directory with a copy of scripts/test.sh and the tests that standard input has,
# with test in place of @test.
tree() {
    rm -rf tree
    mkdir -p tree/scripts tree/build tree/tests
    cp "$ROOT/scripts/test.sh" tree/scripts
    ln -s "$ROOT/tests/lib" tree/tests/lib
    ln -s "$HELPERS" tree/build/tests
    sed "s/^test /@test /" >tree/tests/some.bats
}

# test_tree: runs these tests, by a bats that knows nothing of the one that runs this test.
test_tree() {
    env -i PATH="$(tr : '\n' <<<"$PATH" | grep -v libexec | paste -sd :)" HOME="$HOME" TMPDIR="$PWD" tree/scripts/test.sh
}

@test "make test: ends with the skipped tests and why, the failed tests, and the numbers" {
    tree <<'END'
test "a: works" {
    true
}
test "b: needs # a (rare) machine" {
    skip 'no such machine (here)'
}
test "c: fails" {
    false
}
test "d: works, too" {
    true
}
test "e: needs a tool" {
    skip 'no tool'
}
END
    run -1 --separate-stderr test_tree
    [ "$(tail -n 4 <<<"$output")" = 'skipped: b: needs # a (rare) machine: no such machine (here)
skipped: e: needs a tool: no tool
failed: c: fails
2 passed, 1 failed, 2 skipped' ] || fail "$output"
    tree <<<$'test "a: works" {\n true\n}'
    run -0 test_tree
    [ "$output" = $'1..1\nok 1 a: works\n1 passed, 0 failed, 0 skipped' ]
}
