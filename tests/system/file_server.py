#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""Serves a folder over HTTP, or TLS with a certificate, until its standard input ends.

    file_server.py FOLDER PORT [CERTIFICATE KEY]
"""
import functools
import http.server
import socket
import ssl
import sys
import threading


class Server(http.server.ThreadingHTTPServer):
    address_family = socket.AF_INET6

    def server_bind(self):
        self.socket.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
        super().server_bind()


class Handler(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *words):
        pass


def main():
    server = Server(("::", int(sys.argv[2])), functools.partial(Handler, directory=sys.argv[1]))
    if len(sys.argv) > 3:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(sys.argv[3], sys.argv[4])
        server.socket = context.wrap_socket(server.socket, server_side=True)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    print("ready", flush=True)
    sys.stdin.read()


main()
