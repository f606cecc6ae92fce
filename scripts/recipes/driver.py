#!/usr/bin/env python3
# A driver of your own: its jobs are calls of Python functions, in a fork of a process that has imported everything
# already. Put functions of your own into JOBS. The server uses the driver when it is started with --driver:
#
#   taxi-server --drivers 2 --driver ./driver.py <<<'run any 10 square 12'
#
# No shell reads the words of a job. What it prints goes to the server's standard error; --output is refused. A
# function must not start processes that leave its process group. The protocol is in taxi-protocol(7).
import contextlib
import errno
import os
import select
import signal
import struct
import sys
import time
import traceback


def square(number):
    print(int(number) ** 2)


def sleep(seconds):
    time.sleep(float(seconds))


JOBS = {"square": square, "sleep": sleep}

SERVER = 3  # the descriptor of the socket
TASK, STATUS, CANCEL, EXIT, RUN = range(1, 6)  # what the server sends
HELLO, STATE, END, RESULT, BEGUN = range(65, 70)  # what we send
FREE, ON_TASK, ON_JOB = range(3)
TAKEN, BUSY, NOT_RUNNING, LATE = range(4)  # why a request was refused
DONE, CANCELLED, EXITED, SIGNALLED, TIMED_OUT, UNRUN = range(1, 7)
CAUSE_LATE, CAUSE_START = 1, 4  # why a job has not begun
TELL, WORDS = 2, 4  # flags of a job

work = None  # the task or job; None if the driver is free


class Work:
    def __init__(self, kind, number, ms):
        self.kind, self.number = kind, number
        self.start = now()
        self.end = self.start + ms * 1_000_000
        self.asked = 0  # CANCELLED or TIMED_OUT, once the job was asked to end
        self.pid = self.pidfd = self.grace = None  # of a job


def now():
    return time.monotonic_ns()


def send(kind, number, layout, *fields):
    body = struct.pack("=" + layout, *fields)
    os.write(SERVER, struct.pack("=BBHI", 3, kind, len(body), number) + body)


def send_state(number, refusal=TAKEN):
    left_ms = max(1, -((now() - work.end) // 1_000_000)) if work else 0
    send(STATE, number, "BB6xQ", work.kind if work else FREE, refusal, left_ms)


def end_task(outcome):
    global work
    work = None
    send(END, 0, "I", outcome)


def end_job(outcome, status, cause, usage=None):
    """Reports the end of the job, or with a cause that it has not begun."""
    global work
    figures = [0] * 4
    if usage:
        os.close(work.pidfd)
        elapsed = (now() - work.start) // 1000
        figures = [elapsed, int(usage.ru_utime * 1e6), int(usage.ru_stime * 1e6), usage.ru_maxrss]
    send(RESULT, work.number, "IIII4Q", outcome, status, cause, 0, *figures)
    work = None


def kill_job():
    os.kill(work.pid, signal.SIGKILL)
    with contextlib.suppress(ProcessLookupError):  # it may not lead its group yet
        os.killpg(work.pid, signal.SIGKILL)


def ask(why):
    """Asks the job to end. When its grace period is over, it is killed."""
    if not work.asked:
        work.asked = why
        work.end = now() + work.grace
        os.kill(work.pid, signal.SIGTERM)


def look():
    """Sees whether the work has ended, and ends it when its time is over."""
    if not work:
        return
    over = now() >= work.end
    if work.kind == ON_TASK:
        if over:
            end_task(DONE)
    elif os.waitid(os.P_PID, work.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT):
        kill_job()  # what it has left
        _, status, usage = os.wait4(work.pid, 0)
        code = os.waitstatus_to_exitcode(status)
        if work.asked:
            end_job(work.asked, 0, 0, usage)
        else:
            end_job(EXITED if code >= 0 else SIGNALLED, abs(code), 0, usage)
    elif over and work.asked:
        kill_job()
        work.end += work.grace
    elif over:
        ask(TIMED_OUT)


def run_job(number, job, slot, words):
    """The life of the job's process."""
    status = 1
    try:
        os.setsid()
        send(BEGUN, number, "I", os.getpid())
        os.close(SERVER)
        os.dup2(2, 1)
        # Jobs run side by side: each line is one write, also under PYTHONUNBUFFERED.
        sys.stdout.reconfigure(line_buffering=True, write_through=False)
        os.environ.update(TAXI_JOB=str(job), TAXI_SLOT=str(slot))
        signal.pthread_sigmask(signal.SIG_SETMASK, [])
        if words and words[0] in JOBS:
            JOBS[words[0]](*words[1:])
            status = 0
        else:
            print(f"driver[{os.getppid()}]: there is no function for {words}")
            status = 127
        sys.stdout.flush()
    except BaseException:
        traceback.print_exc()
    finally:
        os._exit(status)


def take_job(number, body):
    """Takes a job before it begins: the order of these steps is part of the protocol."""
    global work
    limit, grace, _, expires, job, slot, flags = struct.unpack_from("=5QII", body)
    text = os.fsdecode(body[48:])
    words = text.split("\0")[:-1] if flags & WORDS else text.split()
    if now() >= expires:
        send_state(number, LATE)
        return
    work = Work(ON_JOB, number, limit)
    work.grace = grace * 1_000_000
    send_state(number)
    if now() >= expires:
        end_job(UNRUN, 0, CAUSE_LATE)
    elif flags & ~(TELL | WORDS):
        end_job(UNRUN, errno.ENOTSUP, CAUSE_START)
    else:
        work.pid = os.fork()
        if work.pid == 0:
            run_job(number, job, slot, words)
        work.pidfd = os.pidfd_open(work.pid)


def handle(kind, number, body):
    global work
    look()
    if kind in (TASK, RUN) and work:
        send_state(number, BUSY)
    elif kind == RUN:
        take_job(number, body)
    elif kind == TASK:
        duration, expires = struct.unpack("=QQ", body)
        late = now() >= expires
        work = None if late else Work(ON_TASK, number, duration)
        send_state(number, LATE if late else TAKEN)
    elif kind == CANCEL and not (work and struct.unpack("=I", body)[0] in (0, work.number)):
        send_state(number, NOT_RUNNING)
    elif kind == STATUS:
        send_state(number)
    else:  # CANCEL or EXIT
        if work and work.kind == ON_TASK:
            end_task(CANCELLED)
        elif work:
            ask(CANCELLED)
        if kind == CANCEL:
            send_state(number)


def main():
    send(HELLO, 0, "I", os.getpid())
    data, leaving = b"", False
    while not leaving or work:
        patience = max(0, work.end - now()) / 1e9 if work else None
        watched = [SERVER, work.pidfd] if work and work.pidfd else [SERVER]
        readable = select.select(watched, [], [], patience)[0]
        look()
        if SERVER not in readable:
            continue
        more = os.read(SERVER, 65536)
        if not more:  # the server is gone
            if work and work.pid:
                kill_job()
            return
        data += more
        while len(data) >= 8 and len(data) >= 8 + struct.unpack_from("=H", data, 2)[0]:
            _, kind, length, number = struct.unpack_from("=BBHI", data)
            body, data = data[8 : 8 + length], data[8 + length :]
            leaving = leaving or kind == EXIT
            handle(kind, number, body)


main()
