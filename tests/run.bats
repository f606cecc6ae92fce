#!/usr/bin/env bats
# Commands that drivers run: how they start, end, and what is left of them, which is nothing.

load helpers

# ---- helpers

# wait_for FILE [LINE]: it has that line, or any.
wait_for() {
    wait_until has "$@"
}

has() {
    grep -qx -e "${2-.*}" "$1" 2>/dev/null
}

# busy_with PID: it runs a command that lasts until the test says something to the FIFO gate.
busy_with() {
    [[ -p gate ]] || mkfifo gate
    say "run $1 100 read x <gate"
    wait_until has_children_of "$1" 1
}

has_children_of() {
    (($(children_of "$1" | wc -w) == $2))
}

open_gate() {
    echo >gate
}

# A command that resists: it ignores TERM, and has a child, one in a session of its own, one that no parent
# waits for, and one that is stopped. Each says its pid in the file pids. Told to exit, the first one then
# does, else it stays.
make_family() {
    cat >family <<'END'
#!/bin/bash
trap '' TERM HUP INT
member='echo $$ >>pids; exec sleep 1000'
bash -c "$member" &
setsid bash -c "$member" &
(setsid bash -c "$member" &)
bash -c 'echo $$ >>pids; kill -STOP $$' &
until [[ -e pids && $(wc -l <pids) == 4 && $(ps -o state= -p $!) == T ]]; do sleep 0.01; done
[[ ${1-} != exit ]] || exit 5
eval "$member"
END
    chmod +x family
}

# family_of PID SECONDS: the driver runs it.
family_of() {
    make_family
    say "run $1 $2 ./family"
    wait_until family_is_up
}

family_is_up() {
    [[ -e pids && $(wc -l <pids) == 5 ]]
}

# None of it lives. Who has killed it need not be the one that has to reap it.
family_has_ended() {
    local member
    [[ -s pids ]] || return
    while read -r member; do
        ended "$member" || return
    done <pids
}

# None of it is left, not even to be reaped.
family_is_gone() {
    local member
    [[ -s pids ]] || return
    while read -r member; do
        gone "$member" || fail "$member of $(tr '\n' ' ' <pids) is left: $(state_of "$member")" || return
    done <pids
}

# stats_have COUNTER=N...: and the counters are as told.
stats_have() {
    local counter
    say stats
    expect 'Stats *'
    for counter; do
        [[ " $line " == *" $counter "* ]] || fail "not $counter: $line" || return
    done
}

# ---- how it ends

@test "run: the exit status is told" {
    start_server
    create
    for status in 0 3 255; do
        say "run $pid 50 exit $status"
        expect "Driver $pid Done exit $status"
    done
    log_is
}

@test "run: the signal that ends it is told" {
    start_server
    create
    for signal in 1 2 9 13 15; do
        say "run $pid 50 kill -$signal \$\$"
        expect "Driver $pid Done signal $signal"
    done
    log_is
}

@test "run: at the limit it is asked to end, and its group, by TERM" {
    start_server -g 5
    create
    say "run $pid 0.1 sleep 1000"
    expect "Driver $pid Done timeout"
    # The first process lives on, so it is the group that has ended its child.
    say "run $pid 0.2 trap 'echo asked >asked' TERM; sleep 1000; exit 3"
    expect "Driver $pid Done timeout"
    has asked asked
}

@test "run: at the limit also one that is stopped ends, without the grace" {
    start_server -g 1000
    create
    say "run $pid 0.1 kill -STOP \$\$"
    expect "Driver $pid Done timeout"
}

@test "run: one that ignores TERM is killed after the grace, and not before" {
    start_server -j -g 0.4
    say create_driver
    expect '*"available"}'
    say "run any 0.5 trap '' TERM; while :; do sleep 0.01; done"
    expect '{"driver":*,"timeout":true,"ms":*'
    [[ $line =~ \"ms\":([0-9]+) ]]
    ((BASH_REMATCH[1] >= 900))
}

@test "run: one that takes its time to end after TERM has the grace for it" {
    start_server -g 5
    create
    say "run $pid 0.5 trap 'sleep 0.3; echo tidy >tidy; exit' TERM; sleep 1000 & wait"
    expect "Driver $pid Done timeout"
    has tidy tidy
}

@test "run: none of a command that resists survives its limit" {
    start_server -g 0.1
    create
    family_of "$pid" 2
    expect "Driver $pid Done timeout"
    family_is_gone
    say "get_status $pid"
    expect "Driver $pid Available"
    log_is
}

@test "run: what it leaves behind is killed at once, before the reply" {
    start_server -g 1000
    create
    make_family
    say "run $pid 1000 ./family exit"
    expect "Driver $pid Done exit 5"
    family_is_gone
    [ -z "$(children_of "$pid")" ]
}

@test "run: many that it leaves behind, each with another, are all killed" {
    start_server -g 1000
    create
    cat >many <<'END'
#!/bin/bash
for i in {1..100}; do
    (echo $BASHPID >>pids; trap '' TERM; setsid bash -c 'echo $$ >>pids; exec sleep 1000' & exec sleep 1000) &
done
until (($(wc -l <pids) == 200)); do sleep 0.01; done
END
    chmod +x many
    say "run $pid 1000 ./many"
    expect "Driver $pid Done exit 0"
    family_is_gone
}

@test "run: the driver is the subreaper of what is left without its parent" {
    start_server
    create
    say "run $pid 50 (setsid sh -c 'while [ \$(ps -o ppid= -p \$\$) != $pid ]; do :; done; echo \$\$ >adopted' &) ; until [ -s adopted ]; do :; done"
    expect "Driver $pid Done exit 0"
}

# ---- its end by other commands and signals

@test "at the limit: what has made a session of its own gets TERM as well, with or without its parent" {
    start_server -g 1000
    create
    say "run $pid 0.5 setsid sleep 1000 & (setsid sleep 1000 &) ; wait"
    expect "Driver $pid Done timeout"
}

@test "cancel_task: a command ends, and both replies come when nothing of it is left" {
    start_listening -g 0.3
    create
    family_of "$pid" 1000
    attach other
    tell other "cancel_task $pid"
    hear other "Driver $pid Available"
    family_is_gone
    expect "Driver $pid Done cancelled"
    log_is
}

@test "cancel_task: the commands behind it find the driver free" {
    start_server -g 0.3
    create
    say "run $pid 1000 trap '' TERM; while :; do sleep 0.01; done"
    wait_until has_children_of "$pid" 1
    say "cancel_task $pid" "get_status $pid" "send_task $pid 5"
    expect "Driver $pid Done cancelled" "Driver $pid Available" "Driver $pid Available" "Driver $pid Busy 5"
    # Also one that was given in the same breath, whether it has been started or not.
    say "cancel_task $pid" "run $pid 50 sleep 1000" "cancel_task $pid" "run $pid 50 exit 7"
    expect "Driver $pid Available" "Driver $pid Done cancelled" "Driver $pid Available" "Driver $pid Done exit 7"
}

@test "cancel_task: two at once are both answered; a third finds no task" {
    start_listening -g 0.3
    create
    busy_with "$pid"
    say "cancel_task $pid" "cancel_task $pid"
    expect "Driver $pid Done cancelled" "Driver $pid Available" "Error: driver $pid has no task"
    family_of "$pid" 1000
    attach other
    tell other "cancel_task $pid"
    wait_until in_grace "$pid"
    say "cancel_task $pid"
    expect "Driver $pid Done cancelled" "Driver $pid Available"
    hear other "Driver $pid Available"
}

@test "delete_driver: ends the command first, and the driver then by itself" {
    start_server -v -g 1
    create
    family_of "$pid" 1000
    say "delete_driver $pid" get_drivers
    expect "Driver $pid Done cancelled" "Driver $pid Deleted" '0 drivers'
    family_is_gone
    logged "driver $pid ended \(exited with status 0\)"
}

@test "TERM to the driver: ends the command first, and the driver by itself" {
    start_server -g 1
    create
    family_of "$pid" 1000
    kill -TERM "$pid"
    expect "Driver $pid Done cancelled"
    family_is_gone
    wait_until logged "driver $pid died \(exited with status 0\)"
}

@test "kill -9 of the driver: an Error, and nothing of its command survives" {
    start_server -g 1000
    create
    family_of "$pid" 1000
    kill -KILL "$pid"
    expect "Error: driver $pid died (killed by signal 9)"
    wait_until family_has_ended
    wait_until has_children 0
}

@test "kill -9 of the driver while the server is stopped: the first process of the command ends at once" {
    start_server -g 1000
    create
    say "run $pid 1000 echo \$\$ >pids; trap '' TERM HUP INT; while :; do sleep 0.01; done"
    wait_for pids
    kill -STOP "$server_pid"
    wait_until in_state "$server_pid" T
    kill -KILL "$pid"
    wait_until family_has_ended
    kill -CONT "$server_pid"
    expect "Error: driver $pid died (killed by signal 9)"
}

@test "--output: what is no regular file there is not written to, and keeps nobody waiting" {
    mkdir output
    mkfifo output/1.out output/2.err
    start_server --output output
    create
    say "run $pid 50 true" "run $pid 50 true" "run $pid 50 true"
    expect 'Error: cannot run: *' 'Error: cannot run: *' "Driver $pid Done exit 0 output/3.out output/3.err"
}

@test "kill -9 of the driver while its command has its grace: nothing survives" {
    start_server -g 1000
    create
    family_of "$pid" 1000
    say "cancel_task $pid"
    wait_until in_grace "$pid"
    kill -KILL "$pid"
    expect "Error: driver $pid died (killed by signal 9)" "Error: driver $pid died (killed by signal 9)"
    wait_until family_has_ended
    wait_until has_children 0
}

# The stopped one of its family was continued.
in_grace() {
    local member
    while read -r member; do
        ! in_state "$member" T || return
    done <pids
}

@test "kill -9 of a driver: the commands of the others go on" {
    start_server
    create_many 2
    busy_with "${pids[0]}"
    family_of "${pids[1]}" 1000
    kill -KILL "${pids[1]}"
    wait_until family_has_ended
    open_gate
    expect "Driver ${pids[0]} Done exit 0" "Error: driver ${pids[1]} died (killed by signal 9)"
}

@test "kill -9 of the server: nothing of the command survives, nor the driver" {
    start_server -g 1000
    create
    family_of "$pid" 1000
    kill -KILL "$server_pid"
    wait_until family_has_ended
    wait_until ended "$pid"
}

@test "kill -9 of the server: the driver leaves within a second" {
    start_server -g 1000
    create
    family_of "$pid" 1000
    killed=$(uptime_ms)
    kill -KILL "$server_pid"
    wait_until ended "$pid"
    (($(uptime_ms) - killed < 1000))
    family_has_ended
}

@test "kill -9 of the server while its driver is stopped: nothing survives" {
    start_server -g 1000
    create
    family_of "$pid" 1000
    kill -STOP "$pid"
    wait_until in_state "$pid" T
    kill -KILL "$server_pid"
    wait_until family_has_ended
    wait_until ended "$pid"
}

@test "kill -9 of the server while the command has its grace: nothing survives" {
    start_server -g 1000
    create
    family_of "$pid" 1000
    say "delete_driver $pid"
    wait_until in_grace "$pid"
    kill -KILL "$server_pid"
    wait_until family_has_ended
    wait_until ended "$pid"
}

@test "QUIT: nothing of the command survives, when the server has ended" {
    start_server -g 1000
    create
    family_of "$pid" 1000
    kill -QUIT "$server_pid"
    server_ends 0
    family_has_ended
    ended "$pid"
}

@test "stop: the command is cancelled, and may resist for less than the grace" {
    for how in INT TERM shutdown; do
        start_server -g 1
        create
        rm -f pids
        family_of "$pid" 1000
        if [ $how = shutdown ]; then
            say shutdown
        else
            kill -$how "$server_pid"
        fi
        expect "Driver $pid Done cancelled"
        server_ends 0
        family_is_gone
        log_is 'server: *1 task* cancelled*' # and not that the driver had to be killed
        hang_up
    done
}

@test "stop: a command that ends when it is asked to costs no grace" {
    start_server -g 1000
    create
    busy_with "$pid"
    kill -TERM "$server_pid"
    expect "Driver $pid Done cancelled"
    server_ends 0
}

@test "Ctrl+C: the terminal does not touch the command, the server has it end" {
    mkfifo gate
    start_terminal "exec '$SERVER' -g 1000"
    shows '> '
    server_pid=$(children_of "$terminal_pid")
    server_pid=${server_pid% }
    started+=("$server_pid")
    keys 'create_driver\n'
    shows 'Available'
    keys 'run any 1000 trap "echo INT >got" INT; trap "echo TERM >got; exit" TERM; echo up >up; until read x <gate; do :; done\n'
    wait_for up
    keys '\003'
    shows 'Driver [0-9]+ Done cancelled'
    wait_until ended "$terminal_pid"
    wait "$terminal_pid"
    has got TERM
}

@test "end of input: a command that runs is waited for" {
    ask create_driver 'run any 50 sleep 0.2; exit 4'
    [ "$status" = 0 ]
    [[ ${output##*$'\n'} == 'Driver '*' Done exit 4' ]]
    [ ! -s err ]
}

# ---- Errors

@test "run: each mistake is one Error" {
    start_server
    say 'run' 'run 5' 'run any 5' 'run any 5  ' 'run any 0 true' 'run any -1 true' 'run any 31536001 true' \
        'run any x true' 'run 12x 5 true' 'run 77 5 true' 'run any 5 true'
    usage='Error: usage: run PID|any SECONDS COMMAND...'
    expect "$usage" "$usage" "$usage" "$usage" "Error: bad seconds '0' *" "Error: bad seconds '-1' *" \
        "Error: bad seconds '31536001' *" "Error: bad seconds 'x' *" "Error: bad pid '12x'" \
        'Error: no driver 77' 'Error: no driver'
    create
    printf 'run %s 5 echo \0x\n' "$pid" >&"$to"
    expect "Error: bad command 'echo \\\\x00x' (it has a zero byte)"
    log_is
}

@test "run: what cannot be exec'ed is an Error, and the driver is free" {
    start_server
    create
    echo 'not to be run' >plain
    say "run $pid 5 ./missing" "run $pid 5 ./plain" "run $pid 5 /" "run $pid 5 ./plain/file x" "get_status $pid"
    expect 'Error: cannot run: No such file or directory' 'Error: cannot run: Permission denied' \
        'Error: cannot run: Permission denied' 'Error: cannot run: Not a directory' "Driver $pid Available"
    # By a shell, these are its status.
    say "run $pid 5 nosuchcommand" "wait $pid" "run $pid 5 ./missing;"
    expect "Driver $pid Done exit 127" "Driver $pid Available" "Driver $pid Done exit 127"
    stats_have runs=2 failures=2
}

@test "run: a driver that is busy is an Error, and its task or command goes on" {
    start_listening
    create
    say "send_task $pid 50" "run $pid 5 true" "cancel_task $pid"
    expect "Driver $pid Busy 50" "Error: driver $pid Busy 50" "Driver $pid Available"
    busy_with "$pid"
    run -1 control run "$pid" 5 true
    [ "$output" = "Error: driver $pid Busy 100" ]
    run -1 control send_task "$pid" 5
    [ "$output" = "Error: driver $pid Busy 100" ]
    open_gate
    expect "Driver $pid Done exit 0"
}

@test "run: a driver that does not answer is an Error, and the command is not run later" {
    start_server -t 0.3
    create
    kill -STOP "$pid"
    wait_until in_state "$pid" T
    say "run $pid 50 echo ran >ran"
    expect "Error: driver $pid is not responding"
    kill -CONT "$pid"
    wait_until logged 'responds again'
    say "run $pid 50 true"
    expect "Driver $pid Done exit 0"
    [ ! -e ran ]
    stats_have unanswered=1 timeouts=0 runs=1
}

@test "run: a command whose start was answered too late is cancelled, since an Error means it does not run" {
    printf '%s\n' '#!/bin/sh' "FAULT=execvp:delayed:1 exec '$FAULTY/driver'" >slow
    chmod +x slow
    start_server -g 1000 -t 0.1 --driver ./slow
    create
    say "run $pid 1000 sleep 1000"
    expect "Error: driver $pid is not responding"
    wait_until logged 'responds again'
    say "wait $pid"
    expect "Driver $pid Available"
    [ -z "$(children_of "$pid")" ]
}

# ---- busy

@test "run: while a command runs its driver is Busy with the time left" {
    start_listening
    create
    busy_with "$pid"
    run -0 control get_status "$pid"
    [ "$output" = "Driver $pid Busy 100" ]
    run -0 control get_drivers
    [ "$output" = "Driver $pid Busy 100"$'\n''1 driver' ]
    open_gate
    expect "Driver $pid Done exit 0"
}

@test "run: also while a command has its grace its driver is Busy, with what is left of that" {
    start_listening -g 100
    create
    say "run $pid 0.5 trap 'echo asked >asked' TERM; until read x <gate; do :; done"
    mkfifo gate
    wait_for asked
    run -0 control get_status "$pid"
    [ "$output" = "Driver $pid Busy 100" ]
    run -1 control run "$pid" 5 true
    [ "$output" = "Error: driver $pid Busy 100" ]
    open_gate
    expect "Driver $pid Done timeout"
}

@test "wait: until a command has ended" {
    start_listening
    create
    busy_with "$pid"
    attach other
    tell other "wait $pid" wait
    wait_until took 4
    open_gate
    hear other "Driver $pid Available" '1 driver'
    expect "Driver $pid Done exit 0"
}

# ---- order

@test "run: the commands behind it go on meanwhile, their replies come behind its own" {
    start_server
    create_many 2
    busy_with "${pids[0]}"
    say "run ${pids[1]} 50 echo ran >ran" "get_status ${pids[0]}" 'run any 50 echo too >too' fly
    wait_for ran
    wait_for too
    run ! read -r -t 0 -u "$from"
    open_gate
    expect "Driver ${pids[0]} Done exit 0" "Driver ${pids[1]} Done exit 0" "Driver ${pids[0]} Busy 100" \
        "Driver ${pids[1]} Done exit 0" "Error: unknown command 'fly' (try help)"
}

@test "run: replies keep the order of the commands, whichever ends first" {
    start_server
    create_many 4
    for i in {1..20}; do
        echo "run any 50 sleep 0.0$((i * 7 % 4)); exit $i"
    done >&"$to"
    for i in {1..20}; do
        expect "Driver * Done exit $i"
    done
    stats_have runs=20 failures=20
}

@test "run any: while all are busy it holds back those behind it, of its client" {
    start_listening
    create
    busy_with "$pid"
    attach other
    tell other 'run any 50 exit 3' 'echo behind'
    wait_until took 4
    run -0 control get_status "$pid"
    [ "$output" = "Driver $pid Busy 100" ]
    wait_until took 5 # and not the one behind
    open_gate
    expect "Driver $pid Done exit 0"
    hear other "Driver $pid Done exit 3" 'Error: unknown command*'
}

@test "run any: first come, first served, between clients" {
    start_listening
    create
    busy_with "$pid"
    attach one
    attach two
    tell one 'run any 50 echo one >>order' 'run any 50 echo one >>order'
    wait_until took 4
    tell two 'run any 50 echo two >>order' 'run any 50 echo two >>order'
    wait_until took 5
    open_gate
    hear one "Driver $pid Done exit 0" "Driver $pid Done exit 0"
    hear two "Driver $pid Done exit 0" "Driver $pid Done exit 0"
    [ "$(tr '\n' ' ' <order)" = 'one two one two ' ]
}

@test "run any: takes the driver that has been Available longest, and so all of them in turn" {
    start_server
    create_many 3
    for pid in "${pids[1]}" "${pids[2]}" "${pids[0]}"; do
        say "run $pid 50 true"
        expect "Driver $pid Done exit 0"
    done
    for i in {1..6}; do
        say 'run any 50 true'
        expect "Driver ${pids[i % 3]} Done exit 0"
    done
}

@test "run: at most 1024 of a client are in flight, then it is not read, and others are" {
    start_listening
    create
    busy_with "$pid"
    for _ in {1..1100}; do echo "run $pid 5 true"; done >&"$to"
    wait_until took 1026 # with session and create_driver
    run -0 control get_status "$pid"
    [[ $output == "Driver $pid Busy "* ]]
    wait_until took 1027 # and no other
    open_gate
    expect "Driver $pid Done exit 0"
    timeout "$DEADLINE" head -n 1100 <&"$from" >replies
    [ "$(head -n 1023 replies | grep -cE "^Error: driver $pid Busy (9.|100)$")" = 1023 ]
    [ "$(tail -n 77 replies | grep -cE "^(Driver $pid Done exit 0|Error: driver $pid Busy 5)$")" = 77 ]
}

# ---- clients that vanish

@test "run: a client that is killed while its command runs: that goes on to its end" {
    start_listening
    create
    mkfifo gate
    attach other
    tell other "run $pid 50 read x <gate; echo ended >ended"
    wait_until has_children_of "$pid" 1
    kill -KILL "${client_pid[other]}"
    wait_until clients_are 1
    say "get_status $pid"
    expect "Driver $pid Busy 50"
    open_gate
    wait_for ended
    say "wait $pid"
    expect "Driver $pid Available"
    stats_have runs=1 failures=0
}

@test "run: a client that is killed before the start of its command is answered: nobody waits for the end" {
    start_listening
    create
    mkfifo gate
    kill -STOP "$pid"
    wait_until in_state "$pid" T
    attach other
    tell other "run $pid 50 read x <gate; echo ended >ended" "run $pid 50 true" "cancel_task 1"
    wait_until took 5
    kill -KILL "${client_pid[other]}"
    wait_until ended "${client_pid[other]}"
    control stats # by now the server has seen that
    kill -CONT "$pid"
    wait_until clients_are 1
    say "get_status $pid"
    expect "Driver $pid Busy 50"
    open_gate
    wait_for ended
}

@test "run any: a client that is killed while it waits: its command is dropped" {
    start_listening
    create
    busy_with "$pid"
    attach other
    tell other 'run any 50 echo never >never'
    wait_until took 4
    kill -KILL "${client_pid[other]}"
    wait_until clients_are 1
    open_gate
    say 'run any 50 true'
    expect "Driver $pid Done exit 0" "Driver $pid Done exit 0"
    [ ! -e never ]
    stats_have runs=2
}

# The server has so many clients, and says so in its log when it is asked.
clients_are() {
    : >err
    kill -USR1 "$server_pid"
    pause
    logged " clients=$1 "
}

# ---- shell or not

@test "run: a plain line is exec'ed, of others the shell is the first process" {
    mkdir output
    start_server --output output
    create
    # What prints that is a child of the driver, or of a shell.
    echo 'not for a shell' >a=b
    direct=('cat /proc/self/stat' $' \t cat\t/proc/self/stat \t' 'cat /proc/self/stat ./a=b' 'cat -- /proc/self/stat'
        "$(command -v cat) /proc/self/stat" 'cat /proc/self/stat %,+:@x_-')
    i=0
    for command in "${direct[@]}"; do
        say "run $pid 50 $command"
        expect "Driver $pid Done *"
        ((++i))
        read -r self name state parent _ <output/$i.out
        [ "$name $parent" = "(cat) $pid" ]
    done
    # The shell's own pid, $$, is that of the session's leader; and a shell has read the line.
    for command in 'echo $$; cat /proc/$$/stat; :' 'A=1 cat /proc/self/stat; echo'; do
        say "run $pid 50 $command"
        expect "Driver $pid Done exit 0 *"
    done
    read -r leader <output/7.out
    grep -qE "^$leader \(sh\) . $pid $leader $leader " output/7.out
}

@test "run: a line that is exec'ed has its process's pid as that of session and group, below the driver" {
    mkdir output
    start_server --output output
    create
    say "run $pid 50 cat /proc/self/stat" "wait $pid" "run $pid 50 sh -c 'cat </proc/self/stat'"
    expect "Driver $pid Done exit 0 *" "Driver $pid Available" "Driver $pid Done exit 0 *"
    read -r self name state parent group session _ <output/1.out
    [ "$name" = '(cat)' ]
    [ "$parent $group $session" = "$pid $self $self" ]
}

@test "run: what only a shell can do is done" {
    mkdir output
    start_server --output output
    create
    touch one.x two.x
    i=0
    while IFS='|' read -r command wanted; do
        say "run $pid 50 ${command//%/|}"
        expect "Driver $pid Done exit 0 output/$((++i)).out output/$i.err"
        [ "$(tr '\n' ' ' <output/$i.out)" = "$wanted" ] || fail "$command: $(cat output/$i.*)"
    done <<'END'
echo "a  b"  c|a  b c 
echo 'a  b'|a  b 
echo a\ \ b|a  b 
echo *.x|one.x two.x 
echo ?ne.x|one.x 
echo [t]wo.x|two.x 
echo $((6 * 7))|42 
echo `echo x`|x 
echo a; echo b|a b 
true && echo b|b 
false %% echo b|b 
echo a % tr a z|z 
echo to >&2|
{ echo braces; }|braces 
(echo round)|round 
! false|
echo a # comment|a 
cd /; pwd|/ 
A=5 env % grep ^A=|A=5 
A=6; echo $A|6 
cat <one.x|
case x in x) echo y;; esac|y 
-n echo x % cat; echo dash|dash 
type exit >/dev/null|
cd /|
umask 077|
END
}

@test "run: a first word with = is for the shell, also where a program has such a name" {
    mkdir output bin
    printf '#!/bin/sh\necho wrong\n' >bin/A=1
    chmod +x bin/A=1
    start env "PATH=$PWD/bin:$PATH" "$SERVER" "${PATIENT[@]}" --output output
    create
    say "run $pid 50 A=1 printenv A" "wait $pid" "run $pid 50 env A=2 printenv A" "wait $pid" "run $pid 50 A=3"
    expect "Driver $pid Done exit 0 *" '*' "Driver $pid Done exit 0 *" '*' "Driver $pid Done exit 0 *"
    [ "$(<output/1.out)" = 1 ]
    [ "$(<output/2.out)" = 2 ]
}

@test "run: a script without a first line for it is run by the shell" {
    mkdir output
    start_server --output output
    create
    printf 'echo "script $1"\nexit 6\n' >script
    chmod +x script
    say "run $pid 50 ./script word"
    expect "Driver $pid Done exit 6 *"
    [ "$(<output/1.out)" = 'script word' ]
}

@test "run: the longest line that there can be comes to the command as it is" {
    mkdir output
    start_server --output output
    create
    for quote in '' "'"; do
        command="run $pid 5 echo $quote"
        long=$(printf "%$((4095 - ${#command} - ${#quote}))s" '' | tr ' ' x)
        say "$command$long$quote"
        expect "Driver $pid Done exit 0 output/@(1|2).out *"
        [[ $line =~ output/..out && $(<"${BASH_REMATCH[0]}") == "$long" ]]
    done
    # Of as many words as fit.
    words=$(printf 'x %.0s' {1..2030})
    command="run any 5 echo $words"
    command=${command::4095}
    say "$command"
    expect "Driver $pid Done exit 0 *"
    [ "$(wc -w <output/3.out)" = $(($(wc -w <<<"$command") - 4)) ]
}

@test "run: bytes beyond ASCII, blanks at the end and a carriage return" {
    mkdir output
    start_server --output output
    create
    printf 'run %s 50 echo \303\244\377 \t \r\nrun any 50 echo x\r\n' "$pid" >&"$to"
    expect "Driver $pid Done exit 0 *" "Driver $pid Done exit 0 *"
    [ "$(<output/1.out)" = $'\303\244\377' ]
    [ "$(od -An -c <output/2.out | tr -d ' ')" = 'x\n' ]
}

# ---- its environment

@test "run: signals: none is blocked, none ignored, whatever the server has inherited" {
    mkdir output
    start perl -MPOSIX -e '
        my $all = POSIX::SigSet->new; $all->fillset;
        $SIG{$_} = "IGNORE" for qw(HUP INT PIPE USR1 USR2 TSTP TTIN TTOU CHLD);
        POSIX::sigprocmask(SIG_SETMASK, $all); exec @ARGV' "$SERVER" "${PATIENT[@]}" --output output
    create
    say "run $pid 50 cat /proc/self/status" "wait $pid" "run $pid 50 while read line; do echo \$line; done </proc/\$\$/status"
    expect "Driver $pid Done exit 0 *" "Driver $pid Available" "Driver $pid Done exit 0 *"
    for i in 1 2; do
        [ "$(grep -cE '^(SigBlk|SigIgn|SigPnd|ShdPnd):.0+$' output/$i.out)" = 4 ]
    done
}

@test "run: descriptors: /dev/null, and where standard error of the server goes; no other" {
    mkdir output
    start_after 'exec 5</etc/passwd 17</etc/passwd 100</etc/passwd'
    create
    say "run $pid 50 ls -l /proc/self/fd" "wait $pid" "run $pid 50 echo said; echo complained >&2"
    expect "Driver $pid Done exit 0" "Driver $pid Available" "Driver $pid Done exit 0"
    has err said
    has err complained
    # The fourth is that of ls, which reads the directory.
    [ "$(grep -oE '[0-9]+ -> .*' err | sed 's/[0-9]*\/fd$/PID\/fd/')" = "0 -> /dev/null
1 -> $PWD/err
2 -> $PWD/err
3 -> /proc/PID/fd" ]
    # And what it says are none of the server's replies.
    say stats
    expect 'Stats *'
}

@test "run: standard input is at its end" {
    start_server
    create
    say "run $pid 50 cat" "wait $pid" "run $pid 50 read x" "wait $pid"
    expect "Driver $pid Done exit 0" "Driver $pid Available" "Driver $pid Done exit 1" "Driver $pid Available"
}

@test "run: the limit of descriptors is the one that the server was started with" {
    mkdir output
    start_after 'ulimit -Sn 123; ulimit -Hn 456; set -- --output output; exec '"'$SERVER'"' --output output'
    create
    say "run $pid 50 ulimit -Sn" "wait $pid" "run $pid 50 ulimit -Hn" "wait $pid" "run $pid 50 cat /proc/self/limits"
    expect "Driver $pid Done exit 0 *" '*' "Driver $pid Done exit 0 *" '*' "Driver $pid Done exit 0 *"
    [ "$(<output/1.out)" = 123 ]
    [ "$(<output/2.out)" = 456 ]
    grep -qE '^Max open files +123 +456 ' output/3.out
}

@test "run: the server's directory is the command's, and a secret in the environment is not passed on" {
    mkdir output
    start env SECRET=hidden LANG=C "$SERVER" "${PATIENT[@]}" --output output
    create
    say "run $pid 50 pwd" "wait $pid" "run $pid 50 env"
    expect "Driver $pid Done exit 0 *" '*' "Driver $pid Done exit 0 *"
    [ "$(<output/1.out)" = "$PWD" ]
    has output/2.out 'LANG=C'
    run ! grep -q hidden output/2.out
}

# ---- output

@test "--output: files in the order of commands, from 1, named in the replies" {
    start_server --output made
    create_many 2
    [ -d made ]
    mkfifo gate
    say "run ${pids[0]} 50 read x <gate; echo first; echo wrong >&2" "run ${pids[1]} 50 echo second"
    wait_for made/2.out second
    open_gate
    expect "Driver ${pids[0]} Done exit 0 made/1.out made/1.err" "Driver ${pids[1]} Done exit 0 made/2.out made/2.err"
    [ "$(<made/1.out)$(<made/1.err)" = 'firstwrong' ]
    [ "$(<made/2.out)" = second ]
    [ -e made/2.err ]
    [ ! -s made/2.err ]
    say "run ${pids[0]} 0.1 echo a; sleep 1000" "run ${pids[1]} 50 kill -9 \$\$"
    expect "Driver ${pids[0]} Done timeout made/3.out made/3.err" "Driver ${pids[1]} Done signal 9 made/4.out made/4.err"
    [ "$(<made/3.out)" = a ]
    log_is
}

@test "--output: what two drivers write at once is complete, and each in its own files" {
    start_server --output output
    create_many 2
    mkfifo gate
    # Each waits for both to be there.
    for i in 0 1; do
        say "run ${pids[i]} 50 echo up >up$i; until [ -e up0 ] && [ -e up1 ]; do :; done; for i in 1 2 3 4; do yes $i$i | head -c 50000; yes e$i | head -c 50000 >&2; done"
    done
    for i in 0 1; do
        n=$((i + 1))
        expect "Driver ${pids[i]} Done exit 0 output/$n.out output/$n.err"
        for part in {1..4}; do yes $i$i | head -c 50000; done | cmp - output/$n.out
        for part in {1..4}; do yes e$i | head -c 50000; done | cmp - output/$n.err
    done
}

@test "--output: an old file is emptied; one that cannot be had is an Error" {
    mkdir output output/2.out
    printf 'old and long' >output/1.out
    start_server --output output
    create
    say "run $pid 50 echo new" "wait $pid" "run $pid 50 echo no" "run $pid 50 echo yes"
    expect "Driver $pid Done exit 0 output/1.out output/1.err" "Driver $pid Available" \
        'Error: cannot run: Is a directory' "Driver $pid Done exit 0 output/3.out output/3.err"
    [ "$(<output/1.out)" = new ]
    rm -r output
    say "run $pid 50 echo no"
    expect 'Error: cannot run: No such file or directory'
}

@test "--output: a command that is not run has no file that says it was" {
    start_server --output output
    create
    say "run $pid 50 sleep 0.1" "run $pid 50 echo busy" 'run 77 50 echo none' 'run any 0 echo none'
    expect 'Driver * output/1.err' "Error: driver $pid Busy 50" 'Error: no driver 77' 'Error: bad seconds*'
    [ "$(cat output/*)" = '' ]
    [ ! -e output/2.out ]
}

@test "--output: a directory that cannot be written to, status 1 and why" {
    echo >file
    run -1 session --output file </dev/null
    [ "$output" = 'server: cannot write into file: Not a directory' ]
    run -1 session --output missing/directory </dev/null
    [ "$output" = 'server: cannot make the directory missing/directory: No such file or directory' ]
    if [ "$(id -u)" = 0 ]; then
        command -v setpriv >/dev/null || skip 'no setpriv'
        mkdir locked
        chmod 755 locked
        chmod 711 "$BATS_RUN_TMPDIR" "$BATS_RUN_TMPDIR"/* .
        cp "$SERVER" "$DRIVER" .
        run -1 setpriv --reuid=64999 --regid=64999 --clear-groups ./server --output locked </dev/null
    else
        mkdir -m 555 locked
        run -1 session --output locked </dev/null
    fi
    [ "$output" = 'server: cannot write into locked: Permission denied' ]
}

@test "--output: a path that replies cannot name, status 2" {
    for path in $'a\nb' $'a\tb' $'\303\244' ''; do
        run -2 session --output "$path" </dev/null
        [[ $output == 'server: --output'* ]]
    done
    long=$(printf '%0513d' 0)
    run -2 session --output "$long" </dev/null
    [[ $output == 'server: --output: path too long (limit 512 bytes)'* ]]
    # The longest: its name is in both replies, of both kinds.
    mkdir -p '"\ '"/${long:0:200}/${long:0:200}"
    path='"\ '"/${long:0:200}/${long:0:200}/"
    path+=${long:0:512-${#path}}
    for option in --json --verbose; do
        output=$(printf 'create_driver\nrun any 50 echo x\n' | session $option --output "$path" 2>/dev/null)
        escaped=$path
        if [ $option = --json ]; then
            escaped=${escaped//\\/\\\\}
            escaped=${escaped//\"/\\\"}
        fi
        [[ $output == *"$escaped/1.out"*"$escaped/1.err"* ]]
        [ "$(<"$path/1.out")" = x ]
    done
}

@test "--output: replies of the longest kind, many at once and not read for a while, are whole and in order" {
    path=$(printf '%0200d/%0200d/%0100d' 0 0 0 | tr 0 '"')
    mkdir -p "$path"
    start_server -j --drivers 2 --output "$path"
    mkfifo gate
    {
        echo 'run any 50 read x <gate; exit 1' # the others go on behind it
        for i in {2..150}; do echo "run any 50 echo $i; exit $i"; done
    } >&"$to"
    wait_for "$path/150.out"
    open_gate
    wait_until output_waits
    timeout "$DEADLINE" head -n 150 <&"$from" >replies
    escaped=${path//\"/\\\"}
    i=0
    while IFS= read -r line; do
        [[ $line == '{"driver":'*',"exit":'$((++i))',"ms":'*",\"out\":\"$escaped/$i.out\",\"err\":\"$escaped/$i.err\"}" ]] ||
            fail "$line"
    done <replies
    ((i == 150))
}

# ---- stats, JSON, log

@test "run: stats count them, their failures and timeouts" {
    start_server -g 1000
    create
    say "run $pid 5 true" "wait $pid" "run $pid 5 false" "wait $pid" "run $pid 5 kill -9 \$\$" "wait $pid" \
        "run $pid 0.05 sleep 1000" "wait $pid" "run $pid 5 sleep 1000" "run $pid 5 true" "cancel_task $pid" \
        "run $pid 5 ./missing"
    expect '*exit 0' '*' '*exit 1' '*' '*signal 9' '*' '*timeout' '*' '*cancelled' 'Error: * Busy 5' \
        "Driver $pid Available" 'Error: cannot run*'
    stats_have runs=5 failures=2 timeouts=1 unanswered=0 tasks=0 tasks_done=0
}

@test "run: JSON has how it ended, its time and its memory" {
    start_server -j -g 1000
    say create_driver
    expect '*"available"}'
    its=${line//[^0-9]/}
    number='[0-9]+\.[0-9]'
    tail=",\"ms\":($number),\"user_ms\":($number),\"sys_ms\":($number),\"maxrss_kb\":([0-9]+)}\$"
    while IFS='|' read -r command how; do
        say "run $its $command"
        [[ $command != *1000 ]] || say "cancel_task $its"
        reply
        [[ $line =~ ^\{\"driver\":$its,\"$how$tail ]] || fail "$line"
        [[ $command != *1000 ]] || expect "{\"driver\":$its,\"state\":\"available\"}"
    done <<'END'
50 exit 3|exit":3
50 kill -15 $$|signal":15
0.1 sleep 60|timeout":true
50 sleep 1000|cancelled":true
50 sleep 0.25|exit":0
END
    ms=${BASH_REMATCH[1]%.*}
    ((ms >= 250 && ms < 10000))
    ((${BASH_REMATCH[2]%.*} + ${BASH_REMATCH[3]%.*} < 200))
    say "run $its 50 perl -e 'my \$x = \"x\" x 5e7; 1 until (times)[0] > 0.1'"
    reply
    [[ $line =~ ^\{\"driver\":$its,\"exit\":0$tail ]] || fail "$line"
    ((${BASH_REMATCH[2]%.*} >= 100))
    ((BASH_REMATCH[4] > 49000))
}

@test "run: JSON has the files of the output, and the codes of Errors" {
    start_server -j --output output
    say create_driver 'run any 50 true' 'run any 50 ./missing' 'run any 50' "run any 50 trap \0x"
    expect '*"available"}' '*"maxrss_kb":+([0-9]),"out":"output/1.out","err":"output/1.err"}' \
        '{"error":"cannot run: No such file or directory","code":"cannot_run"}' '*"code":"usage"}' '*'
    printf 'run any 5 a\0b\n' >&"$to"
    expect '*"code":"bad_command"}'
}

@test "run: a cancelled one at a stop is counted, as a task is" {
    start_server
    create_many 2
    busy_with "${pids[0]}"
    say "send_task ${pids[1]} 50"
    wait_until took 3
    kill -TERM "$server_pid"
    expect "Driver ${pids[0]} Done cancelled" "Driver ${pids[1]} Busy 50"
    server_ends 0
    logged '2 tasks'
}

# ---- a driver at the other end of a socket

# run(ID, TEXT, [LIMIT, GRACE, EXPIRES, OUTPUT]); result() hears one: id, outcome, status.
as_server_of_runs() {
    as_server '
        sub run_ { my ($id, $text, @with) = @_;
            frame(5, $id, pack("QQQQ", $with[0] // 100000, $with[1] // 1000, $with[2] // ~0, $with[3] // 0) . $text) }
        sub state { my ($type, $id, $body) = hear(); $type == 66 ? join " ", $id, unpack "CCx2LQ", $body : "type $type" }
        sub result { my ($type, $id, $body) = hear(); $type == 68 ? join " ", $id, unpack "LL", $body : "type $type" }
        sub no_family { open my $f, "<", "/proc/$driver/task/$driver/children"; !defined <$f> }
        '"$1"
}

@test "driver: RUN is answered by STATE with the pid, and by RESULT" {
    as_server_of_runs '
        run_(1, "exit 3"); my ($id, $busy, $refusal, $pid, $left) = split / /, state();
        check($id == 1 && $busy == 1 && $refusal == 0 && $pid > 1 && $pid != $driver && $left == 100000);
        check(result() eq "1 3 3");
        run_(2, "kill -10 \$\$"); state(); check(result() eq "2 4 10");
        run_(3, "sleep 1000", 50); state(); check(result() eq "3 5 0");
        run_(4, "./missing"); check(state() eq "4 0 4 2 0");
        run_(5, "true", 100, 100, 1); check(state() eq "5 0 3 0 0"); # expired
        run_(6, "true", 100, 100, ~0, 7); check(state() eq "6 0 4 22 0"); # there is no directory
        frame(2, 7); check(state() eq "7 0 0 0 0");
        frame(4, 0); check(!hear())'
}

@test "driver: RUN and TASK while a command runs are refused; CANCEL is only for the one that runs" {
    as_server_of_runs '
        run_(1, "sleep 1000"); state();
        run_(2, "echo no >no"); my @state = split / /, state(); check("@state[0..3]" eq "2 1 1 0" && $state[4] > 90000);
        frame(1, 3, pack "QQ", 5, ~0); check(state() =~ /^3 1 1 0 /);
        frame(3, 4, pack "L", 2); check(state() =~ /^4 1 2 0 /);
        frame(3, 5, pack "L", 1); check(state() =~ /^5 1 0 0 (\d+)/ && $1 <= 1000);
        check(result() eq "1 2 0"); check(no_family());
        frame(3, 6, pack "L", 1); check(state() eq "6 0 2 0 0");
        frame(1, 7, pack "QQ", 100000, ~0); check(state() =~ /^7 1 0 0 100000/);
        run_(8, "true"); check(state() =~ /^8 1 1 0 /);
        check(!-e "no")'
}

@test "driver: RESULT comes when nothing is left of the command, not even a dead process" {
    as_server_of_runs '
        for (1 .. 20) {
            run_($_, "for i in 1 2 3 4 5; do sleep 1000 & setsid sleep 1000 & done; exit 2"); state();
            check(result() eq "$_ 3 2"); check(no_family())
        }'
}

@test "driver: RUN of the longest text, and byte by byte, is understood" {
    as_server_of_runs '
        my $text = "exit " . " " x 4088 . "42"; check(length $text == 4095);
        run_(1, $text); state(); check(result() eq "1 3 42");
        my $frame = packed(5, 2, pack("QQQQ", 100000, 1000, ~0, 0) . $text);
        bytes $_ for split //, $frame; state(); check(result() eq "2 3 42");
        run_(3, "!"); state(); check(result() =~ /^3 3 /)'
}

@test "driver: a RUN that breaks the protocol: told so, and left with status 1" {
    cases=(
        'run_(1, "x" x 4096)'             # text too long
        'run_(1, "")'                     # none
        'run_(1, "echo \0 x")'            # a zero byte
        'run_(1, "\0")'                   # and nothing else
        'run_(1, "x\0")'                  # at its end
        'frame(5, 1, "x" x 31)'           # no whole body
        'frame(5, 0, pack("QQQQ", 1, 1, ~0, 0) . "x")' # no number
        'run_(1, "true", 0)'              # no time
        'run_(1, "true", 31536000001)'    # more than a year
        'run_(1, "true", 1, 0)'           # no grace
        'run_(1, "true", 1, 31536000001)' # and more than a year of it
        'frame(68, 1, pack "LLQQQQ", 3, 0, 1, 1, 1, 1)' # what only a driver says
    )
    for case in "${cases[@]}"; do
        run -1 as_server_of_runs "$case; check(!hear())"
        [[ $output == 'driver['+([0-9])']: the server broke the protocol' ]] || fail "$case: $output"
    done
}

@test "driver: EXIT ends the command first; so do TERM, and a server that has gone" {
    as_server_of_runs '
        run_(1, "(setsid sleep 1000 &); sleep 1000"); state(); frame(4, 0);
        check(result() eq "1 2 0"); check(!hear())'
    as_server_of_runs '
        run_(1, "sleep 1000"); state(); kill "TERM", $driver;
        check(result() eq "1 2 0"); check(!hear())'
    make_family
    as_server_of_runs '
        run_(1, "./family"); state();
        sub up { open my $f, "<", "pids" or return 0; my @pids = <$f>; @pids == 5 }
        select undef, undef, undef, 0.01 until up()'
    family_has_ended
}

# ---- drivers that lie

# lies LINE...: a driver that has been told to run x does that; told(), result() and more say frames.
lies() {
    fake_driver lies 'LC_ALL=C' \
        'take() { local n b; for ((n = 0; n < $1; n++)); do until IFS= read -r -d "" -n 1 -u 3 b 2>/dev/null; do :; done; done; }' \
        'told() { frame 1 66 16 "$1" "$(u8 "$2")$(u8 "$3")$(u16 0)$(u32 "$4")$(u64 "$5")"; }' \
        'result() { frame 1 68 40 "$1" "$(u32 "$2")$(u32 "$3")$(u64 1)$(u64 1)$(u64 1)$(u64 1)"; }' \
        'RUN=41 STATUS=8 TASK=24 CANCEL=12' hello "$@" linger
}

@test "a driver that lies about its command is killed, and it alone" {
    # What it does, how the server calls it, and what is said to it besides a run.
    cases=(
        'result 1 3 0|no command|'
        'take $RUN; result 1 3 0|no command|'
        'take $RUN; told 1 1 0 $$ 1000; result 1 3 0; result 1 3 0|no command|'
        'take $RUN; told 1 1 0 $$ 1000; result 9 3 0|no command|'
        'take $RUN; told 1 0 0 $$ 0|does not fit|'
        'take $RUN; told 1 1 0 0 1000|does not fit|'
        'take $RUN; told 1 1 0 2147483648 1000|cannot be|'
        'take $RUN; told 1 0 0 0 0|does not fit|'
        'take $RUN; told 1 0 4 0 0|does not fit|'
        'take $RUN; told 1 1 4 2 1000|does not fit|'
        'take $RUN; told 1 0 4 2147483647 0|does not fit|'
        'take $RUN; told 1 0 2 0 0|does not fit|'
        'take $RUN; told 1 0 1 0 0|does not fit|'
        'take $RUN; told 1 0 5 0 0|body|'
        'take $RUN; told 1 1 0 $$ 1000; frame 1 67 4 0 "$(u32 1)"|end of no task|'
        'take $RUN; told 1 1 0 $$ 1000; result 1 1 0|body|'
        'take $RUN; told 1 1 0 $$ 1000; result 1 3 256|body|'
        'take $RUN; told 1 1 0 $$ 1000; result 1 4 0|body|'
        'take $RUN; told 1 1 0 $$ 1000; result 1 5 1|body|'
        'take $RUN; told 1 1 0 $$ 1000; result 0 3 0|id|'
        'take $RUN; told 1 1 0 $$ 1000; take $STATUS; told 2 0 0 0 0|cannot be|get_status'
        'take $RUN; told 1 1 0 $$ 1000; take $STATUS; told 2 1 0 $$ 1000|cannot be|get_status'
        'take $RUN; told 1 1 0 $$ 1000; take $RUN; told 2 1 0 0 1000|does not fit|run'
        'take $RUN; told 1 1 0 $$ 1000; take $RUN; told 2 1 0 $$ 1000|cannot be|run'
        'take $RUN; told 1 1 0 $$ 1000; take $CANCEL; told 2 0 0 0 0|cannot be|cancel_task'
        'take $RUN; told 1 1 0 $$ 1000; take $CANCEL; told 2 1 1 0 1000|does not fit|cancel_task'
        'take $STATUS; told 1 1 0 77 1000|does not fit|get_status only'
        'take $TASK; told 1 1 0 77 1000|does not fit|send_task only'
    )
    failed=
    for case in "${cases[@]}"; do
        IFS='|' read -r does called besides <<<"$case"
        lies "$does"
        start_server --driver ./lies
        create
        case $besides in
        '') say "run $pid 50 x" ;;
        run) say "run $pid 50 x" "run $pid 50 x" ;;
        send_task*) say "send_task $pid 50" ;;
        *only) say "get_status $pid" ;;
        *) say "run $pid 50 x" "$besides $pid" ;;
        esac
        DEADLINE=3 wait_until logged "driver $pid: .*: killed|died" || failed+="$case"$'\n'
        if ! logged "$called"; then
            failed+="$case: $(cat err)"$'\n'
        fi
        kill -QUIT "$server_pid"
        wait_until ended "$server_pid"
        hang_up
    done
    [ -z "$failed" ] || fail "$failed"
}

@test "a driver that dies over its command: an Error that says how, also after its answer" {
    lies 'take $RUN; told 1 1 0 $$ 1000; exit 7'
    start_server --driver ./lies
    create
    say "run $pid 50 x"
    expect "Error: driver $pid died (exited with status 7)"
    create
    say 'run any 50 x'
    expect "Error: driver $pid died (exited with status 7)"
    stats_have runs=2 failures=0
}

@test "a driver that says the result and dies: the result counts" {
    lies 'take $RUN; told 1 1 0 $$ 1000; result 1 3 9; exit 7'
    start_server --driver ./lies
    create
    say "run $pid 50 x"
    expect "Driver $pid Done exit 9"
}

# ---- faults of the machine

@test "run: a driver's socket that takes only part of a frame at a time" {
    long=$(printf '%3000s' '' | tr ' ' x)
    for fault in 1+ {1..4}; do
        start_faulty "send:short:$fault" --output output
        create
        say "run $pid 50 echo $long; exit 3" "cancel_task 1" "get_status $pid" "wait $pid" \
            "run any 50 echo $long" "wait $pid" "run any 50 exit 5" "get_status $pid" "delete_driver $pid"
        expect "Driver $pid Done exit 3 *" 'Error: no driver 1' "Driver $pid @(Available|Busy 50)" "Driver $pid Available" \
            "Driver $pid Done exit 0 *" "Driver $pid Available" "Driver $pid Done @(exit 5|cancelled) *" \
            "Driver $pid @(Available|Busy 50)" "Driver $pid Deleted"
        [ "$(<output/1.out)" = "$long" ]
        [ "$(<output/2.out)" = "$long" ]
        [[ -s trace || $fault != 1* ]]
        end_input
        server_ends 0
        hang_up
        rm -rf output trace
    done
}

@test "run: a driver that does not read: what its socket takes of each frame is kept in order" {
    start_server
    create
    kill -STOP "$pid"
    wait_until in_state "$pid" T
    long=$(printf '%4000s' '' | tr ' ' x)
    for i in {1..150}; do
        echo "run $pid 50 test $long != $i"
        echo "get_status $pid"
    done >&"$to" &
    filler=$!
    wait_until took 301
    wait "$filler"
    kill -CONT "$pid"
    timeout "$DEADLINE" head -n 300 <&"$from" >replies
    grep -qx "Driver $pid Done exit 0" replies
    [ "$(sed -n '1~2p' replies | grep -cE "^(Driver $pid Done exit 0|Error: driver $pid Busy 50)$")" = 150 ]
    [ "$(sed -n '2~2p' replies | grep -cE "^Driver $pid (Available|Busy 50)$")" = 150 ]
    log_is 'server: Stats *'
}

@test "run: no memory for its text, or what it has besides: it has an Error, and no number of files is left out" {
    for fault in 5 6; do
        rm -rf output trace
        start_faulty "malloc:ENOMEM:$fault" --output output
        create
        say 'run any 50 exit 3' 'run any 50 exit 4'
        expect 'Error: cannot run: @(Cannot allocate|Out of) memory' "Driver $pid Done exit 4 output/1.out *"
        [ -s trace ]
        end_input
        server_ends 0
        hang_up
    done
}

@test "run: no memory for its request: it waits until an earlier one is answered" {
    start_faulty malloc:ENOMEM:7+ --output output
    create
    say "run $pid 50 true"
    expect "Driver $pid Done exit 0 output/1.out output/1.err"
    kill -STOP "$pid"
    wait_until in_state "$pid" T
    for ((i = 0; i < 60; i++)); do
        echo "get_status $pid"
    done >&"$to"
    say "run $pid 50 exit 3" fly
    wait_until test -s trace
    wait_until in_state "$server_pid" S
    kill -CONT "$pid"
    for ((i = 0; i < 60; i++)); do
        expect "Driver $pid Available"
    done
    expect "Driver $pid Done exit 3 output/2.out output/2.err" 'Error: unknown command*'
}

# ---- many of them

@test "run: many commands on drivers of which some are killed: the books are in order" {
    run -0 --separate-stderr "$ROOT/scripts/torture/jobs.sh" 400
    [[ $output == 'jobs: 400 commands in '*'; books in order' ]]
    [ -z "$stderr" ]
}
