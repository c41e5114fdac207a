# SPDX-License-Identifier: MIT
"""Unmodified servers of Debian, reached from the host over QEMU's user network and over a tap, by virtio-mmio and virtio-pci."""
import contextlib
import json
import os
import random
import re
import socket
import subprocess
import sys
import time

import pytest

from tapnet import HERE, TapNetwork, mac_of

GUEST_SECONDS = 280
REDIS = ["deb:redis-server", "redis-server", "--bind", "0.0.0.0", "::", "--protected-mode", "no", "--save", "",
         "--appendonly", "no", "--ignore-warnings", "ARM64-COW-BUG"]    # that check forks
NGINX = """daemon off; master_process off; error_log stderr; pid /tmp/pid;
events {{ worker_connections 512; }}
http {{ access_log off; root /srv; keepalive_requests {requests};
        server {{ listen 80; listen [::]:80; }} }}
"""
ASYNCIO_SERVER = """
import asyncio
async def serve(reader, writer):
    while data := await reader.read(65536):
        writer.write(data)
        await writer.drain()
    writer.close()
async def main():
    server = await asyncio.start_server(serve, None, 7)
    await server.serve_forever()
asyncio.run(main())
"""
THREADED_SERVER = """
import socketserver
class Echo(socketserver.BaseRequestHandler):
    def handle(self):
        while data := self.request.recv(65536):
            self.request.sendall(data)
class Server(socketserver.ThreadingTCPServer):
    allow_reuse_address, request_queue_size, daemon_threads = True, 128, True
Server(("", 7), Echo).serve_forever()
"""
# A network and, behind its dash, the bus of the device; without one the command's own, virtio-mmio.
PLACES = ("tap", "tap-pci", "user", "user-pci")


def places(*short, of=PLACES):
    """Parameters: these places in `make test`, all of them in test-all."""
    return [pytest.param(place, marks=[] if place in short else pytest.mark.long) for place in of]


# Connected, and answered if something is said: QEMU's user network accepts before the guest does.
PROBE = """
import socket, sys
try:
    peer = socket.create_connection((sys.argv[1], int(sys.argv[2])), 2)
    peer.sendall(sys.argv[3].encode())
    sys.exit(sys.argv[3] != "" and peer.recv(1) == b"")
except OSError:
    sys.exit(1)
"""


class Served:
    """A guest with a server, and the host's side of its network."""

    def __init__(self, process, log, network, address, ports):
        self.process, self.log, self.network, self.address, self.ports = process, log, network, address, ports

    def text(self):
        self.log.seek(0)
        return self.log.read().decode(errors="replace")

    def command(self, words):
        return self.network.command(words) if self.network else words

    def run(self, *words, timeout=100, status=0):
        """A client on the host; {} and {PORT} in its words become the guest's address and the port that leads there."""
        words = [re.sub(r"\{(\d+)\}", lambda m: str(self.ports[int(m.group(1))]), word.replace("{}", self.address))
                 for word in words]
        ended = subprocess.run(self.command(words), capture_output=True, text=True, timeout=timeout)
        assert ended.returncode == status, f"{words} ended with {ended.returncode}\n{ended.stdout[-3000:]}\n" \
            f"{ended.stderr[-3000:]}\nthe guest:\n{self.text()[-3000:]}"
        return ended.stdout

    def wait(self, port, words, seconds=60):
        """Until the server accepts a connection and, if these words are any, answers them."""
        command = self.command([sys.executable, "-c", PROBE, self.address, str(self.ports[port]), words])
        until = time.monotonic() + seconds
        while subprocess.run(command, timeout=20).returncode:
            assert self.process.poll() is None and time.monotonic() < until, self.text()
            time.sleep(0.1)


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def device_words(place, tap, name, forwards=()):
    """Options of the command for a network device there; `forwards`: (port of the host, of the guest, tcp or udp)."""
    where, _, bus = place.partition("-")
    if bus != "pci" and where == "tap":
        return ["--net", f"tap:{tap}"]
    if bus != "pci":
        return [word for host, guest, kind in forwards for word in ("-p", f"127.0.0.1:{host}:{guest}/{kind}")]
    link = f"tap,id=n,ifname={tap},script=no,downscript=no" if where == "tap" else \
        "user,id=n" + "".join(f",hostfwd={kind}:127.0.0.1:{host}-:{guest}" for host, guest, kind in forwards)
    mac = ":".join(f"{byte:02x}" for byte in mac_of(name))
    return [f"--qemu-arg={word}" for word in ("-netdev", link, "-device", f"virtio-net-pci,netdev=n,mac={mac},romfile=")]


@contextlib.contextmanager
def connections_in_turn(port, target):
    relay = subprocess.Popen([sys.executable, f"{HERE}/in_turn.py", str(port), str(target)], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    try:
        assert relay.stdout.readline() == b"ready\n"
        yield
    finally:
        relay.kill()
        relay.communicate()


@contextlib.contextmanager
def serve(build, place, port, words, folder, options=(), name="server", probe="", on=None,
          address=TapNetwork.guest, limit=GUEST_SECONDS):
    """A guest at this place whose server is ready on `port`: it answers `probe`. `on`: network, tap."""
    with contextlib.ExitStack() as stack:
        log = stack.enter_context(open(f"{folder}/log-{place}", "w+b"))
        image = build.image(*words)     # here, since the tap's namespace has no way to packages
        network, tap = on or (stack.enter_context(TapNetwork()) if place.startswith("tap") else None, "t0")
        ports = {port: port if network else free_port()}
        taken = port if network else free_port()
        net = device_words(place, tap, name, [(taken, port, "tcp"), (ports[port], port, "udp")])
        command = [build.remora, "run", "--timeout", str(limit), "--name", name, *net, *options, image]
        process = subprocess.Popen(network.command(command) if network else command, stdin=subprocess.DEVNULL,
                                   stdout=log, stderr=subprocess.STDOUT)
        if not network:
            stack.enter_context(connections_in_turn(ports[port], taken))
        served = Served(process, log, network, address if network else "127.0.0.1", ports)
        try:
            served.wait(port, probe)
            yield served
            assert process.poll() is None, served.text()
        finally:
            process.terminate()
            process.wait(timeout=20)


@pytest.mark.parametrize("place", places("tap"))
def test_redis(build, tmp_path, place):
    """All tests that redis-benchmark has by default."""
    with serve(build, place, 6379, REDIS, tmp_path, probe="PING\n") as served:
        for pipeline, requests in ((1, 500), (16, 3200)):
            lines = served.run("redis-benchmark", "-h", "{}", "-p", "{6379}", "-c", "50", "-P", str(pipeline), "-n", str(requests),
                               "--csv", timeout=200).splitlines()
            assert len(lines) == 21 and all(float(line.split('","')[1]) > 0 for line in lines[1:]), lines
        assert len(served.run("redis-cli", "-h", "{}", "-p", "{6379}", "get", "key:__rand_int__").strip()) == 3


def nginx_folder(folder, requests=1000):
    """A source with nginx and files of known bytes: k of 1 KB, h of 100 KB, m of 1 MB, small of 600 bytes."""
    os.makedirs(folder / "srv", exist_ok=True)
    for name, size in (("small", 600), ("k", 1024), ("h", 100_000), ("m", 1 << 20)):
        (folder / "srv" / name).write_bytes(random.Random(name).randbytes(size))
    (folder / "nginx.conf").write_text(NGINX.format(requests=requests))
    (folder / "remora.conf").write_text("[program]\ncommand = /usr/sbin/nginx -c /nginx.conf\n[root]\nbase = deb:nginx-light\n"
                                        "[files]\n/srv = srv\n/nginx.conf = nginx.conf\n")
    return str(folder)


def http_load(served, url, file, requests, connections, close=False):
    """So many replies, each byte compared; then wrk for a second, to which nothing may happen."""
    shown = served.run(sys.executable, f"{HERE}/http_check.py", "--connections", str(connections), "--requests", str(requests),
                       *(["--close"] if close else []), url, str(file))
    assert shown == f"{requests} replies right\n"
    shown = served.run("wrk", "-t", "1", "-c", str(connections), "-d", "1", "--timeout", "20s",
                       *(["-H", "Connection: close"] if close else []), url)
    assert "Non-2xx" not in shown and "Requests/sec" in shown and "Socket errors" not in shown, shown + served.text()


@pytest.mark.parametrize("place", places("tap", "tap-pci", "user"))
def test_nginx(build, tmp_path, place):
    with serve(build, place, 80, [nginx_folder(tmp_path)], tmp_path, probe="HEAD /k HTTP/1.0\r\n\r\n") as served:
        for name, requests in (("k", 300), ("m", 20)):
            for connections in (1, 64):
                for close in (False, True):
                    http_load(served, f"http://{{}}:{{80}}/{name}", tmp_path / "srv" / name, requests, connections, close)
        if served.network:
            assert served.run(sys.executable, f"{HERE}/slow_check.py", "{}", "{80}", "/h", str(tmp_path / "srv/h")) == "60 replies right\n"


@pytest.mark.parametrize("cpus,place", [(2, "tap"), pytest.param(4, "tap-pci", marks=pytest.mark.long),
                                        pytest.param(1, "user", marks=pytest.mark.long)])
def test_go_server(build, tmp_path, cpus, place):
    """Caddy: Go's own scheduler, poller, signals and netlink instead of a libc's; its root is a disk."""
    nginx_folder(tmp_path)
    (tmp_path / "remora.conf").write_text("[program]\ncommand = /usr/bin/caddy file-server --listen :80 --root /srv\n"
                                          "[root]\nbase = deb:caddy\n[files]\n/srv = srv\n")
    with serve(build, place, 80, [str(tmp_path)], tmp_path, ["--cpus", str(cpus), "-m", "256"], probe="HEAD /k HTTP/1.0\r\n\r\n") as served:
        for name, requests in (("k", 100), ("m", 8)):
            for close in (False, True):
                http_load(served, f"http://{{}}:{{80}}/{name}", tmp_path / "srv" / name, requests, 8, close)


def iperf3(served, *words):
    """The end of the report. Before it and between two tests the server is busy, or does not listen; IPv6 starts later."""
    until = time.monotonic() + 20
    while True:
        ended = subprocess.run(served.command(["iperf3", "-J", *(word.replace("{}", served.address) for word in words)]),
                               capture_output=True, timeout=100)
        report = json.loads(ended.stdout)
        if ended.returncode == 0 and report["end"]:
            return report["end"]
        assert re.search("busy|refused|reset|closed unexpectedly|No route", report.get("error", "")) and time.monotonic() < until, (report, ended, served.text())
        time.sleep(0.2)


@pytest.mark.parametrize("place,family", [("tap", "-4"), ("tap", "-6"), *(pytest.param(*one, marks=pytest.mark.long) for one in (
    ("tap-pci", "-4"), ("tap-pci", "-6"), ("user", "-4"), ("user-pci", "-4")))])   # the user network forwards IPv4 only
def test_iperf3(build, tmp_path, place, family):
    out = ["--net", "user,out"] if place == "user" else []     # else QEMU drops answers to datagrams
    with serve(build, place, 5201, ["deb:iperf3", "iperf3", "-s"], tmp_path, out) as served:
        address = served.network.guest6("server") if family == "-6" else "{}"
        for kind in ([], ["-u", "-b", "2M", "-l", "1400"]):
            for way in ([], ["-R"]):
                end = iperf3(served, family, "-c", address, "-p", str(served.ports[5201]), "-t", "1", *kind, *way)
                if kind:
                    # A host that stops QEMU for half a second overruns a socket's buffer at this rate.
                    assert end["sum"]["packets"] > 100 and end["sum"]["lost_packets"] * 20 < end["sum"]["packets"], end["sum"]
                else:
                    assert end["sum_received"]["bytes"] > 1 << 20, end["sum_received"]


def python_folder(folder, server):
    (folder / "server.py").write_text(server)
    (folder / "remora.conf").write_text("[program]\ncommand = /usr/bin/python3 /server.py\n[root]\nbase = deb:python3-minimal,python3\n"
                                        "[files]\n/server.py = server.py\n")
    return str(folder)


@pytest.mark.parametrize("server", [ASYNCIO_SERVER, THREADED_SERVER], ids=["asyncio", "threads"])
@pytest.mark.parametrize("place", places("tap"))
def test_python_server(build, tmp_path, place, server):
    """What is sent comes back: eight connections at a time, half of them slow to read."""
    with serve(build, place, 7, [python_folder(tmp_path, server)], tmp_path, ["--cpus", "2"], probe="x") as served:
        shown = served.run(sys.executable, f"{HERE}/echo_check.py", "--connections", "8", "--size", "300000", "{}", "{7}")
        assert shown == "8 streams came back\n"


@pytest.mark.parametrize("place", places("tap"))
def test_curl_in_the_guest(build, tmp_path, place):
    """curl fetches from the host over HTTP and TLS, with the certificate checked."""
    subprocess.run(["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", "key.pem", "-out", "cert.pem", "-days", "3650",
                    "-subj", "/CN=10.0.2.2", "-addext", "subjectAltName=IP:10.0.2.2,IP:fd00::2"], cwd=tmp_path, check=True, capture_output=True)
    (tmp_path / "srv").mkdir()
    data = random.Random(1).randbytes(3_000_000)
    (tmp_path / "srv/data").write_bytes(data)
    (tmp_path / "remora.conf").write_text("[program]\ncommand = /usr/bin/curl\n[root]\nbase = deb:curl\n[files]\n/cert.pem = cert.pem\n")
    image = build.image(str(tmp_path))
    with contextlib.ExitStack() as stack:
        network = stack.enter_context(TapNetwork()) if place.startswith("tap") else None
        inside = network.command if network else list
        ports = [8000, 8443] if network else [free_port(), free_port()]
        for words in ([str(ports[0])], [str(ports[1]), "cert.pem", "key.pem"]):
            server = stack.enter_context(subprocess.Popen(inside([sys.executable, f"{HERE}/file_server.py", "srv", *words]), cwd=tmp_path,
                                                          stdin=subprocess.PIPE, stdout=subprocess.PIPE))
            assert server.stdout.readline() == b"ready\n"
        net = ["--net", "user,out"] if place == "user" else device_words(place, "t0", "client")
        for url in (f"http://10.0.2.2:{ports[0]}", f"https://10.0.2.2:{ports[1]}") + ((f"https://[fd00::2]:{ports[1]}",) if network else ()):
            ended = subprocess.run(inside([build.remora, "run", "-q", "--timeout", "100", *net, image, "curl", "-sS", "-g", "--retry", "5",
                                           "--retry-all-errors", "--cacert", "/cert.pem", url + "/data"]),
                                   stdin=subprocess.DEVNULL, capture_output=True, timeout=120)
            assert ended.returncode == 0 and ended.stdout == data, (url, len(ended.stdout), ended.stderr)


@contextlib.contextmanager
def bad_cable(network, *words):
    """relay.py between taps t0 and q0 of the network; what it did goes to the list that is yielded."""
    relay = network.popen([sys.executable, f"{HERE}/relay.py", *words, "t0", "q0"], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    try:
        assert relay.stdout.readline() == b"ready\n"
        did = []
        yield did
        relay.stdin.close()
        did += relay.stdout.read().decode().splitlines()
        assert relay.wait(timeout=10) == 0
    finally:
        relay.kill()
        relay.wait()
        relay.stdout.close()


@pytest.mark.parametrize("loss,size,offload", [
    (1, 100_000, "on"), pytest.param(1, 500_000, "off", marks=pytest.mark.long), pytest.param(10, 60_000, "on", marks=pytest.mark.long),
    pytest.param(10, 60_000, "off", marks=pytest.mark.long)])
def test_bad_cable(build, tmp_path, loss, size, offload):
    """Loss, reordering, duplication and delay both ways: all comes back, and right."""
    offloads = [word for name in ("host_tso4", "guest_tso4", "csum", "guest_csum", "mrg_rxbuf")
                for word in ("--qemu-arg", "-global", "--qemu-arg", f"virtio-net-device.{name}={offload}")]
    with TapNetwork("t0:0", "q0") as network, bad_cable(network, "--loss", str(loss), "--double", "1", "--reorder", "3", "--delay", "2") as did:
        with serve(build, "tap", 7, [python_folder(tmp_path, ASYNCIO_SERVER)], tmp_path, offloads, probe="x", on=(network, "q0")) as served:
            shown = served.run(sys.executable, f"{HERE}/echo_check.py", "--connections", "4", "--size", str(size), "--seconds", "200", "{}",
                               "{7}", timeout=210)
            assert shown == "4 streams came back\n"
    assert len(did) == 2 and all(re.search("[1-9][0-9]* lost.*[1-9][0-9]* late", line) for line in did), did
