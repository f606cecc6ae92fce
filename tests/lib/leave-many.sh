#!/bin/bash
# A job that ends and leaves a hundred processes behind, each with a child in a session of its own.
# All ignore TERM and write their pids to the file pids.
for _ in {1..100}; do
    (
        echo $BASHPID >>pids
        trap '' TERM
        setsid bash -c 'echo $$ >>pids; exec sleep 1000' &
        exec sleep 1000
    ) &
done
until (($(wc -l <pids) == 200)); do sleep 0.01; done
