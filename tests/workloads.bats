#!/usr/bin/env bats
# Eight workloads for which people take xargs, GNU parallel, make -j or task-spooler. Each is run here
# and, in a test of its own, by each of these tools that is installed; both must have the same effects.
# Where another tool is known to do less, its test shows in a comment what it did.

load lib/helpers
load lib/peers

# How our batches begin: four jobs at a time.
ours=("$SERVER" "${PATIENT[@]}" --drivers 4)

setup() {
    enter_test
    setup_peers
}

teardown() {
    end_started
    end_peers
}

# show WHAT: shows what this test has seen of another tool.
show() {
    echo "# $BATS_TEST_DESCRIPTION: $*" >&3
}

# finish COMMAND...: runs the command to its end, with the file names as its input. Its output goes to
# the files out and err. Sets status.
finish() {
    status=0
    timeout --foreground -k 1 120 "$@" <names >out 2>err 3>&- || status=$?
    ((status < 124)) || fail "status $status: $(cat err)"
}

# launch COMMAND...: starts the command in the same way. Sets tool to its pid.
launch() {
    "$@" <names >out 2>err 3>&- &
    tool=$!
    started+=("$tool")
}

# ---- 1. compress many files with ugly names

ugly_files() {
    local name
    mkdir files
    for name in {1..20} 'a b' "it's" '$(touch bad)' '`touch bad`' -n '*' 'back\slash' '"quoted"' '; exit' \
        $'new\nline' $'tab\t' $'\377' ' ' '{}' '#x' '~' 'ü'; do
        echo "content of $name" >"files/$name"
    done
    cp -r files originals
    find files -type f -print0 >names
}

each_is_compressed_once() {
    [ "$status" = 0 ]
    [ "$(find files -name '*.gz' -printf x | wc -c)" = "$(find originals -type f -printf x | wc -c)" ]
    gunzip -r files
    diff -r originals files
    [ ! -e bad ]
}

@test "compress files with ugly names" {
    ugly_files
    finish "${ours[@]}" -0 --each 100 gzip
    each_is_compressed_once
}

@test "compress files with ugly names: xargs" {
    need_peer xargs
    ugly_files
    finish xargs -0 -P 4 -n 1 gzip
    each_is_compressed_once
}

@test "compress files with ugly names: parallel" {
    need_peer parallel
    ugly_files
    finish parallel -0 -j 4 gzip
    each_is_compressed_once
}

# ---- 2. a limit for each job; some hang, some ignore TERM, some leave daemons

limited_jobs() {
    script job 'case $1 in
        quick*) touch "did.$1" ;;
        hang) exec sleep 1000 ;;
        deaf) trap "" TERM; while :; do sleep 0.1; done ;;
        daemon) setsid sleep 1000 & echo $! >>pids ;;
        deaf-daemon) trap "" TERM; setsid sleep 1000 & echo $! >>pids ;;
        esac'
}

# with_limit PREFIX LIMITED COMMAND...: lets the command read a batch from the file names. PREFIX
# precedes each job, but those that hang have LIMITED, in which LIMIT is a number. Repeats that with a
# higher limit until all jobs were up within it.
with_limit() {
    local limit
    limited_jobs
    for limit in 1 4 16 50; do
        end_peers
        : >pids
        printf "$1./job %s\n" quick.{1..5} daemon deaf-daemon >names
        printf "${2/LIMIT/$limit}./job %s\n" hang deaf >>names
        finish "${@:3}"
        (($(wc -l <pids) < 11)) || break
    done
    [ "$(wc -l <pids)" = 11 ]
    [ "$(echo did.*)" = "$(echo did.quick.{1..5})" ]
}

@test "limits for jobs that hang, ignore TERM or leave daemons" {
    with_limit 'run any 100 ' 'run any LIMIT ' "${ours[@]}" --grace 0.2
    [ "$status" = 4 ]
    [ "$(<out)" = "$(printf 'Job %s Done exit 0\n' {1..7}; printf 'Job %s Done timeout\n' 8 9)" ]
    [ "$(grep -c 'left 1 process' err)" = 2 ]
    [ "$(noted_alive)" = 0 ]
}

@test "limits for jobs that hang, ignore TERM or leave daemons: xargs" {
    need_peer xargs
    with_limit '' 'timeout -k 0.2 LIMIT ' xargs -d '\n' -P 4 -I '{}' sh -c '{}'
    [ "$status" = 123 ]
    show "$(noted_alive) processes are left"
}

@test "limits for jobs that hang, ignore TERM or leave daemons: parallel" {
    need_peer parallel
    with_limit '' 'timeout -k 0.2 LIMIT ' parallel -j 4
    [ "$status" = 2 ]
    show "$(noted_alive) processes are left"
}

# ---- 3. some jobs of a batch fail

failing_jobs() {
    script job 'touch "did.$1"; exit $(($1 % 7 == 0 ? 3 : 0))'
    seq 20 >names
}

# All jobs ran, and the status tells that some have failed.
all_ran() {
    [ "$status" != 0 ]
    [ "$(find . -name 'did.*' | wc -l)" = 20 ]
}

# two_failed JOBS: what the tool tells of failed jobs, one a line, is true.
two_failed() {
    [ "$(sort -V <<<"$1")" = $'./job 7\n./job 14' ]
}

@test "some jobs fail: the others run, and it is known which failed" {
    failing_jobs
    finish "${ours[@]}" --log log --each 100 ./job
    all_ran
    two_failed "$(awk -F '\t' '$3 == "Done" && $6 == "exit 3" { print $7 }' log)"
    [ "$status" = 4 ]
}

@test "some jobs fail: the others run: xargs" {
    need_peer xargs
    failing_jobs
    finish xargs -P 4 -n 1 ./job
    all_ran
    show "the status is $status, and $(wc -l <err) lines tell what failed"
}

@test "some jobs fail: the others run, and it is known which failed: parallel" {
    need_peer parallel
    failing_jobs
    finish parallel -j 4 --joblog log ./job
    all_ran
    two_failed "$(awk -F '\t' '$7 == 3 { print $9 }' log)"
}

@test "some jobs fail: the others run, and it is known which failed: make" {
    need_peer make
    failing_jobs
    makefile './job $@' {1..20}
    finish make -j 4 -k
    all_ran
    two_failed "$(sed -n 's|.* \([0-9]*\)\] Error 3$|./job \1|p' err)"
}

# ---- 4. a batch ends with the first job that fails

# Job 1 goes on until the test opens the gate, and job 2 fails when job 1 is up.
doomed_jobs() {
    mkfifo gate
    script job 'touch "began.$1"; case $1 in
        1) read x <gate && touch ended.1 ;;
        2) until [ -e began.1 ]; do sleep 0.01; done; exit 3 ;;
        esac'
    seq 50 >names
}

# The tool has ended, and no job began after the failure.
has_halted() {
    wait_until ended "$tool"
    run wait "$tool"
    [ "$status" != 0 ]
    [ "$(echo began.*)" = 'began.1 began.2' ]
}

# halts_now COMMAND...: the command also ends the job that runs.
halts_now() {
    doomed_jobs
    launch "$@"
    has_halted
    [ "$(noted_alive)" = 0 ]
    [ ! -e ended.1 ]
}

# halts_soon PATTERN COMMAND...: the command lets that job go on to its end. PATTERN is in what it says
# when it has seen the failure.
halts_soon() {
    doomed_jobs
    launch "${@:2}"
    wait_until logged "$1"
    open_gate
    has_halted
    [ -e ended.1 ]
}

@test "halt at the first failure, now" {
    halts_now "$SERVER" "${PATIENT[@]}" --drivers 2 --halt now --each 100 ./job
}

@test "halt at the first failure, now: parallel" {
    need_peer parallel
    halts_now parallel -j 2 --halt now,fail=1 ./job
}

@test "halt at the first failure, soon" {
    halts_soon 'halted by job 2' "$SERVER" "${PATIENT[@]}" --drivers 2 --halt soon --each 100 ./job
}

@test "halt at the first failure, soon: parallel" {
    need_peer parallel
    halts_soon 'This job failed' parallel -j 2 --halt soon,fail=1 ./job
}

@test "halt at the first failure, soon: make" {
    need_peer make
    makefile './job $@' {1..50}
    halts_soon 'Error 3' make -j 2
}

# ---- 5. the tool is killed in the middle, and the batch is resumed

# killed_in_the_middle COMMAND...: kills the command while its third job runs.
killed_in_the_middle() {
    seq 6 >names
    script job 'echo "$1" >>ran; [ "$1" != 3 ] || [ -e resumed ] || { touch up; exec sleep 1000; }'
    launch "$@"
    wait_until test -e up
    kill -KILL "$tool"
    wait_until ended "$tool"
    [ "$(xargs <ran)" = '1 2 3' ]
}

# resumed COMMAND...: the same command does the rest, and nothing that was done.
resumed() {
    touch resumed
    finish "$@"
    [ "$status" = 0 ]
    [ "$(xargs <ran)" = '1 2 3 3 4 5 6' ]
}

@test "resume a batch that was killed" {
    command=("$SERVER" "${PATIENT[@]}" --drivers 1 --log log --resume=failed --each 100 ./job)
    killed_in_the_middle "${command[@]}"
    wait_until ended "$(tail -n 1 pids)"
    resumed "${command[@]}"
}

@test "resume a batch that was killed: parallel" {
    need_peer parallel
    command=(parallel -j 1 --joblog log --resume ./job)
    killed_in_the_middle "${command[@]}"
    resumed "${command[@]}"
    show "after the kill $(noted_alive) of its jobs goes on"
}

@test "resume a batch that was killed: make" {
    need_peer make
    makefile './job $@ && touch $@' {1..6}
    killed_in_the_middle make
    resumed make
    show "after the kill $(noted_alive) of its jobs goes on"
}

# ---- 6. a queue of the day, used from several shells

# What a user types: TOOL_submit NAME, TOOL_find NAME STATE, which prints the job's number, TOOL_cancel
# NUMBER and TOOL_wait NUMBER.
taxi_submit() { control submit 100 ./job "$1" >/dev/null; }
taxi_find() { control get_jobs | sed -n "s|^Job \([0-9]*\) $2 .*\./job $1\$|\1|p"; }
taxi_cancel() { control cancel_job "$1" >/dev/null; }
taxi_wait() { control wait_job "$1" >/dev/null; }

tsp_submit() { tsp ./job "$1" >/dev/null 3>&-; }
tsp_find() { tsp | awk -v name="$1" -v state="$2" '$2 == state && $NF == name { print $1 }'; }
tsp_cancel() { tsp -r "$1"; }
tsp_wait() { tsp -w "$1"; }

# is_found TOOL NAME STATE: the queue shows the job in that state. Sets number[NAME].
is_found() {
    number[$2]=$("$1_find" "$2" "$3") && [[ -n ${number[$2]} ]]
}

# queue_of_the_day TOOL WAITING RUNNING: uses a queue, in which a job is shown by these words.
queue_of_the_day() {
    local name shells=()
    declare -A number
    mkfifo gate
    script job 'case $1 in first) read x <gate ;; bad) exit 3 ;; esac; echo "$1" >>ran'
    "$1_submit" first
    wait_until is_found "$1" first "$3"
    for name in a b c bad; do
        "$1_submit" "$name" &
        shells+=("$!")
    done
    wait "${shells[@]}"
    for name in a b c bad; do
        is_found "$1" "$name" "$2"
    done
    "$1_cancel" "${number[c]}"
    open_gate
    for name in a b first; do
        "$1_wait" "${number[$name]}"
    done
    run -3 "$1_wait" "${number[bad]}"
    [ "$(sort ran | xargs)" = 'a b first' ]
}

@test "a queue of the day" {
    start_listening --drivers 1
    queue_of_the_day taxi Waiting Running
}

@test "a queue of the day: tsp" {
    need_peer tsp
    queue_of_the_day tsp queued running
}

# ---- 7. the output of each job is kept apart, and in order

# Four jobs write at the same time: none goes on after its 25th line before all are there. The first ends
# last.
writing_jobs() {
    script job 'for i in {1..50}; do
            printf "job %s " "$1"; echo "line $i"
            ((i != 25)) || { echo >>half; until (($(wc -l <half) == 4)); do sleep 0.01; done; }
        done
        [[ $1 == 1 ]] || { echo >>ended; exit; }
        until [[ -e ended && $(wc -l <ended) == 3 ]]; do sleep 0.01; done'
    seq 4 >names
    for name in {1..4}; do
        printf "job $name line %s\n" {1..50}
    done >wanted
}

@test "output apart and in order" {
    writing_jobs
    finish "${ours[@]}" --output logs --each 100 ./job
    cat logs/{1..4}.out | cmp wanted
    [ "$(<out)" = "$(printf 'Job %s Done exit 0\n' {1..4})" ]
}

@test "output apart and in order: parallel -k" {
    need_peer parallel
    writing_jobs
    finish parallel -j 4 -k ./job
    cmp wanted out
}

@test "output apart and in order: parallel --results" {
    need_peer parallel
    writing_jobs
    finish parallel -j 4 --results logs ./job
    cat logs/1/{1..4}/stdout | cmp wanted
}

@test "output apart: make --output-sync" {
    need_peer make
    writing_jobs
    makefile './job $@' {1..4}
    finish make -j 4 --output-sync
    [ "$(cut -d ' ' -f 2 out | uniq | wc -l)" = 4 ]
    sort -s -k 2,2 out | cmp wanted
    show "the order is $(cut -d ' ' -f 2 out | uniq | xargs)"
}

# ---- 8. one job at a time for each slot of a resource

# Each job takes one of three things, by the number of its slot. The first three wait until all three
# are taken.
slot_jobs() {
    script job 'slot=${2-${SLOT-$TAXI_SLOT}}
        mkdir "slot.$slot" || { touch clash; exit 1; }
        echo "$slot" >>slots
        (($1 > 3)) || until (($(wc -l <slots) >= 3)); do sleep 0.01; done
        rmdir "slot.$slot"'
    seq 15 >names
}

# slots_are LOWEST: there were three, none was used by two jobs at a time, and each was used.
slots_are() {
    [ "$status" = 0 ]
    [ ! -e clash ]
    [ "$(wc -l <slots)" = 15 ]
    [ "$(sort -u slots | xargs)" = "$(seq "$1" $(($1 + 2)) | xargs)" ]
}

@test "one job for each slot" {
    slot_jobs
    finish "$SERVER" "${PATIENT[@]}" --drivers 3 --each 100 ./job
    slots_are 1
}

@test "one job for each slot: xargs" {
    need_peer xargs
    slot_jobs
    finish xargs -n 1 -P 3 --process-slot-var=SLOT ./job
    slots_are 0
}

@test "one job for each slot: parallel" {
    need_peer parallel
    slot_jobs
    finish parallel -j 3 ./job '{}' '{%}'
    slots_are 1
}
