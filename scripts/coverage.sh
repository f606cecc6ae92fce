#!/bin/bash
# Says which lines of server.c and driver.c the tests never reach: runs them all on a build that
# counts (gcov). Programs that are killed write no counts, so a line that runs only before a kill may
# be listed, too; most of the others are what fault-sweep.sh and make fuzz are for.
set -eu
cd "$(dirname "$0")/.."

rm -rf build/coverage
mkdir -p build/coverage
for program in server driver; do
    ${CC:-gcc} -std=c11 -D_GNU_SOURCE -O0 -g --coverage -fprofile-update=atomic \
        -o build/coverage/$program $program.c -dumpdir build/coverage/
done
chmod -R a+rwX build/coverage # some tests run as another user
TEST_BUILD=build/coverage scripts/test.sh >build/coverage/tests.tap || true
tail -n 1 build/coverage/tests.tap

for program in server driver; do
    notes=$(find build/coverage -name "*$program.gcno")
    gcov --stdout --object-file "$notes" $program.c >build/coverage/$program.gcov
    reached=$(grep -cE '^ *[0-9]+\*?:' build/coverage/$program.gcov)
    unreached=$(grep -c '#####:' build/coverage/$program.gcov)
    echo "$program.c: $reached of $((reached + unreached)) lines were reached; not these:"
    sed -nE 's/^ *#####: *([0-9]+):/  \1:/p' build/coverage/$program.gcov
done
