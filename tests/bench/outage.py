#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
#
# How long nobody answers: outage.py PORT SECONDS FILE
#
# One HTTP request after the other to 127.0.0.1:PORT, each on a connection of its own, until an answer after SIGTERM or for SECONDS. FILE is
# made at the first answer. At the end the longest time between two answers, in microseconds, less what a request takes at the median.

import signal
import socket
import statistics
import sys
import time


def ask(port):
    with socket.create_connection(("127.0.0.1", port), timeout=0.25) as s:
        s.sendall(b"GET / HTTP/1.0\r\n\r\n")
        return s.recv(12).startswith(b"HTTP/1.")


def main():
    port, until, file = int(sys.argv[1]), time.monotonic() + float(sys.argv[2]), sys.argv[3]
    ending = []
    signal.signal(signal.SIGTERM, lambda *_: ending.append(True))
    last, longest, takes = None, 0.0, []
    answered = False
    while not (ending and answered) and time.monotonic() < until:
        start = time.monotonic()
        try:
            answered = ask(port)
        except OSError:
            answered = False
        if not answered:
            time.sleep(0.001)
            continue
        now = time.monotonic()
        if last is None:
            open(file, "w").close()
        else:
            longest = max(longest, now - last)
        takes.append(now - start)
        last = now
    if len(takes) < 10:
        sys.exit(1)
    print(round((longest - statistics.median(takes)) * 1e6))


main()
