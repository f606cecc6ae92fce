#!/bin/bash
# Checks the format of the C files and looks for mistakes in them, in the shell files, in the manual
# pages and in the systemd unit.
set -eu
cd "$(dirname "$0")/.."

clang-format --dry-run -Werror server.c driver.c proto.h tests/*/*.c scripts/bench/*.[ch]
cppcheck --quiet --std=c11 -D_GNU_SOURCE --enable=warning,performance,portability \
    --inline-suppr --error-exitcode=1 server.c driver.c
# Not asked for: what bats makes of a test, a subshell (2030, 2031), and that a test uses what a
# helper sets and the other way round (2034, 2119, 2120, 2154); scripts that are text (2016).
shellcheck --exclude=SC2016,SC2030,SC2031,SC2034,SC2119,SC2120,SC2154 scripts/*.sh scripts/bench/*.sh .ci/run tests/*.bats tests/lib/*.bash \
    scripts/completion/taxi-server

# silent COMMAND...: it succeeds and says nothing; a warning has no status of its own.
silent() {
    local said
    said=$("$@" 2>&1) && [ -z "$said" ] && return
    printf '%s\n' "$said"
    return 1
}

# What other manuals and which index of them this machine has is no matter of ours.
manuals() {
    ! mandoc -T lint -W all scripts/man/*.1 2>&1 |
        grep -vE 'referenced manual not found|outdated mandoc.db'
}
silent manuals

# The unit is looked at with a program that is there.
mkdir -p build/lint
sed 's|/usr/local/bin/taxi-server|/bin/true|' scripts/taxi.service >build/lint/taxi.service
silent systemd-analyze verify --man=no --recursive-errors=no build/lint/taxi.service
echo 'lint: nothing found'
