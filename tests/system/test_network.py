# SPDX-License-Identifier: MIT
"""A guest reached from the host through a forwarded port of QEMU's user network."""
import http.client
import json
import os
import re
import subprocess
import time

import pexpect

from conftest import TOP


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


def test_make_run_in_a_browser(build, tmp_path):
    """What `make run` shows: the page in a browser, filled by the guest; Ctrl-C in the terminal ends it."""
    demo = pexpect.spawn(f"{TOP}/scripts/demo", [build.folder], timeout=90, env=dict(os.environ, TERM="vt100"))
    try:
        demo.expect(r"page is at (http://127\.0\.0\.1:\d+/) ")
        shown = subprocess.run(["chromium", "--headless=new", "--no-sandbox", "--disable-gpu", f"--user-data-dir={tmp_path}",
                                "--virtual-time-budget=4000", "--dump-dom", demo.match.group(1).decode()],
                               capture_output=True, text=True, timeout=100).stdout
        boot = re.search(r'id="boot">(\d+) ms<', shown)
        count = re.search(r'id="count">([\d,]+)<', shown)
        assert boot and int(boot.group(1)) > 0 and count and 200_000 < int(count.group(1).replace(",", "")) < 2_000_000, shown[-3000:]
        assert re.search(r'id="threads">1<', shown) and re.search(r'id="used">[\d.]+ MiB<', shown), shown[-3000:]
        assert "linux,dummy-virt" in re.search(r'id="log">([^<]*)<', shown).group(1), shown[-3000:]
        assert len(re.search(r'points="([^"]*)"', shown).group(1).split()) == 60
        demo.send("\x03")
        demo.expect(pexpect.EOF)
        demo.wait()
        assert demo.exitstatus == 0
    finally:
        demo.close(force=True)
