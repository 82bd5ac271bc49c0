#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""A registry that misbehaves on request: registry_stub.py LOG

Prints its port. What it does depends on the first part of the repository's name; every request is a line in LOG:
method, path without query, what kind of Authorization it carried.
"""

import base64
import hashlib
import http.server
import json
import sys
import time
import urllib.parse

TYPE = "application/vnd.oci.image.manifest.v1+json"
MANIFEST = json.dumps({"schemaVersion": 2, "mediaType": TYPE, "layers": []}).encode()
OTHER = MANIFEST + b"\n"
USER, PASSWORD, IDENTITY, TOKEN = "jane", "s3cret-Pass", "id3ntity-Token", "t0ken.abc-"


def digest(body):
    return "sha256:" + hashlib.sha256(body).hexdigest()


class Stub(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *args):
        pass

    def note(self):
        kind = self.headers.get("Authorization", "none").split(" ")[0]
        with open(sys.argv[1], "a") as log:
            print(self.command, self.path.split("?")[0], kind, file=log)

    def answer(self, status, body=b"", headers=()):
        self.send_response(status)
        for name, value in headers:
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def manifest(self, body=MANIFEST, said=None):
        self.answer(200, body, [("Content-Type", TYPE), ("Docker-Content-Digest", said or digest(body))])

    def here(self, host="127.0.0.1"):
        return f"http://{host}:{self.server.server_port}"

    def challenge(self, realm):
        self.answer(401, b'{"errors":[{"code":"UNAUTHORIZED","message":"authentication required"}]}',
                    [("WWW-Authenticate", f'Bearer realm="{realm}",service="stub",scope="repository:{self.repository}:pull"')])

    def with_token(self, realm):
        if self.headers.get("Authorization") == "Bearer " + TOKEN + self.repository.replace("/", "-"):
            self.manifest()
        else:
            self.challenge(realm)

    # One for each name.

    def do_good(self):
        self.manifest()

    def do_liar(self):
        self.manifest(said=digest(OTHER))

    def do_swapped(self):
        self.answer(200, OTHER, [("Content-Type", TYPE)])

    def do_token(self):
        self.with_token(self.here() + "/token")

    do_private = do_identity = do_token

    def do_evil(self):
        self.challenge("http://auth.example/token")

    def do_garbled(self):
        self.answer(401, b"", [("WWW-Authenticate", 'Bearer realm="open')])

    def do_forbidden(self):
        self.answer(403, b'{"errors":[{"code":"DENIED","message":"no\\u001b[31m"}]}')

    def do_cut(self):
        self.send_response(200)
        self.send_header("Content-Type", TYPE)
        self.send_header("Content-Length", str(len(MANIFEST)))
        self.end_headers()
        self.wfile.write(MANIFEST[:20])
        self.close_connection = True

    def do_slow(self):
        time.sleep(5)
        self.manifest()

    def do_busy(self):
        self.answer(429, b'{"errors":[{"code":"TOOMANYREQUESTS"}]}', [("Retry-After", "7")])

    def do_broken(self):
        self.answer(500, b"<html>")

    def do_html(self):
        self.answer(200, b"<html>please log in</html>", [("Content-Type", "text/html")])

    def do_huge(self):
        self.manifest(b"{" + b" " * (5 * 1024 * 1024) + b"}")

    def do_moved(self):
        self.answer(307, b"", [("Location", self.path.replace("moved", "good"))])

    def do_away(self):
        self.answer(307, b"", [("Location", self.here("localhost") + self.path.replace("away", "good"))])

    # The realm.

    def give_token(self, scope, allowed):
        repository = scope.split(":")[1]
        if not allowed:
            return self.answer(401, b"{}")
        return self.answer(200, json.dumps({"token": TOKEN + repository.replace("/", "-")}).encode())

    def do_GET(self):
        self.note()
        parts = urllib.parse.urlsplit(self.path)
        if parts.path == "/token":
            scope = urllib.parse.parse_qs(parts.query)["scope"][0]
            basic = "Basic " + base64.b64encode(f"{USER}:{PASSWORD}".encode()).decode()
            return self.give_token(scope, ":token/" in scope or self.headers.get("Authorization") == basic)
        self.repository = parts.path.split("/manifests/")[0].removeprefix("/v2/")
        return getattr(self, "do_" + self.repository.split("/")[0])()

    def do_POST(self):
        self.note()
        form = urllib.parse.parse_qs(self.rfile.read(int(self.headers["Content-Length"])).decode())
        self.give_token(form["scope"][0], form["grant_type"] == ["refresh_token"] and form["refresh_token"] == [IDENTITY])


class Server(http.server.ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request, client_address):
        pass


server = Server(("127.0.0.1", 0), Stub)
print(server.server_port, digest(MANIFEST), flush=True)
server.serve_forever()
