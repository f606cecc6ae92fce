#!/bin/bash
# Runs a server in a container that is made of nothing but a directory: ROOT gets the static programs
# of `make static`, /dev/null and a /proc of its own, and the server is process 1 there. Without a shell
# only tasks and --each of static programs in ROOT work, and a `run` ends with 127; --busybox adds the
# commands of a busybox-static, among them /bin/sh. Whoever starts this may give commands, with --listen
# /control also at ROOT/control; root in the container is that user, and has no more rights. To stop it,
# say `shutdown` or send TERM to the server itself, because its parent, unshare(1), ignores TERM.
#
#   scripts/recipes/container.sh [--busybox] ROOT [SERVER-OPTION...]
set -eu

PROGRAMS=$(cd "$(dirname "$0")/../.." && pwd)/build/static

main() {
    local busybox=false
    [[ ${1-} != --busybox ]] || { busybox=true; shift; }
    [[ $# -ge 1 && $1 != -* ]] || fail 'usage: container.sh [--busybox] ROOT [SERVER-OPTION...]' 2
    [[ -x $PROGRAMS/server ]] || fail "there is no $PROGRAMS/server: run make static" 1
    mkdir -p "$1/proc" "$1/dev"
    touch "$1/dev/null"
    cp "$PROGRAMS/server" "$PROGRAMS/driver" "$1"
    ! $busybox || [[ -e $1/bin/sh ]] || add_busybox "$1/bin"
    # The shell becomes the server; until then it is process 1 and sees the directories outside.
    exec unshare --user --map-root-user --mount --pid --fork --kill-child sh -ec '
        cd "$0"
        mount -t proc proc proc
        mount --bind /dev/null dev/null
        exec env PATH=/bin "$(command -v chroot)" . /server "$@"' "$@"
}

fail() {
    echo "container.sh: $1" >&2
    exit "$2"
}

# add_busybox DIRECTORY: puts busybox there, by the names of all its commands.
add_busybox() {
    mkdir -p "$1"
    cp "$(command -v busybox)" "$1/busybox"
    "$1/busybox" --install "$1"
}

main "$@"
