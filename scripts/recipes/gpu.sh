#!/bin/bash
# Runs a program for each name of standard input, one at a time on each GPU:
#
#   ls scans/*.png | gpu.sh 3600 ./segment --fast {}      SERVER=./server names another program than taxi-server
#
# 3600 is the limit of each run, in seconds. {} becomes the name. There is a driver for each GPU, and no two jobs that
# run at the same time have the same TAXI_SLOT, which counts from 1. GPUS=2 sets how many GPUs there are.
set -eu

exec "${SERVER:-taxi-server}" --drivers "${GPUS:-$(nvidia-smi --list-gpus | wc -l)}" --each "$1" \
    sh -c 'export CUDA_VISIBLE_DEVICES=$((TAXI_SLOT - 1)); exec "$@"' gpu "${@:2}"
