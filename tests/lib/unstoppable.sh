#!/bin/bash
# A job that leaves 50 processes in a group of their own, and 1000 in another. The pid of the first
# group's leader is in the file left, and the pids of the second group are in the file pids.
setsid bash -c 'for i in {1..1000}; do sleep 1000 & done; jobs -p >new.pids; mv new.pids pids; wait' &
setsid bash -c 'for i in {1..50}; do sleep 1000 & done; echo $$ >new; mv new left; wait' &
wait
