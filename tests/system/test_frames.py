# SPDX-License-Identifier: MIT
"""Broken frames on the tap, and a name server that lies: the guest goes on answering, and loses no memory."""
import re
import subprocess
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


def guest(build, folder, network=None, limit=280):
    source = python_folder(folder, SERVER)
    with open(folder / "remora.conf", "a", encoding="ascii") as conf:
        conf.write("[env]\nRES_OPTIONS = timeout:1 attempts:1\n")
    return serve(build, "tap", 80, [source], folder, ["-m", "128", "--cpus", "2"], probe="GET /proc/stat HTTP/1.0\r\n\r\n",
                 on=network and (network, "t0"), limit=limit)


@pytest.mark.parametrize("seed,seconds,settle,kept_kib", [(1, 20, 0, 4096), pytest.param(2, 600, 90, 512, marks=pytest.mark.long)])
def test_broken_frames(build, tmp_path, seed, seconds, settle, kept_kib):
    """Connections that have ended, and pieces of packets, are remembered for a minute: `settle`."""
    mac = ":".join(f"{byte:02x}" for byte in mac_of("server"))
    with guest(build, tmp_path, limit=seconds + settle + 260) as served:
        shown = served.run(sys.executable, f"{HERE}/frame_fuzz.py", "--seed", str(seed), "--seconds", str(seconds), "--settle", str(settle),
                           "--keep", str(tmp_path / "frames.pcap"), "t0", served.address, mac, timeout=seconds + settle + 150)
        print(shown)
        count, less = re.fullmatch(r"(\d+) frames, the kernel holds (-?\d+) KiB less\n", shown).groups()
        assert int(count) > 50 * seconds and int(less) > -kept_kib, shown


@pytest.mark.parametrize("seed,boots,seconds", [(1, 2, 5), pytest.param(2, 10, 60, marks=pytest.mark.long)])
def test_lies_by_dhcp(build, seed, boots, seconds):
    """Whatever a server answers, a guest starts, runs and ends; and takes the address that an honest one gives it afterwards."""
    mac = ":".join(f"{byte:02x}" for byte in mac_of("client"))
    image = build.image("deb:busybox-static", "busybox")

    def run(network, *words):
        return network.run([build.remora, "run", "--timeout", str(seconds + 60), "-m", "64", "--name", "client", "--net", "tap:t0", image, "busybox", *words],
                           stdin=subprocess.DEVNULL, capture_output=True, timeout=seconds + 90)

    with TapNetwork("t0:0:silent") as network:
        liar = network.popen([sys.executable, f"{HERE}/dhcp_lies.py", "--seed", str(seed), "t0", TapNetwork.guest, mac],
                             stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        try:
            assert liar.stdout.readline() == b"ready\n"
            for _ in range(boots):
                ended = run(network, "sleep", str(seconds))
                assert ended.returncode == 0 and ended.stdout == b"", ended
            shown = liar.communicate(timeout=10)[0].decode()
        finally:
            liar.kill()
            liar.wait()
        print(shown)
        assert int(re.match(r"(\d+) questions", shown).group(1)) > 2 * boots, shown
    with TapNetwork() as network:
        ended = run(network, "ifconfig", "eth0")
        assert b"inet addr:10.0.2.15" in ended.stdout, ended
