#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Stands between a client and a unix socket, and writes down what is asked.

usage: proxy.py LISTEN TARGET LOG

One line a request, "GET /containers/json?all=1 1767225600000000": and when it came, in microseconds; and one line for each
part of an answer, "- 1767225600000000". A request line is found by what it looks like: no body that the tests send has a
line like it.
"""

import os
import re
import socket
import sys
import threading
import time

REQUEST = re.compile(rb"^([A-Z]+ /\S*) HTTP/1\.[01]\r$", re.M)


def stamp(log, what):
    os.write(log, what + b" %d\n" % (time.time_ns() // 1000))


def copy(source, target, log, is_client):
    rest = b""
    while True:
        try:
            data = source.recv(65536)
        except OSError:
            data = b""
        if not data:
            break
        if not is_client:
            stamp(log, b"-")
        else:
            rest += data
            end = rest.rfind(b"\n") + 1
            for found in REQUEST.findall(rest[:end]):
                stamp(log, found)
            rest = rest[end:]
        try:
            target.sendall(data)
        except OSError:
            break
    for side, how in ((source, socket.SHUT_RD), (target, socket.SHUT_WR)):
        try:
            side.shutdown(how)
        except OSError:
            pass


def main():
    listen, target, log = sys.argv[1:]
    log = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    server = socket.socket(socket.AF_UNIX)
    server.bind(listen)
    server.listen(64)
    while True:
        client, _ = server.accept()
        engine = socket.socket(socket.AF_UNIX)
        engine.connect(target)
        threading.Thread(target=copy, args=(client, engine, log, True), daemon=True).start()
        threading.Thread(target=copy, args=(engine, client, log, False), daemon=True).start()


main()
