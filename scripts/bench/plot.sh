#!/bin/bash
# Draws how costs grow with the number of drivers, of clients and of jobs that wait. Needs gnuplot.
#
#   scripts/bench/plot.sh [DIRECTORY]   writes drivers.svg, clients.svg and waiting.svg there, by default
#                                       to scripts/bench
#
# Each figure is the median of ROUNDS measurements, by default 5. Numbers of drivers that the limits of this
# system do not allow are left out, with a message.
set -uo pipefail
cd "$(dirname "$0")/../.." || exit
LOAD=build/bench/load
source scripts/bench/figures.sh
ROUNDS=${ROUNDS:-5}
PATIENCE=120 # seconds for one program
[[ $# -le 1 && ${1-} != -* ]] || { echo 'usage: scripts/bench/plot.sh [DIRECTORY]' >&2; exit 2; }
target=${1:-scripts/bench}

fail() {
    echo "plot.sh: $*" >&2
    exit 1
}

# medians COMMAND...: runs the command ROUNDS times, and prints the median of each number that it prints.
medians() {
    local round
    for ((round = 0; round < ROUNDS; round++)); do
        timeout --foreground "$PATIENCE" "$@" || return
    done >"$dir/rounds"
    for ((column = 1; column <= $(wc -w < <(head -n 1 "$dir/rounds")); column++)); do
        awk -v i="$column" '{ print $i }' "$dir/rounds" | sort -g | sed -n "$(((ROUNDS + 1) / 2))p"
    done | paste -sd ' '
}

# The rates of load become microseconds.
measure_drivers() {
    local drivers pipelined trip jobs own pss bare
    for drivers in 10 100 1000 10000; do
        if (($(ulimit -Hn) < drivers + 50 || $(cat /proc/sys/kernel/pid_max) < drivers + 2000)); then
            echo "plot.sh: leaves out $drivers drivers: the limit of descriptors or pids is too low" >&2
            continue
        fi
        pipelined=$(medians taskset -c "$one" "$LOAD" pipeline "$drivers" 1000000) || return
        bare=$(medians taskset -c "$one" "$LOAD" -s build/bench/bare-server pipeline "$drivers" 1000000) || return
        trip=$(medians taskset -c "$one" "$LOAD" trip "$drivers" 10 20000) || return
        jobs=$(medians "$LOAD" jobs "$drivers" 1000) || return
        read -r own pss < <(hold "$LOAD" hold "$drivers") || { cat "$dir/log" >&2; return 1; }
        echo "$drivers $pipelined $trip ${jobs% *} $pss $own $bare"
    done | awk '{ print $1, 1e6 / $2, 1e6 / $3, 1e6 / $4, $5, $6, 1e6 / $7 }'
}

measure_clients() {
    local clients
    for clients in 1 10 100 1000; do
        echo "$clients $(medians "$LOAD" clients "$clients" 200000 1000)" || return
    done
}

measure_waiting() {
    local waiting
    for waiting in 1 10 100 1000 10000 99000; do # 1,000 more are submitted
        echo "$waiting $(medians "$LOAD" waiting "$waiting" 1000)" || return
    done
}

# draw NAME XTICS XLABEL PLOTS: draws the data NAME.
draw() {
    gnuplot <<END || fail 'gnuplot failed'
set terminal svg noenhanced size 900,380 font "sans-serif,12" background "white"
set output "$target/$1.svg"
data = "$dir/$1"
set multiplot layout 1,2
set logscale xy
set grid ytics lc rgb "#dddddd"
set border 3
set tics nomirror
set xtics ($2)
set xlabel "$3"
set key top left Left reverse
set style data linespoints
set style line 1 pt 7 lw 2 lc rgb "#1f5fa8"
set style line 2 pt 5 lw 2 lc rgb "#c8641e"
set style line 4 pt 4 lw 1 dt 2 lc rgb "#808080"
set style line 3 pt 9 lw 2 lc rgb "#3d8b37"
$4
END
    echo "$target/$1.svg"
}

command -v gnuplot >/dev/null || fail 'gnuplot is not installed'
make -s bench-programs || exit
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
trap 'exit 130' INT TERM HUP
one=$(taskset -cp $$ | sed 's/.*: //; s/[-,].*//') # the first processor that we may use

for what in drivers clients waiting; do
    "measure_$what" | tee "$dir/$what" || fail "no figures for $what"
done
# shellcheck disable=SC2016 # $6 is a column of gnuplot's
draw drivers '"10" 10, "100" 100, "1,000" 1000, "10,000" 10000' drivers '
set xrange [7:14000]
set title "microseconds for a get_status (1 processor) and a job"
set yrange [0.05:10000]
plot data using 1:3 title "get_status, one at a time, of 10 of them" ls 1, \
     "" using 1:2 title "get_status, pipelined, of all in turn" ls 2, \
     "" using 1:7 title "the same, bare server" ls 4, \
     "" using 1:4 title "a job, /bin/true" ls 3
set title "memory of an idle driver, in KiB"
set yrange [0.05:1000]
plot data using 1:5 title "the driver (PSS)" ls 1, "" using 1:($6 > 0 ? $6 : 1/0) title "in the server" ls 2'
draw clients '"1" 1, "10" 10, "100" 100, "1,000" 1000' 'clients at once' '
set xrange [0.7:1400]
set title "microseconds for a get_status, 64 at once from each"
set yrange [0.05:100]
plot data using 1:2 notitle ls 2
set title "microseconds for a job, /bin/true, with 2 drivers"
set yrange [10:10000]
plot data using 1:3 notitle ls 3'
draw waiting '"1" 1, "100" 100, "10,000" 10000, "100,000" 100000' 'jobs that wait' '
set xrange [0.7:140000]
set title "microseconds for a command, pipelined"
set yrange [0.05:100]
plot data using 1:2 title "submit" ls 1, "" using 1:3 title "cancel_job" ls 2
set title "microseconds for a job, /bin/true, with 2 drivers"
set yrange [10:10000]
plot data using 1:4 notitle ls 3'
