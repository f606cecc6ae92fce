#!/bin/bash
# Runs all tests, or the tests in the given files. make test builds everything they need first.
#
#   scripts/test.sh [FILE...]
#
# TEST_JOBS files run side by side, by default three for each processor, since tests mostly wait.
# TEST_BUILD names another build to test, such as build/asan. If bats is not installed, fetches it.
# Ends with a line for each test that was skipped, which says why, or has failed, and the numbers.
set -eu
cd "$(dirname "$0")/.."

FILE_TIMEOUT=900 # seconds
TEST_TIMEOUT=300 # seconds

say() { echo "test: $*" >&2; }

fetch_bats() {
    if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
        say 'bats is not installed: fetching it with apt-get'
        apt-get update >&2 && apt-get install -y bats >&2 && return
    fi
    if command -v npm >/dev/null; then
        say 'bats is not installed: fetching it with npm into build/tools'
        mkdir -p build/tools
        npm install --silent --no-save --prefix build/tools bats >&2 && return
    fi
    say 'bats is not installed, and there is no way to fetch it: install the package bats'
    exit 1
}

export PATH=$PWD/build/tools/node_modules/bats/bin:$PATH
command -v bats >/dev/null || fetch_bats
for helper in tests/lib/*.c; do
    helper=build/tests/$(basename "$helper" .c)
    [ -x "$helper" ] || { say "$helper is missing: run make test, which builds it"; exit 1; }
done

[[ ${1-} != -* ]] || { echo 'usage: scripts/test.sh [FILE...]' >&2; exit 2; }
[ $# -gt 0 ] || set -- tests/*.bats
# The limit of the server's memory; a sanitizer needs some of its own.
export MEMORY_MAX_KB=16384
[ -z "${TEST_BUILD-}" ] || MEMORY_MAX_KB=131072
# Without ps, bats cannot limit the time of a test; the limit of its file still holds.
if command -v ps >/dev/null; then
    export BATS_TEST_TIMEOUT=$TEST_TIMEOUT
fi

# run_file FILE NUMBER: writes the results of the file's tests to $results/NUMBER, which appears
# only when it is complete.
results=$(mktemp -d)
trap 'rm -rf "$results"' EXIT
run_file() {
    local status=0
    build/tests/plain timeout --foreground "$FILE_TIMEOUT" bats --formatter tap "$1" \
        >"$results/$2.running" 2>&1 || status=$?
    [ $status -le 1 ] || echo "# $1: bats ended with status $status" >>"$results/$2.running"
    mv "$results/$2.running" "$results/$2"
}

# Prints the results in the order of the files, up to the first file that is still running. Counts
# and numbers the tests.
shown=0 passed=0 failed=0 skipped=0
show() {
    local line
    for ((; shown < ${#files[@]}; shown++)); do
        [ -e "$results/$shown" ] || return 0
        while IFS= read -r line; do
            case $line in
            'ok '*' # skip'*) skipped=$((skipped + 1)) ;;
            'ok '*) passed=$((passed + 1)) ;;
            'not ok '*) failed=$((failed + 1)) ;;
            1..*) continue ;;
            esac
            [[ ! $line =~ ^((not )?ok )[0-9]+(.*) ]] ||
                line="${BASH_REMATCH[1]}$((passed + failed + skipped))${BASH_REMATCH[3]}"
            printf '%s\n' "$line"
        done <"$results/$shown"
    done
}

# Prints the numbers of the files, largest file first, so that no long one runs alone at the end.
by_size() {
    local i
    for i in "${!files[@]}"; do
        echo "$(wc -c <"${files[i]}") $i"
    done | sort -rn | cut -d' ' -f2
}

files=("$@")
jobs=${TEST_JOBS:-$((3 * $(nproc)))}
planned=$(bats --count "$@")
mkdir -p build
{
    echo "1..$planned"
    for i in $(by_size); do
        while (($(jobs -rp | wc -l) >= jobs)); do
            wait -n || true
            show
        done
        run_file "${files[i]}" "$i" &
    done
    while (($(jobs -rp | wc -l) > 0)); do
        wait -n || true
        show
    done
    show
    echo "$passed $failed $skipped" >"$results/counts"
} | tee build/test.tap
read -r passed failed skipped <"$results/counts"

status=0
missing=$((planned - passed - failed - skipped))
[ "$missing" = 0 ] || { say "$missing tests did not finish"; status=1; }
[ "$failed" = 0 ] && [ "$passed" -gt 0 ] || status=1
sed -n 's/^ok [0-9]* \(.*\) # skip /skipped: \1: /p' build/test.tap
sed -n 's/^not ok [0-9]* /failed: /p' build/test.tap
echo "$passed passed, $failed failed, $skipped skipped"
exit $status
