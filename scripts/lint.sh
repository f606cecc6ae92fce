#!/bin/bash
# Checks the format of the C files, and looks for mistakes in them, in the shell and Perl files, the
# manual pages and the systemd units.
#
#   scripts/lint.sh
set -eu
cd "$(dirname "$0")/.."

files() { find "${@:2}" -name "$1" | sort; }
mapfile -t c_files < <(files '*.[ch]' server.c driver.c proto.h lib tests scripts)
mapfile -t shell_files < <(files '*.sh' scripts tests; files '*.bash' tests; files '*.bats' tests scripts)
mapfile -t perl_files < <(files '*.p[lm]' scripts tests)

clang-format --dry-run -Werror "${c_files[@]}"
cppcheck --quiet --std=c11 -D_GNU_SOURCE --enable=warning,performance,portability \
    --inline-suppr --error-exitcode=1 "${c_files[@]}"
# Excluded, because they are intended here: variables set in a subshell, which every test of bats is
# (2030, 2031); variables and arguments that another file sets or uses, one that sources this one or
# is sourced by it (2034, 2119, 2120, 2153, 2154); scripts in single quotes (2016).
shellcheck --exclude=SC2016,SC2030,SC2031,SC2034,SC2119,SC2120,SC2153,SC2154 "${shell_files[@]}" \
    .ci/run scripts/install/completion/taxi-server

# silent COMMAND...: fails if the command fails or prints anything, since a tool that only warns may
# succeed.
silent() {
    local said
    said=$("$@" 2>&1) && [ -z "$said" ] && return
    printf '%s\n' "$said"
    return 1
}

perl_is_fine() {
    local directory=${1%/*}
    ! perl -w -I"$directory" -I"$directory/.." -c "$1" 2>&1 | grep -vF 'syntax OK'
}
for file in "${perl_files[@]}"; do
    silent perl_is_fine "$file"
done

# The manual pages that this machine has, and its index of them, do not matter here.
manuals() {
    ! mandoc -T lint -W all scripts/install/man/*.[17] 2>&1 |
        grep -vE 'referenced manual not found|outdated mandoc.db'
}
silent manuals

# unit_is_fine NAME EXPOSURE LINES: systemd understands the unit, rates its exposure no higher than
# that, in tenths, and finds fault with no more directives than that. The units reach both numbers, so
# one that forbids less fails. The server need not be installed: the unit is checked with a program
# that always exists.
unit_is_fine() {
    local unit=build/lint/$1 rate
    rate=(systemd-analyze security --no-pager --offline=true "--threshold=$2" "$unit")
    sed 's|/usr/local/bin/taxi-server|/bin/true|' "scripts/install/$1" >"$unit"
    silent systemd-analyze verify --man=no --recursive-errors=no "$unit"
    "${rate[@]}" --json=short >"$unit.rated" &&
        [ "$(grep -o '"set":false' "$unit.rated" | wc -l)" -le "$3" ] && return
    "${rate[@]}"
    return 1
}

# user_units_are_fine NAME...: systemd understands these units of a user.
user_units_are_fine() {
    local name units=()
    for name in "$@"; do
        units+=("build/lint/user/$name")
        sed 's|/usr/local/bin/taxi-server|/bin/true|' "scripts/install/user/$name" >"${units[-1]}"
    done
    silent env "XDG_RUNTIME_DIR=$PWD/build/lint" \
        systemd-analyze verify --user --man=no --recursive-errors=no "${units[@]}"
}
mkdir -p build/lint/user
user_units_are_fine taxi.service taxi.socket
unit_is_fine taxi.service 4 4
unit_is_fine taxi-jobs.service 31 25

# manifest_is_fine FILE: this Job fits the schema of Kubernetes. It needs two packages of npm.
manifest_is_fine() {
    node -e '
        const { Job } = require("kubernetes-models/batch/v1");
        const { parse } = require("yaml");
        new Job(parse(require("fs").readFileSync(process.argv[1], "utf8"))).validate()' "$1"
}
NODE_PATH=$(npm root -g 2>/dev/null) || true
export NODE_PATH
if node -e 'require("kubernetes-models/batch/v1"); require("yaml")' 2>/dev/null; then
    silent manifest_is_fine scripts/recipes/kubernetes.yaml
else
    echo "lint: kubernetes.yaml is not checked: npm's kubernetes-models@4 and yaml are not installed"
fi
echo 'lint: nothing found'
