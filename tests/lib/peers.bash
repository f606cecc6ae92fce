# Tools that do what the server does: xargs, GNU parallel, make and task-spooler (tsp). Tests compare
# their effects with ours if they are installed.
# shellcheck shell=bash

# Gives these tools places of their own, and hides from them what make test has exported. Jobs note
# their pids in the file PIDS.
setup_peers() {
    unset MAKEFLAGS MFLAGS MAKELEVEL PARALLEL PARALLEL_HOME "${!TS_@}"
    export HOME=$PWD/home TMPDIR=$PWD/tmp TS_SOCKET=$PWD/tsp.sock
    PIDS=$PWD/pids
    mkdir -p tmp home/.parallel
    touch home/.parallel/will-cite
    : >"$PIDS"
}

# Ends the server of tsp, and all processes that jobs have noted.
end_peers() {
    local pid
    [[ ! -S $TS_SOCKET ]] || tsp -K || true
    while read -r pid; do
        ! alive "$pid" || kill -KILL "$pid" 2>/dev/null || true
    done <"$PIDS"
}

# has_peer TOOL: that tool is installed. The parallel of moreutils is another program; which one it is, is
# asked once for each file of tests.
has_peer() {
    command -v "$1" >/dev/null || return
    [[ $1 != parallel || -e $BATS_FILE_TMPDIR/gnu-parallel ]] ||
        { parallel --version 2>/dev/null | grep -q '^GNU parallel' && : >"$BATS_FILE_TMPDIR/gnu-parallel"; }
}

need_peer() {
    has_peer "$1" || skip "$1 is not installed"
}

# script NAME LINE...: makes a program of these lines, which first notes its pid.
script() {
    printf '%s\n' '#!/bin/bash' "echo \$\$ >>'$PIDS'" "${@:2}" >"$1"
    chmod +x "$1"
}

# makefile RECIPE NAME...: makes a Makefile that has these targets, and this recipe for each.
makefile() {
    printf 'all: %s\n%s:\n\t@%s\n' "${*:2}" "${*:2}" "$1" >Makefile
}

# Prints how many of the processes that jobs have noted have not ended.
noted_alive() {
    local pid count=0
    while read -r pid; do
        ended "$pid" || count=$((count + 1))
    done <"$PIDS"
    echo "$count"
}
