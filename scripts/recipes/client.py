#!/usr/bin/env python3
# A client of the control socket in Python, with the standard library alone: gives one command and prints the reply.
#
#   client.py SOCKET COMMAND...     such as: client.py taxi.sock run any 60 make
#
# Its exit status is the job's; 128 plus the number of the signal that ended it; 124 at its limit; 125 if it
# did not run, was cancelled or is lost; 1 after an Error; 3 if the server went away before it had replied.
# In a directory that others can write to, check first whose server it is: SO_PEERCRED, see taxi-protocol(7).
import json
import os
import socket
import sys


def status_of(reply):
    if "signal" in reply:
        return 128 + reply["signal"]
    if "timeout" in reply:
        return 124
    if "cancelled" in reply or "unrun" in reply or "lost" in reply:
        return 125
    return reply.get("exit", 1 if "error" in reply else 0)


def main():
    command = os.fsencode(" ".join(sys.argv[2:]))  # which may have any byte, but is one line
    if not command or b"\n" in command:
        print("usage: client.py SOCKET COMMAND...", file=sys.stderr)
        return 2
    server = socket.socket(socket.AF_UNIX)
    server.connect(sys.argv[1])
    # With farewell, the server sends a byte 4 after the last reply. One that is killed does not.
    server.sendall(b"session json farewell\n" + command + b"\n")
    server.shutdown(socket.SHUT_WR)
    status = 0
    for line in server.makefile("rb"):
        if line == b"\x04":
            return status
        status = status_of(json.loads(line))
        print(line.decode().rstrip(), flush=True)
    return 3


try:
    sys.exit(main())
except OSError as error:
    print(f"client.py: {error}", file=sys.stderr)
    sys.exit(3)
