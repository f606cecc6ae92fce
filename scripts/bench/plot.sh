#!/bin/bash
# Draws what a command and a driver cost with 10, 100, 1,000 and 10,000 drivers. Needs gnuplot.
#
#   scripts/bench/plot.sh [FILE]       writes FILE, by default scripts/bench/cost.svg
#
# Each figure is the median of ROUNDS measurements, by default 3. Numbers of drivers that the limits
# of this system do not allow are left out, with a message.
set -u
cd "$(dirname "$0")/../.." || exit
LOAD=build/bench/load
ROUNDS=${ROUNDS:-3}
PATIENCE=120 # seconds for one program
file=${1:-scripts/bench/cost.svg}
[[ $# -le 1 && $file != -* ]] || { echo 'usage: scripts/bench/plot.sh [FILE]' >&2; exit 2; }

fail() {
    echo "plot.sh: $*" >&2
    exit 1
}

# median COMMAND...: runs the command ROUNDS times, and prints the median of its first numbers.
median() {
    local round numbers=() number
    for ((round = 0; round < ROUNDS; round++)); do
        read -r number _ < <("$@") && [ -n "$number" ] || return
        numbers+=("$number")
    done
    printf '%s\n' "${numbers[@]}" | sort -g | sed -n "$(((ROUNDS + 1) / 2))p"
}

on() { taskset -c "$1" timeout --foreground "$PATIENCE" "${@:2}"; }

# hold DRIVERS: prints the mean PSS of a driver, and the server's own memory for a driver, both in
# KiB.
hold() {
    local own pids pid holder to from paths=()
    coproc HOLD { exec timeout --foreground "$PATIENCE" "$LOAD" hold "$1"; }
    holder=$HOLD_PID to=${HOLD[1]} from=${HOLD[0]}
    read -r -t "$PATIENCE" -u "$from" own pids || return
    for pid in $pids; do
        paths+=("/proc/$pid/smaps_rollup")
    done
    # The paths may not fit into one command line.
    printf '%s\0' "${paths[@]}" | xargs -0 cat |
        awk -v own="$own" '/^Pss:/ { sum += $2; n++ } END { printf "%.2f %s\n", sum / n, own }'
    exec {to}>&- {from}<&-
    wait "$holder"
}

command -v gnuplot >/dev/null || fail 'gnuplot is not installed'
make -s bench-programs || exit
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
trap 'exit 130' INT TERM HUP
one=$(taskset -cp $$ | sed 's/.*: //; s/[-,].*//') # the first processor that we may use

for drivers in 10 100 1000 10000; do
    if (($(ulimit -Hn) < drivers + 50 || $(cat /proc/sys/kernel/pid_max) < drivers + 2000)); then
        echo "plot.sh: leaves out $drivers drivers: the limit of descriptors or pids is too low" >&2
        continue
    fi
    pipelined=$(median on "$one" "$LOAD" pipeline "$drivers" 1000000) || fail 'load pipeline failed'
    trip=$(median on "$one" "$LOAD" trip "$drivers" 10 20000) || fail 'load trip failed'
    read -r pss own < <(hold "$drivers") || fail 'load hold failed'
    awk -v n="$drivers" -v pipelined="$pipelined" -v trip="$trip" -v pss="$pss" -v own="$own" \
        'BEGIN { print n, 1e6 / trip, 1e6 / pipelined, pss, own }'
done | tee "$dir/data"
[ -s "$dir/data" ] || fail 'no figures'

gnuplot <<END || fail 'gnuplot failed'
set terminal svg noenhanced size 900,380 font "sans-serif,12" background "white"
set output "$file"
set multiplot layout 1,2
set logscale xy
set xrange [7:14000]
set grid ytics lc rgb "#dddddd"
set border 3
set tics nomirror
set xtics ("10" 10, "100" 100, "1,000" 1000, "10,000" 10000)
set xlabel "drivers"
set key top left Left reverse
set style data linespoints
set title "a get_status, in microseconds (1 processor)"
set yrange [0.05:100]
plot "$dir/data" using 1:2 title "one at a time, of 10 of them" pt 7 lw 2 lc rgb "#1f5fa8", \
     "" using 1:3 title "pipelined, of all in turn" pt 5 lw 2 lc rgb "#c8641e"
set title "memory of an idle driver, in KiB"
set yrange [0.05:1000]
plot "$dir/data" using 1:4 title "the driver (PSS)" pt 7 lw 2 lc rgb "#1f5fa8", \
     "" using 1:(\$5 > 0 ? \$5 : 1/0) title "in the server" pt 5 lw 2 lc rgb "#c8641e"
END
echo "$file"
