#!/usr/bin/env bats
# Which variables drivers and jobs have.

load lib/helpers

# start_with VARIABLE... -- OPTION...: starts a server that has these variables and PATH, and no
# other.
start_with() {
    local own=()
    while [[ $1 != -- ]]; do
        own+=("$1")
        shift
    done
    mkdir -p output
    start env -i "${own[@]}" PATH="$PATH" "$SERVER" "${PATIENT[@]}" --output output "${@:2}"
}

# have VARIABLE...: a new driver and its jobs, with a shell and without one, have these variables
# and PATH, the jobs also their number and slot, and no other. The driver keeps room for those.
have() {
    create
    say "run $pid 50 env" "wait $pid" "run $pid 50 env; exit 7"
    expect "Job 1 Done exit 0" "Driver $pid Available" "Job 2 Done exit 7"
    tr '\0' '\n' <"/proc/$pid/environ" >driver
    # What shells set by themselves.
    sed -i -E '/^(PWD|OLDPWD|SHLVL|_)=/d' output/2.out
    local number=0 file own
    for file in driver output/1.out output/2.out; do
        own=("TAXI_JOB=$number" TAXI_SLOT=1)
        ((number++ > 0)) || own=(TAXI_JOB= TAXI_SLOT=)
        diff --label wanted --label "$file" <(printf '%s\n' "$@" "PATH=$PATH" "${own[@]}" | LC_ALL=C sort) \
            <(LC_ALL=C sort "$file") >&2
    done
}

@test "inherited: drivers and jobs have all variables of the server" {
    inherited=(A=1 EMPTY= EQUAL=a=b http_proxy=http://proxy:3128 LC=x PASSWORD='a secret' VIRTUAL_ENV=/venv
        INVOCATION_ID=1 NOTIFY=2 LISTEN=3)
    start_with "${inherited[@]}" --
    have "${inherited[@]}"
}

@test "inherited: what a service manager meant for the server alone is left out" {
    start_with A=1 NOTIFY_SOCKET=none LISTEN_FDS=1 LISTEN_PID=1 LISTEN_FDNAMES=x WATCHDOG_USEC=1 WATCHDOG_PID=1 --
    have A=1
}

@test "inherited: long values, and any byte but zero" {
    long=$(printf '%100000s' '' | tr ' ' x) strange=$'a \n\t\'"\\$x\377\303\244'
    start_with LONG1="$long" LONG2="$long" STRANGE="$strange" --
    create
    say "run $pid 50 printenv LONG1 LONG2" "wait $pid" "run $pid 50 printenv STRANGE"
    expect "Job 1 Done exit 0" '*' "Job 2 Done exit 0"
    [ "$(<output/1.out)" = "$long"$'\n'"$long" ]
    [ "$(<output/2.out)" = "$strange" ]
}

@test "--clean-env: leaves paths, user, language and terminal, and no secret" {
    kept=(HOME=/home LANG=C LANGUAGE=de LC_=1 LC_TIME=C LOGNAME=me SHELL=/bin/sh TERM=dumb TMPDIR=/tmp TZ=UTC USER=me)
    start_with "${kept[@]}" PASSWORD=secret HOMES=x LC=x LD_LIBRARY_PATH=/lib NOTIFY_SOCKET=none -- --clean-env
    have "${kept[@]}"
}

@test "--clean-env: the server itself still reports to its service manager" {
    start_with NOTIFY_SOCKET=none -- --clean-env
    wait_until logged '^server: cannot notify none: it is no path of a socket$'
}

@test "--env: NAME passes a variable of the server, which need not exist" {
    start_with AB=1 ABC=2 B=3 NOTIFY_SOCKET=none WATCHDOG_PID=1 -- \
        --clean-env --env=AB --env NOTIFY_SOCKET --env A --env AB
    have AB=1 NOTIFY_SOCKET=none
}

@test "--env: NAME* passes all that begin so" {
    start_with AB=1 ABC=2 A=3 BAB=4 LISTEN_FDS=1 LISTEN_PID=1 -- --clean-env --env 'AB*' --env 'LISTEN_*' --env 'X*'
    have AB=1 ABC=2 LISTEN_FDS=1 LISTEN_PID=1
    hang_up
    rm -r output
    start_with A=1 B=2 WATCHDOG_PID=1 -- --clean-env --env '*'
    have A=1 B=2 WATCHDOG_PID=1
}

@test "--env: NAME=VALUE sets a variable, also one that would be left out" {
    start_with A=1 B=2 -- --env A=new --env C= --env 'D=a b=c*' --env NOTIFY_SOCKET=none
    have A=new B=2 C= 'D=a b=c*' NOTIFY_SOCKET=none
    wait_until took 4
    run ! logged notify # it is not for the server
}

@test "TAXI_JOB, TAXI_SLOT: each job has its own, whatever the server has, also with --clean-env" {
    for options in --verbose --clean-env '--clean-env --env TAXI_JOB=7 --env TAXI*'; do
        # shellcheck disable=SC2086 # words
        start_with TAXI_JOB=x TAXI_SLOT=y TAXI_JOBS=1 -- $options
        create
        say "run $pid 50 env" "wait $pid" 'run any 50 echo $TAXI_JOB $TAXI_SLOT' "wait $pid" "run $pid 50 env"
        expect 'Job 1 Done exit 0' '*' 'Job 2 Done exit 0' '*' 'Job 3 Done exit 0'
        [ "$(grep -E '^TAXI_(JOB|SLOT)=' output/1.out | LC_ALL=C sort)" = $'TAXI_JOB=1\nTAXI_SLOT=1' ]
        [ "$(<output/2.out)" = '2 1' ]
        [ "$(grep -E '^TAXI_(JOB|SLOT)=' output/3.out | LC_ALL=C sort)" = $'TAXI_JOB=3\nTAXI_SLOT=1' ]
        [[ $options == --clean-env || $(<output/3.out) == *TAXI_JOBS=1* ]]
        hang_up
        rm -r output
    done
}

@test "--env: if several are for the same variable, the last one counts" {
    start_with A=1 B=2 C=3 D=4 -- --env A=x --env A=y --env B=x --env B --env C --env C=x --env D=x --env 'D*'
    have A=y B=2 C=x D=4
}

@test "--env: there may be thousands" {
    mapfile -t many < <(seq 5000 | awk '{ print "--env"; print "N" $1 % 2500 "=" $1 }')
    start_with A=1 -- "${many[@]}"
    create
    say "run $pid 50 env"
    expect "Job 1 Done exit 0"
    [ "$(grep -c '^N' output/1.out)" = 2500 ]
    has output/1.out N7=2507
}

@test "--env: a bad name, or none, is wrong usage" {
    for bad in '' '=' '=x' 'A*B' '**'; do
        run -2 --separate-stderr session --env "$bad" </dev/null
        [[ -z $output && $stderr == "server: bad --env '$bad' (NAME, NAME=VALUE or NAME*) (try --help)" ]]
    done
    run -2 --separate-stderr session --env
    [ "$stderr" = 'server: --env needs a value (try --help)' ]
    run -2 --separate-stderr session --clean-env=1
    [ "$stderr" = "server: unknown option '--clean-env=1' (try --help)" ]
    for option in --clean-env --env=A; do
        run -2 --separate-stderr session --connect none $option stats
        [ "$stderr" = 'server: --connect goes with --here and --json only (try --help)' ]
    done
}
