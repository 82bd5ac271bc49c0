#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""A registry that serves other bytes than it was asked for: registry_liar.py HOST:PORT

Prints its port. Passes everything on from the registry at HOST:PORT, but changes each layer's last byte.
"""

import http.server
import sys
import urllib.error
import urllib.request

UPSTREAM = sys.argv[1]


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
        if "/blobs/" in self.path and body[:2] == b"\x1f\x8b":
            body = body[:-1] + bytes([body[-1] ^ 1])
        self.send_response(status)
        for key in ("Content-Type", "Docker-Content-Digest", "Docker-Distribution-Api-Version"):
            if key in fields:
                self.send_header(key, fields[key])
        self.send_header("Content-Length", length)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    do_HEAD = do_GET


if __name__ == "__main__":
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Liar)
    print(server.server_address[1], flush=True)
    server.serve_forever()
