#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What a Prometheus server scrapes, and a server like it that misbehaves: prometheus_stub.py SCRIPT

Prints its port. SCRIPT is read anew for each request:

    { "metrics": "text of /metrics",
      "answers": { "<query>": {"status": 200, "body": "…", "delay": 0.5, "cut": 3, "location": "/x"} } }

The answer to a query is sent after `delay` seconds; `cut` ends the connection after so many bytes of the body. A query
that is not in the script closes the connection without an answer.
"""

import http.server
import json
import sys
import time
import urllib.parse


class Stub(http.server.BaseHTTPRequestHandler):
    def log_message(self, *args):
        pass

    def answer(self, status, body, headers=(), cut=None):
        self.send_response(status)
        for name, value in headers:
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body[:cut])

    def do_GET(self):
        with open(sys.argv[1]) as file:
            script = json.load(file)
        url = urllib.parse.urlsplit(self.path)
        if url.path == "/metrics":
            self.answer(200, script["metrics"].encode(), [("Content-Type", "text/plain; version=0.0.4")])
            return
        query = urllib.parse.parse_qs(url.query).get("query", [""])[0]
        entry = script["answers"].get(query)
        if url.path != "/api/v1/query" or entry is None:
            return
        time.sleep(entry.get("delay", 0))
        headers = [("Location", entry["location"])] if "location" in entry else []
        self.answer(entry.get("status", 200), entry.get("body", "").encode(), headers, entry.get("cut"))


server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Stub)
server.daemon_threads = True
print(server.server_port, flush=True)
server.serve_forever()
