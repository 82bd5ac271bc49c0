#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""A registry that cannot be trusted: registry_liar.py HOST:PORT [MODE_FILE]

Prints its port. Passes everything on from the registry at HOST:PORT, but for layers; MODE_FILE, read anew for each, says
what happens to them:

    lie         the last byte is another one (also without MODE_FILE)
    cut         the connection ends in the middle
    stall       it stays open in the middle, for twenty seconds
    trickle     they come in small pieces, about three seconds long
    pass        nothing
"""

import http.server
import sys
import time
import urllib.error
import urllib.request

UPSTREAM = sys.argv[1]


def mode():
    if len(sys.argv) < 3:
        return "lie"
    with open(sys.argv[2]) as file:
        return file.read().strip()


class Liar(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *args):
        pass

    def do_GET(self):
        headers = {key: value for key, value in self.headers.items() if key.lower() == "accept"}
        request = urllib.request.Request(f"http://{UPSTREAM}{self.path}", headers=headers, method=self.command)
        try:
            with urllib.request.urlopen(request, timeout=30) as reply:
                status, fields, body = reply.status, reply.headers, reply.read()
        except urllib.error.HTTPError as error:
            status, fields, body = error.code, error.headers, error.read()
        length = fields.get("Content-Length", str(len(body)))
        what = mode() if "/blobs/" in self.path and body[:2] == b"\x1f\x8b" else "pass"
        if what == "lie":
            body = body[:-1] + bytes([body[-1] ^ 1])
        self.send_response(status)
        for key in ("Content-Type", "Docker-Content-Digest", "Docker-Distribution-Api-Version"):
            if key in fields:
                self.send_header(key, fields[key])
        self.send_header("Content-Length", length)
        self.end_headers()
        if self.command == "HEAD":
            return
        if what in ("cut", "stall"):
            self.wfile.write(body[: len(body) // 2])
            self.wfile.flush()
            time.sleep(20 if what == "stall" else 0)
            self.close_connection = True
            return
        step = len(body) // 30 + 1 if what == "trickle" else len(body) + 1
        for at in range(0, len(body), step):
            self.wfile.write(body[at : at + step])
            time.sleep(0.1 if what == "trickle" else 0)

    do_HEAD = do_GET


if __name__ == "__main__":
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Liar)
    print(server.server_address[1], flush=True)
    server.serve_forever()
