# SPDX-License-Identifier: MIT
"""programs/httpd on this machine, under ASan and UBSan: its figures, its limits, what it refuses."""
import http.client
import json
import os
import re
import shutil
import signal
import socket
import subprocess

import pytest

from conftest import HERE

SOURCES = [os.path.join(HERE, "../../programs/httpd", name) for name in ("httpd.c", "page.c")]


@pytest.fixture(scope="module")
def port(tmp_path_factory):
    program = str(tmp_path_factory.mktemp("httpd") / "httpd")
    subprocess.run(["gcc", "-O1", "-g", "-fsanitize=address,undefined", "-fno-sanitize-recover=all", *SOURCES,
                    "-o", program], check=True, timeout=120)
    with subprocess.Popen([program, "0"], stdout=subprocess.PIPE, text=True, env=dict(os.environ, BOOT_INSTRUCTIONS="424242")) as server:
        yield int(server.stdout.readline().split()[-1])
        server.send_signal(signal.SIGTERM)
        assert server.wait(timeout=10) == 0


def raw(port, data):
    """All that comes back for these bytes, until the server closes."""
    with socket.create_connection(("127.0.0.1", port), timeout=10) as peer:
        peer.sendall(data)
        peer.shutdown(socket.SHUT_WR)
        return b"".join(iter(lambda: peer.recv(65536), b""))


def test_page_and_figures_on_one_connection(port):
    client = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    seen = []
    for path in ("/", "/status", "/status?x"):
        client.request("GET", path)
        reply = client.getresponse()
        body = reply.read()
        assert reply.status == 200 and len(body) == int(reply.getheader("Content-Length"))
        seen.append(body)
    assert seen[0].startswith(b"<!doctype html>") and b"http://" not in seen[0] and b"https://" not in seen[0]
    first, second = json.loads(seen[1]), json.loads(seen[2])
    assert second["requests"] == first["requests"] + 1 and second["uptime_s"] >= first["uptime_s"]
    assert 0 < first["memory_free_kib"] <= first["memory_total_kib"] and first["threads"] >= 1
    assert len(first["log"]) <= 20
    assert first["boot_ms"] > 0 and (first["boot_instructions"], first["boot_counted"]) == (424242, "before")


def test_head_has_no_body(port):
    client = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    client.request("HEAD", "/")
    reply = client.getresponse()
    assert reply.status == 200 and int(reply.getheader("Content-Length")) > 1000 and reply.read() == b""


def test_requests_in_one_piece_are_answered_in_turn(port):
    replies = raw(port, b"GET /a HTTP/1.1\r\n\r\nGET /status HTTP/1.1\r\n\r\nGET /b HTTP/1.1\r\nConnection: close\r\n\r\n")
    assert [part[:3] for part in replies.split(b"HTTP/1.1 ")[1:]] == [b"404", b"200", b"404"]


def test_request_byte_by_byte(port):
    with socket.create_connection(("127.0.0.1", port), timeout=10) as peer:
        for byte in b"GET /none HTTP/1.0\r\n\r\n":
            peer.send(bytes([byte]))
        assert peer.recv(65536).startswith(b"HTTP/1.1 404")


@pytest.mark.parametrize("request_,status", [
    (b"nonsense\r\n\r\n", b"400"), (b"GET / SPDY/1\r\n\r\n", b"400"), (b"GET /\0 HTTP/1.1\r\n\r\n", b"400"),
    (b"POST / HTTP/1.1\r\nContent-Length: 3\r\n\r\nabc", b"405"), (b"GET / HTTP/1.1\r\ncontent-length: 3\r\n\r\nabc", b"413"),
    (b"GET /" + b"a" * 300 + b" HTTP/1.1\r\n\r\n", b"400"), (b"GET / HTTP/1.1\r\nX: " + b"a" * 5000, b"431"),
    (b"GET /../etc/passwd HTTP/1.0\r\n\r\n", b"404"), (b"GET /etc/passwd HTTP/1.0\r\n\r\n", b"404")])
def test_what_is_refused(port, request_, status):
    reply = raw(port, request_)
    assert reply.startswith(b"HTTP/1.1 " + status), reply[:100]


def test_more_connections_than_places(port):
    peers = [socket.create_connection(("127.0.0.1", port), timeout=10) for _ in range(100)]
    for peer in peers:
        peer.sendall(b"GET /none HTTP/1.1\r\n\r\n")
    for peer in peers:  # those that wait get a place when others leave
        assert peer.recv(65536).startswith(b"HTTP/1.1 404")
        peer.close()


@pytest.mark.skipif(not shutil.which("chromium"), reason="chromium is not installed")
def test_page_in_a_browser(port, tmp_path):
    """The page's own script fills it."""
    shown = subprocess.run(["chromium", "--headless=new", "--no-sandbox", "--disable-gpu", f"--user-data-dir={tmp_path}",
                            "--virtual-time-budget=4000", "--dump-dom", f"http://127.0.0.1:{port}/"],
                           capture_output=True, text=True, timeout=100).stdout
    assert re.search(r'id="threads">\d+<', shown) and re.search(r'id="used">[\d.]+ MiB<', shown), shown[-3000:]
    assert re.search(r'id="boot">\d+ ms<', shown) and 'id="count">424,242<' in shown, shown[-3000:]
    assert len(re.search(r'points="([^"]*)"', shown).group(1).split()) == 60
