# SPDX-License-Identifier: MIT
"""Debian packages as applications: programs of packages.txt, and servers that the host asks. docs/programs.md lists them."""
import os
import re
import shlex
import signal
import socket
import subprocess
import time
import urllib.request

import pytest

pytestmark = pytest.mark.long
HERE = os.path.dirname(os.path.abspath(__file__))
FETCH_SECONDS = 900    # packages of some 100 MB from a slow mirror, their root, and the guest's own --timeout


def programs():
    with open(os.path.join(HERE, "packages.txt"), encoding="utf-8") as lines:
        for line in lines:
            if line.strip() and not line.startswith("#"):
                name, source, rest = (part.strip() for part in line.split("|", 2))
                argv, stdin, stdout = (part.strip() for part in rest.rsplit("|", 2))
                yield pytest.param(source, shlex.split(argv), stdin, stdout, id=name)


@pytest.mark.parametrize("source,argv,stdin,stdout", programs())
def test_program(build, source, argv, stdin, stdout):
    ended = build.command("run", "--cpus", "2", "--timeout", "120", source, *argv, input=stdin.encode() + b"\n", timeout=FETCH_SECONDS)
    output = ended.stdout.decode(errors="replace")
    assert ended.returncode == 0 and re.fullmatch(stdout, output), f"{ended.returncode}: {output}\n{ended.stderr.decode(errors='replace')}"


# Servers: what they run with /srv shared, the port, and what a client on the host sees.

FILES = {
    "index.html": "<p>a page\n",
    "lighttpd.conf": 'server.document-root = "/srv"\nserver.port = 80\nmimetype.assign = ( ".html" => "text/html" )\n',
    "haproxy.cfg": "global\n  nbthread 2\ndefaults\n  mode http\n  timeout connect 5s\n  timeout client 5s\n  timeout server 5s\n"
                   "frontend web\n  bind :80\n  http-request return status 200 content-type text/plain string 'a page'\n",
    "mosquitto.conf": "listener 1883 0.0.0.0\nallow_anonymous true\nuser root\n",
    "server.js": 'require("http").createServer((q, r) => r.end("a page")).listen(80)\n',
    "page.php": '<?php echo "a ", strrev("egap");\n',
    "server.rb": "require 'socket'\ns = TCPServer.new('0.0.0.0', 80)\nloop { Thread.new(s.accept) { |c|\n"
                 "  while (l = c.gets) && l != \"\\r\\n\"; end\n  c.write \"HTTP/1.0 200 OK\\r\\n\\r\\na page\"; c.close } }\n",
    "Server.java": """
import com.sun.net.httpserver.HttpServer;
public class Server {
    public static void main(String[] arguments) throws Exception {
        HttpServer server = HttpServer.create(new java.net.InetSocketAddress(80), 0);
        server.setExecutor(java.util.concurrent.Executors.newFixedThreadPool(8));
        server.createContext("/", exchange -> {
            exchange.sendResponseHeaders(200, 6);
            exchange.getResponseBody().write("a page".getBytes());
            exchange.close();
        });
        server.start();
    }
}
"""}


def ask(port, request, until):
    """The answer up to the text; less when the other end closes or says nothing for ten seconds."""
    answer = b""
    with socket.create_connection(("127.0.0.1", port), timeout=10) as peer:
        peer.sendall(request)
        while until not in answer:
            part = peer.recv(65536)
            if not part:
                break
            answer += part
    assert until in answer, answer


def http(path, text):
    def client(port):
        for _ in range(20):
            with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=10) as page:
                assert text in page.read()
    return client


def says(request, until):
    return lambda port: [ask(port, request, until) for _ in range(20)]


CONNECT = b"\x10\x10\x00\x04MQTT\x04\x02\x00\x3c\x00\x04test"
SERVERS = [
    ("memcached", "memcached -u root -t 2", 11211, says(b"set k 0 0 5\r\nhello\r\nget k\r\n", b"VALUE k 0 5\r\nhello\r\nEND\r\n")),
    ("beanstalkd", "beanstalkd", 11300, says(b"put 0 0 60 5\r\nhello\r\nreserve\r\n", b"5\r\nhello\r\n")),
    ("lighttpd", "lighttpd -D -f /srv/lighttpd.conf", 80, http("/index.html", b"<p>a page")),
    ("haproxy", "haproxy -f /srv/haproxy.cfg", 80, http("/", b"a page")),
    ("mosquitto", "mosquitto -c /srv/mosquitto.conf", 1883,
     says(CONNECT + b"\x82\x06\x00\x01\x00\x01a\x00" + b"\x30\x08\x00\x01ahello", b"\x30\x08\x00\x01ahello")),
    ("nats-server", "nats-server", 4222, says(b"SUB a 1\r\nPUB a 5\r\nhello\r\nPING\r\n", b"MSG a 1 5\r\nhello\r\n")),
    ("etcd-server", "etcd --data-dir /tmp/e --listen-client-urls http://0.0.0.0:2379 --advertise-client-urls http://0.0.0.0:2379",
     2379, http("/version", b'"etcdserver"')),
    ("nodejs", "node /srv/server.js", 80, http("/", b"a page")),
    ("php-cli", "php -S 0.0.0.0:80 -t /srv", 80, http("/page.php", b"a page")),
    ("ruby", "ruby /srv/server.rb", 80, http("/", b"a page")),
    ("openjdk-17-jdk-headless", "java -Xmx200m /srv/Server.java", 80, http("/", b"a page")),
]


def ask_until_it_serves(run, port, client, seconds):
    until = time.monotonic() + seconds
    while True:
        try:
            return client(port)
        except (OSError, AssertionError):    # QEMU's user network accepts before the guest listens
            if run.poll() is not None or time.monotonic() > until:
                raise
        time.sleep(1)


@pytest.mark.parametrize("package,words,port,client", [pytest.param(*server, id=server[0]) for server in SERVERS])
def test_server(build, tmp_path, package, words, port, client):
    """Twenty requests or connections, one after the other; then Ctrl-C ends it."""
    for name, text in FILES.items():
        (tmp_path / name).write_text(text)
    argv = words.split()
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        host = probe.getsockname()[1]
    with open(tmp_path / "log", "wb") as log:
        run = subprocess.Popen([build.remora, "run", "--cpus", "2", "--timeout", "280", "-p", f"{host}:{port}",
                                "-v", f"{tmp_path}:/srv:ro", f"deb:{package}", *argv], stdin=subprocess.DEVNULL, stdout=log, stderr=log)
    try:
        ask_until_it_serves(run, host, client, FETCH_SECONDS)
        run.send_signal(signal.SIGINT)
        assert run.wait(timeout=30) in (0, 128 + signal.SIGINT)
    except Exception as error:
        raise AssertionError((tmp_path / "log").read_text(errors="replace")) from error
    finally:
        run.kill()
        run.wait()
