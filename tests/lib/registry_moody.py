#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""A registry whose mood is in a file: registry_moody.py HOST:PORT MOOD

Prints its port. Passes everything on from the registry at HOST:PORT, but for what the file MOOD says:

  busy      429, as a registry's limit of pulls
  expired   401, as when a login ran out

A file MOOD.log has a line for each request: method, path, status.
"""

import http.server
import json
import sys
import urllib.error
import urllib.request

UPSTREAM, MOOD = sys.argv[1], sys.argv[2]
ANSWERS = {
    "busy": (429, "TOOMANYREQUESTS", "You have reached your unauthenticated pull rate limit."),
    "expired": (401, "UNAUTHORIZED", "authentication required"),
}


class Moody(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *args):
        pass

    def note(self, status):
        with open(MOOD + ".log", "a") as log:
            print(self.command, self.path, status, file=log)

    def answer(self, status, body, headers=()):
        self.note(status)
        self.send_response(status)
        for key, value in headers:
            self.send_header(key, value)
        if not any(key == "Content-Length" for key, _ in headers):
            self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def do_GET(self):
        try:
            with open(MOOD) as file:
                mood = file.read().strip()
        except FileNotFoundError:
            mood = ""
        # The endpoint itself says nothing about a repository.
        if mood in ANSWERS and self.path.rstrip("/") != "/v2":
            status, code, message = ANSWERS[mood]
            body = json.dumps({"errors": [{"code": code, "message": message}]}).encode()
            return self.answer(status, body, [("Content-Type", "application/json")])
        headers = {key: value for key, value in self.headers.items() if key.lower() in ("accept", "range")}
        request = urllib.request.Request(f"http://{UPSTREAM}{self.path}", headers=headers, method=self.command)
        try:
            with urllib.request.urlopen(request, timeout=30) as reply:
                status, fields, body = reply.status, reply.headers, reply.read()
        except urllib.error.HTTPError as error:
            status, fields, body = error.code, error.headers, error.read()
        kept = [(key, fields[key]) for key in ("Content-Type", "Content-Length", "Content-Range", "Docker-Content-Digest",
                                               "Docker-Distribution-Api-Version") if key in fields]
        self.answer(status, body, kept)

    do_HEAD = do_GET


class Server(http.server.ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request, client_address):
        pass


server = Server(("127.0.0.1", 0), Moody)
print(server.server_address[1], flush=True)
server.serve_forever()
