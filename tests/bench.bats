#!/usr/bin/env bats
# The benchmark's own arithmetic, and what it does if a program that it measures fails. The figures
# themselves are no test: see scripts/bench.

load lib/helpers

setup() {
    enter_test
    smoke='' rows_reported=0 dir=$BATS_TEST_TMPDIR
    # shellcheck source=scripts/bench/figures.sh
    source "$ROOT/scripts/bench/figures.sh"
}

# cells LINE: sets row to the cells of a row of the table, without the space around them.
cells() {
    # shellcheck disable=SC2001
    IFS='|' read -ra row <<<"$(sed 's/ *| */|/g; s/^|//' <<<"$1")"
}

@test "bench: a row has the medians, the quartiles of the ratios of its pairs, and a verdict" {
    pairs=('10 1|100 3' '20 2|100 3' '30 3|100 3' '40 4|100 3' '50 5|100 3' '60 6|100 3' '70 7|100 3' '80 8|100 3' '90 9|1000 3')
    cells "$(report what 1 /s other ratio '>=' 0.3)"
    [ "${row[*]}" = 'what 50/s other: 100/s 0.40 (0.20 to 0.60) >= 0.3 straddles' ]
    cells "$(report what 1 /s other ratio '>=' 0.2)"
    [ "${row[5]}" = met ]
    cells "$(report what 1 /s other ratio '>=' 0.61)"
    [ "${row[5]}" = 'NOT met' ]
    cells "$(report what 2 s other ours '<=' 7)"
    [ "${row[*]}" = 'what 5 s other: 3 s 1.67 (1.00 to 2.33) <= 7 s met' ]
    cells "$(report what 2 s other ours '<=' 6.5)"
    [ "${row[5]}" = straddles ]
    cells "$(report what 2 s other later '<=' 1)"
    [ "${row[3]} ${row[4]} ${row[5]}" = '1.67 (1.00 to 2.33), +2.00 s <= +1 s straddles' ]
    cells "$(report what 1:2 /s other)"
    [ "${row[3]}${row[4]}${row[5]}" = '16.7 (10.0 to 23.3)' ]
}

@test "bench: however many pairs there are, as many lie below the quartiles as above" {
    local all=('1|1' '2|1' '3|1' '4|1' '5|1' '6|1' '7|1' '8|1' '9|1' '10|1') i
    local expected=('' '1 1 1' '1 1 2' '1 2 3' '1 2 4' '2 3 4' '2 3 5' '2 4 6' '2 4 7' '3 5 7' '3 5 8')
    for i in {1..10}; do
        pairs=("${all[@]:0:i}")
        [ "$(quartiles 'a[1]')" = "${expected[i]}" ] || fail "$i"
    done
}

@test "bench: a rate has commas, and a ratio to nothing is none" {
    [ "$(show 1234567.8 /s) $(show 999 /s) $(show 1000 /s) $(show 5)" = '1,234,568/s 999/s 1,000/s 5' ]
    pairs=('0|0')
    cells "$(report what 1 '' other ours '<=' 0)"
    [ "${row[*]}" = 'what 0 other: 0  <= 0 met' ]
}

@test "bench: a tool that fails, or is not installed, costs its rows alone" {
    mkdir bin
    printf '#!/bin/sh\nexit 7\n' >bin/xargs
    chmod +x bin/xargs
    cd "$ROOT"
    PATH=$BATS_TEST_TMPDIR/bin:$PATH run -0 scripts/bench/run.sh --smoke batch trip
    [[ $output == *'xargs '*'skipped: xargs failed'* ]]
    [[ $output == *'get_status, one at a time'*'same trip, bare: '* && $output != *'NO FIGURE'* ]]
}

@test "bench: if our own program fails, its row has no figure, and the status is 1" {
    mkdir bin
    printf '#!/bin/sh\nexit 7\n' >bin/timeout
    chmod +x bin/timeout
    cd "$ROOT"
    PATH=$BATS_TEST_TMPDIR/bin:$PATH run -1 scripts/bench/run.sh --smoke trip
    [[ $output == *'trip '*'NO FIGURE'* ]]
}

@test "bench: if the program beside a flood fails, so does the pair" {
    BENCH=$PWD TWO=$(taskset -cp $$ | sed 's/.*: //') PATIENCE=60
    # shellcheck source=scripts/bench/rows.sh
    source "$ROOT/scripts/bench/rows.sh"
    printf '#!/bin/sh\n: >up\nexec sleep 60\n' >bare-oneway
    printf '#!/bin/sh\nuntil [ -e up ]; do sleep 0.01; done\necho 1 2\n' >bare-trip
    chmod +x bare-*
    run -0 bare_fair
    [ "$output" = '1 2' ]
    echo 'exit 7' >>bare-trip
    rm up
    run -7 bare_fair
    [ "$output" = '' ]
}
