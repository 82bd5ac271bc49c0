#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Stands between a client and an engine's socket, and fails as it is told: engine_proxy.py LISTEN TARGET MODE_FILE

MODE_FILE is read anew for every connection and every part of an answer:

    pass        everything goes through
    cut N       a connection ends when N bytes of answers have passed, in the middle of one
    die N       the same, and no other connection is taken until there is another mode
    answer K N  the K-th answer since there was another mode ends after N bytes; all others go through
    slow MS     each part of an answer comes so much later
    silent      connections are taken, and nothing is ever answered
    rubbish     the answer is bytes that are no HTTP
    broken      the answer is HTTP, and no JSON
    refuse      500, as an engine in trouble would
    blind K     a connection ends where the answer to the K-th closer look at a container should be, and all after it
    ending N    so many updates are refused as those of a container that crashed this moment are
"""

import random
import re
import socket
import sys
import threading
import time

LISTEN, TARGET, MODE_FILE = sys.argv[1:]
DEAD = threading.Event()
LOCK = threading.Lock()
COUNTED = ["", 0]
LOOK = re.compile(rb'GET \S*/containers/[0-9a-f]{64}/json ')
BROKEN = b'HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 20\r\nConnection: close\r\n\r\n{"Id": [{{"Id": "\xff"}'
REFUSE = b'HTTP/1.1 500 Internal Server Error\r\nContent-Type: application/json\r\nContent-Length: 23\r\nConnection: close\r\n\r\n{"message": "no luck"} '
ENDING = b'HTTP/1.1 500 Internal Server Error\r\nContent-Type: application/json\r\nContent-Length: 66\r\nConnection: close\r\n\r\n' \
         b'{"message": "Cannot update it: cannot update a stopped container"}'


def mode():
    with open(MODE_FILE) as file:
        return (file.read().split() or ["pass"]) + ["0", "0"]


def count(data, number):
    """The number of an answer that begins here; 0 when none does."""
    with LOCK:
        if COUNTED[0] != number:
            COUNTED[:] = [number, 0]
        COUNTED[1] += data.startswith(b"HTTP/1.")
        return COUNTED[1] if data.startswith(b"HTTP/1.") else 0


def close(*sides):
    for side in sides:
        try:
            side.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass
        side.close()


def requests(client, engine):
    """What the client says goes through, whatever happens to the answer."""
    try:
        while data := client.recv(65536):
            what, number = mode()[:2]
            if what == "ending" and b"/update " in data.split(b"\r\n", 1)[0] and count(b"HTTP/1.", number) <= int(number):
                client.sendall(ENDING)
                print("refused an update", file=sys.stderr, flush=True)
                close(client, engine)
                return
            if what == "blind" and LOOK.match(data) and count(b"HTTP/1.", number) >= int(number):
                print("refused a closer look", file=sys.stderr, flush=True)
                close(client, engine)
                return
            engine.sendall(data)
        engine.shutdown(socket.SHUT_WR)
    except OSError:
        pass


def answers(client, engine):
    passed = 0
    try:
        while data := engine.recv(65536):
            what, number, size = mode()[:3]
            if what == "answer" and count(data, number) == int(number):
                client.sendall(data[:int(size)])
                break
            if what == "slow":
                time.sleep(int(number) / 1000)
            if what in ("cut", "die"):
                data = data[:max(0, int(number) - passed)]
            client.sendall(data)
            passed += len(data)
            if what in ("cut", "die") and passed >= int(number):
                if what == "die":
                    DEAD.set()
                break
    except OSError:
        pass
    close(client, engine)


def serve(client):
    what = mode()[0]
    if what != "die":
        DEAD.clear()
    if DEAD.is_set():
        close(client)
        return
    if what in ("silent", "rubbish", "broken", "refuse"):
        try:
            while client.recv(65536):
                if what != "silent":
                    client.sendall({"broken": BROKEN, "refuse": REFUSE}.get(what) or random.Random(1).randbytes(5000))
                    break
        except OSError:
            pass
        close(client)
        return
    engine = socket.socket(socket.AF_UNIX)
    engine.connect(TARGET)
    threading.Thread(target=requests, args=(client, engine), daemon=True).start()
    answers(client, engine)


def main():
    server = socket.socket(socket.AF_UNIX)
    server.bind(LISTEN)
    server.listen(64)
    while True:
        client, _ = server.accept()
        threading.Thread(target=serve, args=(client,), daemon=True).start()


main()
