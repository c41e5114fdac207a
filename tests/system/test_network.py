# SPDX-License-Identifier: MIT
"""A guest reached from the host through a forwarded port of QEMU's user network."""
import http.client
import json
import os
import time


def fetch(port, path):
    client = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
    client.request("GET", path)
    return client.getresponse().read()


def test_web_server(build, tmp_path):
    environment = dict(os.environ, XDG_STATE_HOME=str(tmp_path))
    started = build.command("run", "-d", "--name", "page", "--timeout", "100", "-m", "64", "-p", "127.0.0.1:0:80",
                            build.program("httpd"), "80", env=environment)
    assert started.returncode == 0, started.stderr
    try:
        (guest,) = json.loads(build.command("ps", "--json", env=environment).stdout)
        port, until = guest["ports"][0]["host"], time.monotonic() + 30
        while True:
            try:
                first = json.loads(fetch(port, "/status"))
                break
            except (OSError, http.client.HTTPException):
                assert time.monotonic() < until, "no answer"
                time.sleep(0.2)
        assert "aarch64, page" in first["system"] and first["memory_total_kib"] == 64 * 1024
        assert fetch(port, "/").startswith(b"<!doctype html>")
        assert json.loads(fetch(port, "/status"))["requests"] == first["requests"] + 2
    finally:
        build.command("stop", "page", env=environment)
    (guest,) = json.loads(build.command("ps", "-a", "--json", env=environment).stdout)
    assert (guest["state"], guest["status"]) == ("exited", 0)
