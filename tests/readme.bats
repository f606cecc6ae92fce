#!/usr/bin/env bats
# Checks that the documents are true: README.md, the README files of folders, and the manual pages.
# Their sessions are run, see lib/sessions.bash; other things that they name or quote are looked up.
# A test that runs sessions is named after the document and the heading above them.

load lib/helpers
load lib/sessions

SERVER_PAGE=scripts/install/man/taxi-server.1

# The documents, by the names that their tests use.
declare -gA DOCUMENTS=(
    [README]=README.md
    [lib/README]=lib/README.md
    [recipes/README]=scripts/recipes/README.md
    [bench/README]=scripts/bench/README.md
    [torture/README]=scripts/torture/README.md
    [PITFALLS]=tests/PITFALLS.md
    ['taxi-server(1)']=$SERVER_PAGE
    ['taxi(1)']=scripts/install/man/taxi.1
    ['taxi-driver(1)']=scripts/install/man/taxi-driver.1
    ['taxi-protocol(7)']=scripts/install/man/taxi-protocol.7
)

teardown() {
    end_session
}

document() {
    run_sessions "$ROOT/${DOCUMENTS[${BATS_TEST_DESCRIPTION%%: *}]}"
}

@test "README: Learn from the code" {
    document
}

@test "README: Start your own server from it" {
    document
}

@test "README: Run a batch" {
    document
}

@test "README: Run a service" {
    document
}

@test "README: the picture shows which frames a task and a job take, and in which order" {
    start_as_server
    frames=()
    for request in 'task 1 50' 'run 2 10000 1000 - 0 true'; do
        say "$request"
        frames+=("${request%% *}")
        until [[ $line == @(end|result)\ * ]]; do
            reply
            frames+=("${line%% *}")
        done
        line=
    done
    [ "${frames[*]^^}" = "$(sed -n '/^you /,/^```/p' "$ROOT/README.md" | grep -oE '\b(TASK|RUN|STATE|BEGUN|END|RESULT)\b' |
        xargs)" ]
}

@test "lib/README: A SIGCHLD, from the kernel to the log" {
    document
}

@test "taxi-server(1): JSON" {
    document
}

@test "taxi-server(1): A session at a terminal" {
    document
}

@test "taxi-server(1): In a script" {
    document
}

@test "taxi-server(1): A batch" {
    document
}

@test "taxi-server(1): A service" {
    document
}

@test "taxi-driver(1): EXAMPLES" {
    document
}

@test "taxi(1): EXAMPLES" {
    document
}

# sessions_have_tests NAME: so do those of that document, and it has no session that is not recognized.
sessions_have_tests() {
    local heading line
    read_document "${DOCUMENTS[$1]}"
    for heading in "${headings[@]}"; do
        grep -qxF "@test \"$1: $heading\" {" "$BATS_TEST_FILENAME" ||
            fail "no test runs the sessions of $1 below the heading '$heading'" || return
    done
    for line in "${outside[@]}"; do
        [[ ! $line =~ ^[0-9]+:\ +\$(\ |$) && ! $line =~ ^[0-9]+:\ \ +\>(\ |$) ]] ||
            fail "$1: a session in no \`\`\`console block, line $line" || return
    done
}

@test "documents: each document and each session has a test" {
    cd "$ROOT"
    [ "$(printf '%s\n' "${DOCUMENTS[@]}" | sort)" = \
        "$(printf '%s\n' README.md {lib,scripts}/README.md tests/*.md {scripts,tests}/*/README.md scripts/install/man/* |
            while read -r file; do [ ! -e "$file" ] || echo "$file"; done | sort)" ]
    for name in "${!DOCUMENTS[@]}"; do
        sessions_have_tests "$name"
    done
}

# code_of FILE: prints the code in a Markdown document: its code spans, and its indented and fenced
# lines.
code_of() {
    sed '/^```/,/^```/d; /^    /d' "$1" | tr '\n' ' ' | grep -oE '`[^`]+`' | tr -d '`'
    sed -nE '/^```/,/^```/{s/^[$#>] //p}; s/^    //p' "$1"
}

# anchors_of FILE: prints the anchors that GitHub makes of the headings.
anchors_of() {
    sed -n 's/^##* //p' "$1" | tr '[:upper:] ' '[:lower:]-' | tr -cd 'a-z0-9_\n-'
}

@test "documents: the files, make targets and headings that they name exist" {
    cd "$ROOT"
    for file in "${DOCUMENTS[@]}"; do
        if [[ $file == *.md ]]; then code_of "$file"; else sed -n 's/^\.Pa //p' "$file"; fi |
            grep -oE '(^|[ /])(lib|scripts|tests|\.ci)/[A-Za-z0-9_./-]+' | sed -E 's/^[ /]//; /^lib\/(systemd|taxi-jobs)/d' || true
    done >"$BATS_TEST_TMPDIR/named"
    while read -r path; do
        [ -e "${path%.}" ] || fail "there is no $path"
    done <"$BATS_TEST_TMPDIR/named"
    (($(wc -l <"$BATS_TEST_TMPDIR/named") > 10))
    for file in "${DOCUMENTS[@]}"; do
        [[ $file == *.md ]] || continue
        for target in $(code_of "$file" | grep -oE '\bmake [a-z]+(-[a-z]+)*' | sed 's/make //'); do
            grep -q "^$target:" Makefile || fail "$file: there is no make $target"
        done
        for link in $(tr '\n' ' ' <"$file" | grep -oE '\]\([^)]+\)' | tr -d ']()' | grep -v ^https:); do
            path=$file
            [[ $link == '#'* ]] || path=$(dirname "$file")/${link%%#*}
            [ -e "$path" ] || fail "$file: there is no $path"
            [[ $link != *'#'* ]] || anchors_of "$path" | grep -qxF -- "${link#*#}" ||
                fail "$file: there is no heading for $link"
        done
    done
}

# How the documents say that a function, or a setting, is in a file.
IN_A_FILE='`[A-Za-z0-9_]+(\(\)|=)` in [a-z/_.-]+\.(c|h|service)'

# functions_in TEXT: prints each function, or setting, that the text says is in a file, and the file.
functions_in() {
    tr -s '\n ' ' ' <<<"$1" | grep -oE "$IN_A_FILE" | sed -E 's/`//g; s/(\(\))? in / /'
}

# Sets defined["NAME FILE"] for the functions and settings that the files have. A function's file is named
# without .c or .h.
read_definitions() {
    local file text
    declare -gA defined=()
    while IFS=: read -r file text; do
        text=${text%(}
        defined["${text##*[ *]} ${file%.[ch]}"]=true
    done < <(grep -roE --include='*.[ch]' '^([a-z ]*[ *])?[A-Za-z0-9_]+\(' lib tests scripts -- *.[ch] &&
        grep -roE --include='*.service' '^[A-Za-z0-9]+=' scripts)
}

# is_in NAME FILE: the function is in the file or in its header; or the setting, which ends with =, is.
is_in() {
    [[ -n ${defined["$1 ${2%.[ch]}"]-} ]] || fail "$1 is not in $2"
}

# names_are_true TEXT: the functions and settings that the text says are in a file are there. Sets count to their
# number.
names_are_true() {
    local function file
    count=0
    while read -r function file; do
        count=$((count + 1))
        is_in "$function" "$file" || return
    done < <(functions_in "$1")
}

@test "lib/README: each function, variable and type that it names is in the file that it names" {
    cd "$ROOT"
    read_definitions
    names_are_true "$(<lib/README.md)"
    ((count > 40))
    while read -r name file; do
        grep -qw "$name" "$file" || fail "$name is not in $file"
    done < <(tr -s '\n ' ' ' <lib/README.md | grep -oE '`[a-z_]+` in [a-z/_]+\.[ch]' | sed 's/`//g; s/ in / /')
}

@test "PITFALLS: each row names functions and tests, and all of them exist" {
    cd "$ROOT"
    read_definitions
    names_are_true "$(<tests/PITFALLS.md)"
    rows=0
    while IFS='|' read -r before trap seen defence tests after; do
        rows=$((rows + 1))
        [[ -n $trap && -n ${seen// } && -z $before$after ]] || fail "not four columns: $trap"
        [[ $defence =~ $IN_A_FILE ]] || fail "no function in a file:$trap"
        [[ $tests =~ ^' `'(tests/[a-z-]+\.bats)'`: "'(.*)'" '$ ]] || fail "no test in a file:$trap"
        grep -qxF "@test \"${BASH_REMATCH[2]}\" {" "${BASH_REMATCH[1]}" ||
            fail "there is no test '${BASH_REMATCH[2]}' in ${BASH_REMATCH[1]}"
    done < <(grep '^|' tests/PITFALLS.md | grep -vE '^\| (trap, |---)')
    ((rows >= 60))
}

@test "taxi-server(1): shows the keys of stats as the server does" {
    stats=$(sed -n '/^Stats /,/^\./{/^\./!p}' "$ROOT/$SERVER_PAGE" | paste -sd ' ')
    ask stats
    [ "${output//[0-9]/}" = "${stats//[0-9]/}" ]
}

@test "taxi-server(1): shows the members of a job in JSON as the server does" {
    job=$(sed -n '/^{"job":17,/,/^\./{/^\./!p}' "$ROOT/$SERVER_PAGE" | tr -d '\n')
    ask create_driver 'session json' 'run any 60 true'
    output=${output#*$'\n'}
    [ "${output//[0-9]/}" = "${job//[0-9]/}" ]
}

# Adds the next reply to the array said.
note_reply() {
    reply || return
    said+=("$line")
}

provoke() {
    say "$@"
    note_reply
}

# provoke_alone LINE: the same, from another server that has no driver.
provoke_alone() {
    said+=("$(session 2>err <<<"$1")")
}

# provoke_by DRIVER: adds what another server answers when it has to create a driver from that
# program.
provoke_by() {
    said+=("$(session --driver "$1" 2>err <<<create_driver)")
}

another_server() {
    end_started
    rm -f in out
    "$@"
}

# tested ERROR: adds this Error, which is slow to provoke, if a test in another file expects it.
tested() {
    said+=("$1")
    grep -qF --exclude=readme.bats "${1/4711/+([0-9])}'" "$ROOT"/tests/*.bats || fail "no test expects '$1'"
}

@test "taxi-server(1): quotes each Error word for word" {
    said=()
    another_server start_server
    create
    provoke fly
    provoke 'send_task 1'
    provoke 'get_status 12x'
    provoke "send_task $pid -5"
    provoke 'create_driver 0'
    provoke 'get_status 999999999'
    provoke_alone 'send_task any 1'
    provoke 'session colour'
    say "send_task $pid 3" "send_task $pid 1"
    expect "Driver $pid Busy 3"
    note_reply
    say "cancel_task $pid"
    expect "Driver $pid Available"
    provoke "cancel_task $pid"
    env printf 'run any 5 echo \0\n' >&"$to"
    note_reply

    another_server start_server
    create
    provoke 'wait_job x'
    provoke 'wait_job 99'
    for ((job = 1; job <= 17; job++)); do
        say "run $pid 50 true"
        expect "Job $job Done exit 0"
    done
    provoke 'cancel_job 17'
    tested 'Error: queue is full (limit 100000)'

    another_server start_server --halt soon
    create
    say 'run any 50 false' 'run any 50 true' get_drivers
    expect 'Job 1 Done exit 1' 'Job 2 Done unrun halted by job 1'
    note_reply

    long=$(printf '%04096d' 0)
    another_server start_server --each 5 true {}{}{}
    printf 'a\0b\n' >&"$to"
    note_reply
    provoke "$long"
    provoke "0$long"

    another_server start_server -t 0.1
    create
    kill -STOP "$pid"
    provoke "get_status $pid"

    another_server start_server
    create
    kill -STOP "$pid"
    say "get_status $pid"
    wait_until took 2
    kill -KILL "$pid"
    note_reply

    another_server start_faulty malloc:ENOMEM:5
    create
    provoke "run $pid 5 true"
    said[-1]=${said[-1]/Out of memory/Cannot allocate memory} # musl's text, then glibc's

    another_server start_after 'ulimit -n 24'
    say 'create_driver 100'
    while reply && [[ $line == Driver* ]]; do
        :
    done
    said+=("${line/No file descriptors available/Too many open files}") # musl's text, then glibc's

    fake_driver seven 'exit 7'
    provoke_by ./seven
    tested 'Error: cannot create driver: 4711 did not come up in 5 s'
    fake_driver babbler 'printf garbage-and-more-of-it >&3' linger
    provoke_by ./babbler
    tested 'Error: cannot list drivers: Cannot allocate memory'

    another_server start_server -g 0.2
    provoke "$(printf '%05000d' 0)"
    create
    kill -STOP "$pid"
    say "get_status $pid" shutdown
    note_reply

    read_document "$ROOT/$SERVER_PAGE"
    diff -U 100 --label "$SERVER_PAGE" --label 'the server' \
        <(printf '%s\n' "${outside[@]}" | sed '/three digits$/ { N; s/\n[0-9]*: / / }' | # a line that is too long
            sed -n 's/^[0-9]*: \(Error: \)/\1/p' | sort) \
        <(printf '%s\n' "${said[@]}" | sed -E 's/(driver:? )[0-9]+/\14711/; s|0{64}|photos/2026|' | sort) >&2
}
