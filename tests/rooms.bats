#!/usr/bin/env bats
# The rooms of the code, see lib/README.md: which file may include which, what a header declares, how
# long files and functions are, and what a module keeps to itself. It looks at the objects of make
# faulty.

load lib/helpers

# objects FILE.c...: prints the names of these files' objects.
objects() {
    printf 'build/faulty/%s.o\n' "${@%.c}"
}

@test "rooms: the table of levels has each file of lib, which includes only lower levels" {
    cd "$ROOT/lib"
    run awk -F'[|]' '
        FILENAME == "README.md" {
            if (/^\| [0-9]+ \|/ && gsub(/[`,]/, "", $3)) {
                count = split($3, names, " ")
                for (i = 1; i <= count; i++)
                    level[names[i]] = $2 + 0
            }
            next
        }
        FNR == 1 {
            name = substr(FILENAME, 3, length(FILENAME) - 4) # without ./ and .c
            if (!(name in level))
                print FILENAME " has no level"
        }
        /^#include "[a-z_]+\.h"/ {
            split($0, words, /"/)
            included = substr(words[2], 1, length(words[2]) - 2)
            includes++
            if (included != name && !(included in level && level[included] < level[name]))
                print FILENAME ", of level " level[name] ", includes " words[2] ", of level " level[included]
        }
        END { exit (includes <= 100) }' README.md ./*.[ch]
    [ "$status" = 0 ]
    [ -z "$output" ] || fail "$output"
}

@test "rooms: each header compiles by itself" {
    for header in "$ROOT"/proto.h "$ROOT"/lib/*.h; do
        echo "#include \"$header\"" >"${header##*/}.c"
    done
    "${CC:-cc}" -std=c11 -D_GNU_SOURCE -Wall -Wextra -Werror -I"$ROOT" -fsyntax-only ./*.c
}

# at_most LINES FILE...: none of the files has more lines than that.
at_most() {
    local long
    long=$(awk -v limit="$1" 'FNR == limit + 1 { print FILENAME " has more than " limit " lines" }' "${@:2}")
    [ -z "$long" ] || fail "$long"
}

@test "rooms: no file and no function is too long" {
    cd "$ROOT"
    at_most 450 server.c
    at_most 600 driver.c proto.h lib/*.c
    at_most 79 lib/*.h
    at_most 600 tests/*/*.c scripts/*/*.c
    at_most 500 tests/*.bats tests/lib/*.bash
    # A function goes from the line of its name to the closing brace in the first column.
    long=$(awk '/^[a-z].*\(/ { name = $0; start = FNR }
                /^\{/ { body = 1 }
                /^\}/ && body && FNR - start >= 70 { print FILENAME ": " name }
                /^\}/ { body = 0 }' server.c driver.c lib/*.[ch] proto.h)
    [ -z "$long" ] || fail 'longer than 70 lines:' "$long"
}

@test "rooms: a module has no symbol that its header does not declare" {
    cd "$ROOT"
    symbols_are_declared
}

symbols_are_declared() {
    local module names object symbol count=0
    declare -A declared
    while read -r module names; do
        declared[$module]=" $names "
    done < <(perl -0ne 's{/\*.*?\*/}{}gs; print "$ARGV @{[/\w+/g]}\n"' lib/*.h | sed 's|^lib/||; s/\.h / /')
    while IFS=': ' read -r object symbol _; do
        module=${object##*/} module=${module%.o}
        [ -n "${declared[$module]-}" ] || module=${module%%_*} # format_json.c implements format.h
        count=$((count + 1))
        [[ ${declared[$module]-} == *" $symbol "* ]] || fail "$object: $symbol is not in $module.h"
    done < <(objects lib/*.c | xargs nm -A --defined-only --extern-only --format=posix | grep -v ': __')
    ((count > 200))
}

# Prints the server's variables that are not constant, one a line. Compilers number the static ones
# of functions or prefix the function's name, and may split a variable into parts.
variables() {
    objects server.c lib/*.c | grep -vE '/(driver_log|job_child|job_line|job_tree|link|report)\.o' |
        xargs nm -A --defined-only --format=sysv |
        awk -F'|' '$NF ~ /^\.(data|bss)/ && $NF !~ /\.ro/ && $4 ~ /OBJECT/ { print $1 }' |
        sed -E 's/^[^:]*://; s/ +$//; s/\.[0-9]+$//; s/.*\.//' | sort -u
}

@test "rooms: each variable of the server is in the list that the fuzzers restore" {
    passing=(block name path scratch stack tail text) # always set before they are read
    cd "$ROOT"
    restored=$(sed -n 's/^    each(\([a-z_]*\)).*/\1/p' tests/fuzz/state.h)
    diff --label 'restored, or passing' --label 'of the server' \
        <(printf '%s\n' "${passing[@]}" "$restored" | sort) <(variables) >&2
}
