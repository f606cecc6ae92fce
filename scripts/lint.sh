#!/bin/bash
# Checks the format of the C files, and looks for mistakes in them, in the shell and Perl files, in the
# manual pages and in the systemd unit.
#
#   scripts/lint.sh
set -eu
cd "$(dirname "$0")/.."

files() { find "${@:2}" -name "$1" | sort; }
mapfile -t c_files < <(files '*.[ch]' server.c driver.c proto.h lib tests scripts)
mapfile -t shell_files < <(files '*.sh' scripts tests; files '*.bash' tests; files '*.bats' tests)
mapfile -t perl_files < <(files '*.p[lm]' scripts tests)

clang-format --dry-run -Werror "${c_files[@]}"
cppcheck --quiet --std=c11 -D_GNU_SOURCE --enable=warning,performance,portability \
    --inline-suppr --error-exitcode=1 "${c_files[@]}"
# Not asked for: what bats makes of a test, a subshell (2030, 2031), and that a file uses what one that
# it sources, or that sources it, sets (2034, 2119, 2120, 2153, 2154); scripts that are text (2016).
shellcheck --exclude=SC2016,SC2030,SC2031,SC2034,SC2119,SC2120,SC2153,SC2154 "${shell_files[@]}" \
    .ci/run scripts/install/completion/taxi-server

# silent COMMAND...: it succeeds and says nothing; a warning has no status of its own.
silent() {
    local said
    said=$("$@" 2>&1) && [ -z "$said" ] && return
    printf '%s\n' "$said"
    return 1
}

# Perl says of a file without mistakes that its syntax is OK.
perl_is_fine() {
    local directory=${1%/*}
    ! perl -w -I"$directory" -I"$directory/.." -c "$1" 2>&1 | grep -vF 'syntax OK'
}
for file in "${perl_files[@]}"; do
    silent perl_is_fine "$file"
done

# Which other manuals this machine has, and in which index, is not our affair.
manuals() {
    ! mandoc -T lint -W all scripts/install/man/*.1 2>&1 |
        grep -vE 'referenced manual not found|outdated mandoc.db'
}
silent manuals

# The unit is checked with a program that exists.
mkdir -p build/lint
sed 's|/usr/local/bin/taxi-server|/bin/true|' scripts/install/taxi.service >build/lint/taxi.service
silent systemd-analyze verify --man=no --recursive-errors=no build/lint/taxi.service
echo 'lint: nothing found'
