#!/bin/bash
# batch.sh TOOL COUNT: has the tool (xargs, parallel, tsp, or server for ours, with a log of jobs) run
# /bin/true COUNT times, two at a time, and prints how many it ran per second, with the time that the tool
# itself takes to start. tsp gets a server of its own, which is started before and ended afterwards. Those that
# pass a name give true two arguments: if it has just one, it sets its locale, to show a help.
set -eu
[ $# = 2 ] || { echo 'usage: batch.sh TOOL COUNT' >&2; exit 2; }
tool=$1 count=$2
dir=$(mktemp -d)
end() {
    [ "$tool" != tsp ] || tsp -K || true
    rm -rf "$dir"
}
trap end EXIT
seq "$count" >"$dir/numbers"

batch() {
    local i
    case $tool in
    xargs) xargs -a "$dir/numbers" -P 2 -n 1 /bin/true - ;;
    server) ./server --drivers 2 --log "$dir/log" --each 60 /bin/true - <"$dir/numbers" >/dev/null ;;
    parallel) parallel -j 2 -a "$dir/numbers" /bin/true - ;;
    tsp)
        for ((i = 0; i < count; i++)); do
            tsp -n /bin/true
        done >"$dir/ids"
        tsp -w # waits only for the last job; if another still runs, that is to tsp's advantage
        ;;
    esac
}

if [ "$tool" = tsp ]; then
    export TS_SOCKET=$dir/socket TS_MAXFINISHED=10 TMPDIR=$dir
    tsp -S 2
fi
start=${EPOCHREALTIME/./}
batch
end=${EPOCHREALTIME/./}
echo $((count * 1000000 / (end - start)))
