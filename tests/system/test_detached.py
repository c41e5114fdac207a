# SPDX-License-Identifier: MIT
"""Detached guests with QEMU and the kernel: the program is asked to end, and nothing is left."""
import json
import os
import time

import pytest


@pytest.fixture
def remora(build, tmp_path):
    """The command with guests of its own; those that run afterwards are ended."""
    environment = dict(os.environ, XDG_STATE_HOME=str(tmp_path))

    def command(*words):
        return build.command(*words, timeout=120, env=environment)

    yield command
    for guest in json.loads(command("ps", "--json").stdout):
        command("stop", "--time", "0", guest["name"])


def test_program_catches_the_end(remora):
    started = remora("run", "-d", "--timeout", "100", "--name", "trap", "-m", "64", "deb:busybox-static", "busybox", "sh", "-c",
                     "trap 'echo asked; exit 6' TERM; echo up; while :; do :; done")
    assert (started.returncode, started.stdout) == (0, b"trap\n"), started.stderr
    assert json.loads(remora("ps", "--json").stdout)[0]["state"] == "running"
    until = time.monotonic() + 30
    while remora("logs", "trap").stdout != b"up\n":
        assert time.monotonic() < until
        time.sleep(0.1)
    stopped = remora("stop", "trap")
    assert stopped.returncode == 0, stopped.stderr
    assert remora("logs", "trap").stdout == b"up\nasked\n"
    (guest,) = json.loads(remora("ps", "-a", "--json").stdout)
    assert (guest["state"], guest["status"]) == ("exited", 6)


def test_program_ends_by_the_signal(remora, build):
    assert remora("run", "-d", "--timeout", "100", "--name", "idle", "-m", "64", build.program("idle")).returncode == 0
    assert remora("stop", "idle").returncode == 0
    assert json.loads(remora("ps", "-a", "--json").stdout)[0]["status"] == 128 + 15
