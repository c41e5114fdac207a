# SPDX-License-Identifier: MIT
"""Broken frames on the tap, and a name server that lies: the guest goes on answering, and loses no memory."""
import re
import sys

import pytest

from tapnet import HERE, TapNetwork, mac_of
from test_servers import python_folder, serve

# HTTP that answers with files of /proc, an echo of datagrams, and a thread that asks for names all the time.
SERVER = """
import http.server, os, socket, threading
class Handler(http.server.BaseHTTPRequestHandler):
    timeout = 20
    def do_GET(self):
        data = open(self.path, "rb").read() if self.path.startswith("/proc/") else b""
        self.send_response(200)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)
    def log_message(self, *words):
        pass
class Server(http.server.ThreadingHTTPServer):
    address_family, request_queue_size = socket.AF_INET6, 128
    def handle_error(self, *words):
        pass
def echo():
    with socket.socket(socket.AF_INET6, socket.SOCK_DGRAM) as peer:
        peer.bind(("::", 7))
        while True:
            try:
                peer.sendto(*peer.recvfrom(2000))
            except OSError:
                pass
def ask():
    number = 0
    while True:
        number += 1
        try:
            socket.getaddrinfo(f"n{number}.example", 80)
        except (OSError, UnicodeError):
            pass
for work in (echo, ask):
    threading.Thread(target=work, daemon=True).start()
Server(("::", 80), Handler).serve_forever()
"""
LOSS_KIB = 2048


def guest(build, folder, network=None, limit=280):
    source = python_folder(folder, SERVER)
    with open(folder / "remora.conf", "a", encoding="ascii") as conf:
        conf.write("[env]\nRES_OPTIONS = timeout:1 attempts:1\n")
    return serve(build, "tap", 80, [source], folder, ["-m", "128", "--cpus", "2"], probe="GET /proc/stat HTTP/1.0\r\n\r\n",
                 on=network and (network, "t0"), limit=limit)


def fuzz(served, *words, timeout=200):
    mac = ":".join(f"{byte:02x}" for byte in mac_of("server"))
    shown = served.run(sys.executable, f"{HERE}/frame_fuzz.py", *words, "t0", served.address, mac, timeout=timeout)
    print(shown)
    count, lost = re.fullmatch(r"(\d+) frames, (-?\d+) KiB less\n", shown).groups()
    assert int(lost) < LOSS_KIB, shown
    return int(count)


@pytest.mark.parametrize("seed,seconds", [(1, 20), pytest.param(2, 600, marks=pytest.mark.long)])
def test_broken_frames(build, tmp_path, seed, seconds):
    with guest(build, tmp_path, limit=seconds + 260) as served:
        count = fuzz(served, "--seed", str(seed), "--seconds", str(seconds), "--keep", str(tmp_path / "frames.pcap"), timeout=seconds + 150)
        assert count > 50 * seconds
