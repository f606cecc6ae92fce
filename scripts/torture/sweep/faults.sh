# The faults that the sweep injects into each call.
# shellcheck shell=bash

# errnos CALL: prints the errnos that the call's manual page lists and that the programs could meet.
# Calls that are missing here cannot fail in the way the programs use them; sweep.sh lists them
# below its table.
errnos() {
    case $1 in
    epoll_wait) echo EINTR EBADF ;;
    dup2 | dup3) echo EMFILE EBUSY ;;
    epoll_ctl) echo ENOMEM ENOSPC ;;
    epoll_create1 | signalfd4 | timerfd_create) echo EMFILE ENFILE ENOMEM ;;
    socketpair) echo EMFILE ENFILE ENOMEM ;;
    read) echo EINTR EAGAIN EIO ;;
    write) echo EINTR EAGAIN EIO ENOSPC EPIPE ;;
    recvfrom) echo EINTR EAGAIN ENOMEM ECONNRESET ;;
    sendto) echo EINTR EAGAIN ENOMEM ENOBUFS ECONNRESET EPIPE ;;
    wait4 | waitid) echo EINTR ECHILD ;;
    pidfd_open) echo EMFILE ENFILE ENOMEM ;;
    kill) echo EPERM ESRCH ;;
    clone | vfork | clone3) echo EAGAIN ENOMEM ;;
    openat | open) echo EMFILE ENFILE ENOMEM EACCES ;;
    access) echo ENOENT EACCES ;;
    timerfd_settime) echo ENOMEM ;;
    prctl) echo EINVAL ;;
    getsockopt) echo ENOMEM ;;
    mmap) echo ENOMEM ;;
    prlimit64) echo EPERM ;;
    rt_sigprocmask | rt_sigaction) echo EINVAL ;;
    fcntl) echo EBADF EINTR EAGAIN ENOLCK ;;
    newfstatat | fstat | lstat) echo ENOMEM ;;
    socket) echo EMFILE ENFILE ENOMEM ENOBUFS ;;
    bind) echo EADDRINUSE EACCES ENOMEM EROFS ;;
    listen) echo EADDRINUSE ;;
    accept4) echo EINTR EAGAIN ECONNABORTED EMFILE ENFILE ENOMEM ENOBUFS ;;
    connect) echo EINTR EAGAIN ECONNREFUSED EACCES ;;
    unlink | unlinkat) echo EACCES EBUSY EROFS ;;
    readlink) echo EACCES ENOMEM ;;
    close_range) echo EMFILE ENOMEM ;;
    esac
}

# linked PROGRAM: prints the faults that are linked into it, as "CALL KIND OCCURRENCES". There are
# fewer occurrences than that; a run that does not reach its fault does not count.
linked() {
    case $1 in
    server) printf '%s\n' 'read short 15' 'write short 15' 'send short 10' 'recv short 15' \
        'close EIO 30' 'epoll_ctl DEL 10' 'malloc ENOMEM 6' 'calloc ENOMEM 6' 'prctl EPERM 2' \
        'setpgid EPERM 2' 'dup2 EPERM 7' 'setrlimit EPERM 3' 'execve delayed 2' 'execve killed 2' \
        'execve termed 2' ;;
    driver) printf '%s\n' 'send short 8' 'recv short 8' 'close EIO 3' 'execvp delayed 2' \
        'execvp killed 2' 'execv delayed 3' 'execv killed 3' ;;
    control) printf '%s\n' 'send short 25' 'recv short 30' 'epoll_ctl ADD 30' 'epoll_ctl MOD 10' \
        'epoll_ctl DEL 30' 'close EIO 50' 'malloc ENOMEM 7' 'calloc ENOMEM 6' 'execve delayed 3' \
        'execve killed 3' 'execve termed 3' ;;
    client) printf '%s\n' 'read short 10' 'write short 10' 'send short 10' 'recv short 10' \
        'epoll_ctl ADD 20' 'epoll_ctl MOD 10' 'epoll_ctl DEL 10' 'close EIO 6' 'dup2 EPERM 1' 'malloc ENOMEM 3' ;;
    words) printf '%s\n' 'write short 3' 'send short 3' 'recv short 3' 'epoll_ctl ADD 3' \
        'epoll_ctl MOD 3' 'epoll_ctl DEL 3' 'close EIO 3' 'dup2 EPERM 1' 'malloc ENOMEM 3' ;;
    esac
}
