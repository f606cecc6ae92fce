#!/bin/bash
# Runs all tests, or those named: scripts/test.sh [FILE...]. Fetches bats if the machine has none.
# TEST_BUILD names another build to test, such as build/asan.
set -eu
cd "$(dirname "$0")/.."

fetch_bats() {
    if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
        apt-get update >&2 && apt-get install -y bats >&2 && return
    fi
    mkdir -p build/tools
    npm install --silent --no-save --prefix build/tools bats >&2
}

export PATH=$PWD/build/tools/node_modules/bats/bin:$PATH
command -v bats >/dev/null || fetch_bats

[ $# -gt 0 ] || set -- tests/*.bats
mkdir -p build
# What the server may take at the most; a sanitizer takes some for itself.
export MEMORY_MAX_KB=16384
[ -z "${TEST_BUILD-}" ] || MEMORY_MAX_KB=65536
export BATS_TEST_TIMEOUT=120 # seconds
status=0
bats --formatter tap "$@" | tee build/test.tap || true
[ "${PIPESTATUS[0]}" = 0 ] || status=1

count() { grep -c "$@" build/test.tap || true; }
passed=$(($(count '^ok ') - $(count '^ok .* # skip')))
failed=$(count '^not ok ')
skipped=$(count '^ok .* # skip')
planned=$(sed -n 's/^1\.\.//p' build/test.tap)
[ "$((passed + failed + skipped))" = "$planned" ] || status=1
[ "$failed" = 0 ] && [ "$passed" -gt 0 ] || status=1
echo "$passed passed, $failed failed, $skipped skipped"
exit $status
