#!/usr/bin/env bats
# Modules by themselves: runs the programs of tests/unit, which make unit builds. A program prints
# something only if it finds a mistake.

load lib/helpers

unit() {
    run "$ROOT/build/unit/${BATS_TEST_DESCRIPTION#unit: }"
    [[ $status = 0 && -z $output ]] || fail "status $status" "$output"
}

@test "unit: answer" {
    unit
}

@test "unit: buffer" {
    unit
}

@test "unit: clients" {
    unit
}

@test "unit: compose" {
    unit
}

@test "unit: create" {
    unit
}

@test "unit: deadline" {
    unit
}

@test "unit: each" {
    unit
}

@test "unit: entry" {
    unit
}

@test "unit: environment" {
    unit
}

@test "unit: family" {
    unit
}

@test "unit: first" {
    unit
}

@test "unit: fleet" {
    unit
}

@test "unit: job" {
    unit
}

@test "unit: job_answer" {
    unit
}

@test "unit: job_lies" {
    unit
}

@test "unit: job_line" {
    unit
}

@test "unit: job_result" {
    unit
}

@test "unit: keeper" {
    unit
}

@test "unit: list" {
    unit
}

@test "unit: loss" {
    unit
}

@test "unit: near" {
    unit
}

@test "unit: phase" {
    unit
}

@test "unit: pool" {
    unit
}

@test "unit: proto" {
    unit
}

@test "unit: reply" {
    unit
}

@test "unit: request" {
    unit
}

@test "unit: shell" {
    unit
}

@test "unit: signals" {
    unit
}

@test "unit: slot" {
    unit
}

@test "unit: source" {
    unit
}

@test "unit: tally" {
    unit
}

@test "unit: text" {
    unit
}

@test "unit: watchdog" {
    unit
}

@test "unit: each program of tests/unit has a test" {
    for program in "$ROOT"/tests/unit/*.c; do
        grep -qxF "@test \"unit: $(basename "$program" .c)\" {" "$BATS_TEST_FILENAME" ||
            fail "no test runs $program"
    done
}
