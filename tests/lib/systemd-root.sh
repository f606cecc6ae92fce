#!/bin/bash
# systemd-root.sh ROOT FILES: becomes systemd(1), as the first process of a pid namespace, in a root directory of its
# own, ROOT. /usr is this machine's, read-only; all else is in memory, and gone at the end. The files
# below FILES are copied there. Of what the distribution starts at boot, only the journal runs: the rest might
# clean up /tmp, or set the kernel's parameters.
#
# Only root can run it, by unshare(1) with --mount --pid --fork --cgroup --kill-child.
set -eu

main() {
    mount --make-rprivate /
    mount -t tmpfs -o mode=755 tmpfs "$1"
    cd "$1"
    make_root "$2"
    mask_services
    pivot_root . old
    umount -l old
    export container=other # so that systemd(1) leaves the kernel's parameters alone
    exec /lib/systemd/systemd --system --unit=basic-only.target --show-status=no
}

make_root() {
    local link
    mkdir -p etc var/lib var/log run tmp root home usr proc sys dev old
    mount --bind /usr usr
    mount -o remount,bind,ro usr
    mount -t tmpfs tmpfs usr/local
    cp -r "$1"/. .
    for link in bin sbin lib lib32 lib64 libx32; do
        [ ! -L "/$link" ] || ln -s "usr/$link" "$link"
    done
    cp -r /etc/passwd /etc/group /etc/nsswitch.conf /etc/ld.so.* etc
    echo 0123456789abcdef0123456789abcdef >etc/machine-id
    mount -t proc proc proc
    mount -t sysfs sysfs sys
    mount_groups
    make_devices
}

# The hierarchies of control groups that systemd(1) manages, from the group of this process downwards.
mount_groups() {
    if [ -e /sys/fs/cgroup/cgroup.procs ]; then
        mount -t cgroup2 cgroup2 sys/fs/cgroup
    else
        mount -t tmpfs tmpfs sys/fs/cgroup
        mkdir sys/fs/cgroup/unified sys/fs/cgroup/systemd
        mount -t cgroup2 cgroup2 sys/fs/cgroup/unified
        mount -t cgroup -o none,name=systemd cgroup sys/fs/cgroup/systemd
    fi
}

make_devices() {
    local device
    mount -t tmpfs -o mode=755 tmpfs dev
    for device in null zero full random urandom tty; do
        : >"dev/$device"
        mount --bind "/dev/$device" "dev/$device"
    done
    mkdir dev/pts dev/shm
    mount -t devpts devpts dev/pts
    ln -s pts/ptmx dev/ptmx
}

mask_services() {
    local wanted units=etc/systemd/system
    mkdir -p $units
    for wanted in usr/lib/systemd/system/*.target.wants/*; do
        [[ $wanted == */systemd-journald* ]] || ln -sf /dev/null "$units/${wanted##*/}"
    done
    printf '[Unit]\nDescription=A basic system, and no more\nRequires=basic.target\n' >$units/basic-only.target
}

main "$@"
