#!/bin/bash
# Says which lines of server.c and driver.c the tests never reach: runs them all, and the fault
# sweep's subset, on a build that counts (gcov). Programs that are killed write no counts, so a line
# that runs only before a kill may be listed, too.
set -eu
cd "$(dirname "$0")/.."

rm -rf build/coverage
mkdir -p build/coverage
for program in server driver; do
    ${CC:-gcc} -std=c11 -D_GNU_SOURCE -O0 -g --coverage -fprofile-update=atomic \
        -o build/coverage/$program $program.c -dumpdir build/coverage/
done
TEST_BUILD=build/coverage scripts/test.sh >build/coverage/tests.tap || true
tail -n 1 build/coverage/tests.tap

cd build/coverage
for program in server driver; do
    gcov --object-file $program-$program.gcda ../../$program.c >$program.summary 2>/dev/null ||
        gcov --object-file $program.gcda ../../$program.c >$program.summary
    sed -n "/File '.*$program.c'/,/^Lines/s/^Lines/$program.c: lines/p" $program.summary
    grep -n '#####:' $program.c.gcov | sed -E 's/^[0-9]+: *#####: *([0-9]+):/  \1:/'
done
