#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""A git server over http(s) for tests: git http-backend, and servers that misbehave.

usage: git_http_server.py ROOT PORT_FILE [CERTIFICATE KEY]

    /git/<repository>       the repositories below ROOT, reading and writing
    /auth/<repository>      the same for user "tally" with password "s3cret"
    /v0/<repository>        the same without protocol version 2
    /redirect/<repository>  302 to another host
    /cut/<repository>       the answer to a POST ends in the middle
    /slow/<repository>      no answer
"""

import base64
import http.server
import os
import ssl
import subprocess
import sys
import time

BACKEND = os.path.join(subprocess.check_output(["git", "--exec-path"], text=True).strip(), "git-http-backend")


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *args):
        pass

    def read_body(self):
        if self.headers.get("Transfer-Encoding", "").lower() != "chunked":
            return self.rfile.read(int(self.headers.get("Content-Length", 0)))
        body = b""
        while True:
            size = int(self.rfile.readline().split(b";")[0], 16)
            body += self.rfile.read(size)
            self.rfile.readline()
            if size == 0:
                return body

    def plain(self, status, headers=()):
        self.send_response(status)
        for name, value in headers:
            self.send_header(name, value)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def authorized(self):
        expected = "Basic " + base64.b64encode(b"tally:s3cret").decode()
        return self.headers.get("Authorization") == expected

    def backend(self, path, body, cut, old):
        path, _, query = path.partition("?")
        env = {
            "PATH": os.environ["PATH"], "GIT_PROJECT_ROOT": ROOT, "GIT_HTTP_EXPORT_ALL": "1", "HOME": ROOT,
            "GIT_CONFIG_NOSYSTEM": "1",
            "PATH_INFO": path, "QUERY_STRING": query, "REQUEST_METHOD": self.command, "REMOTE_USER": "tally",
            "CONTENT_TYPE": self.headers.get("Content-Type", ""), "CONTENT_LENGTH": str(len(body)),
            "GIT_PROTOCOL": "" if old else self.headers.get("Git-Protocol", ""),
        }
        out = subprocess.run([BACKEND], input=body, env=env, stdout=subprocess.PIPE, check=False).stdout
        head, _, content = out.partition(b"\r\n\r\n")
        status = 200
        lines = [line.partition(": ")[::2] for line in head.decode().split("\r\n") if line]
        for name, value in lines:
            if name == "Status":
                status = int(value.split()[0])
        self.send_response(status)
        for name, value in lines:
            if name != "Status":
                self.send_header(name, value)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        if cut and self.command == "POST":
            self.wfile.write(content[:len(content) // 2])
            self.wfile.flush()
            self.close_connection = True
            return
        self.wfile.write(content)

    def serve(self):
        body = self.read_body()
        mode, _, rest = self.path[1:].partition("/")
        if mode == "redirect":
            self.plain(302, [("Location", "http://elsewhere.example/" + rest)])
        elif mode == "slow":
            time.sleep(60)
        elif mode == "auth" and not self.authorized():
            self.plain(401, [("WWW-Authenticate", 'Basic realm="test"')])
        elif mode in ("git", "auth", "cut", "v0"):
            self.backend("/" + rest, body, mode == "cut", mode == "v0")
        else:
            self.plain(404)

    do_GET = do_POST = serve


class Server(http.server.ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request, client_address):
        pass


ROOT = sys.argv[1]
server = Server(("127.0.0.1", 0), Handler)
if len(sys.argv) > 3:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(sys.argv[3], sys.argv[4])
    server.socket = context.wrap_socket(server.socket, server_side=True)
with open(sys.argv[2] + ".tmp", "w", encoding="ascii") as f:
    f.write(str(server.server_port))
os.rename(sys.argv[2] + ".tmp", sys.argv[2])
server.serve_forever()
