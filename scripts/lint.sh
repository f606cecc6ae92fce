#!/bin/bash
# Checks the format of the C files and looks for mistakes in them and in the shell files.
set -eu
cd "$(dirname "$0")/.."

clang-format --dry-run -Werror server.c driver.c proto.h tests/*/*.c scripts/bench/*.[ch]
cppcheck --quiet --std=c11 -D_GNU_SOURCE --enable=warning,performance,portability \
    --inline-suppr --error-exitcode=1 server.c driver.c
# Not asked for: what bats makes of a test, a subshell (2030, 2031), and that a test uses what a
# helper sets and the other way round (2034, 2119, 2120, 2154); scripts that are text (2016).
shellcheck --exclude=SC2016,SC2030,SC2031,SC2034,SC2119,SC2120,SC2154 scripts/*.sh scripts/bench/*.sh .ci/run tests/*.bats tests/helpers.bash
echo 'lint: nothing found'
