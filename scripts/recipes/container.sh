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
    (umask go-w; mkdir -p "$1")
    check_root "$1"
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

# check_root ROOT: ends unless it is ours alone. Whoever else can write there could lead us to any file of
# ours by a link, and put another program in the place of the server.
check_root() {
    local root=$1 owner mode
    while [[ $root == ?*/ ]]; do root=${root%/}; done # with it, stat(1) would follow a link
    read -r owner mode <<<"$(stat -c '%u %a' -- "$root")"
    ((owner == EUID)) || fail "$1 is another user's" 1
    [[ ! -L $root ]] || fail "$1 is a link" 1
    (((8#$mode & 8#022) == 0)) || fail "others can write in $1, too (try chmod go-w)" 1
}

# add_busybox DIRECTORY: puts busybox there, by the names of all its commands.
add_busybox() {
    mkdir -p "$1"
    cp "$(command -v busybox)" "$1/busybox"
    "$1/busybox" --install "$1"
}

main "$@"
