# SPDX-License-Identifier: MIT
"""`remora run -d`, ps, logs, stop and rm against a played guest."""
import json
import os
import signal
import socket
import subprocess
import time

import pytest

from conftest import write_kernel

IMAGE_FEATURE_NETWORK = 1


@pytest.fixture
def guests(tool):
    """The tool; what still runs afterwards is ended."""
    yield tool
    for guest in listed(tool):
        if guest["state"] == "running":
            os.kill(guest["pid"], signal.SIGKILL)


def listed(tool, *options):
    return json.loads(tool.ok("ps", "--json", *options).stdout)


def start(tool, programs, guest, *options):
    return tool.ok("run", "-d", *options, programs["static"], "a b", guest=guest).stdout.decode().strip()


def within(seconds, check):
    until = time.monotonic() + seconds
    while not check():
        assert time.monotonic() < until, "too late"
        time.sleep(0.05)


def children(pid):
    """Processes that process pid started."""
    with open(f"/proc/{pid}/task/{pid}/children", encoding="ascii") as file:
        return [int(word) for word in file.read().split()]


def alive(pid):
    try:
        with open(f"/proc/{pid}/stat", encoding="ascii") as file:
            return file.read().rsplit(")", 1)[1].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


def test_life_of_a_guest(guests, programs):
    assert start(guests, programs, "terminate 5", "--name", "web") == "web"
    (guest,) = listed(guests)
    assert (guest["name"], guest["state"], guest["command"]) == ("web", "running", [programs["static"], "a b"])
    assert b"web" in guests.ok("ps").stdout and alive(guest["pid"])
    guests.fails(125, "run", "-d", "--name", "web", programs["static"], text="a guest named web is running")
    guests.fails(125, "rm", "web", text="remora stop web")
    within(10, lambda: guests.ok("logs", "web").stdout == b"ready\n")
    guests.ok("stop", "web")
    assert not alive(guest["pid"]) and listed(guests) == []
    (guest,) = listed(guests, "-a")
    assert (guest["state"], guest["status"]) == ("exited", 5) and "pid" not in guest
    assert guests.ok("logs", "web").stdout == b"ready\nasked to end\n"
    guests.fails(125, "stop", "web", text="does not run")
    guests.ok("rm", "web")
    assert listed(guests, "-a") == []


def test_a_program_that_does_not_end(guests, programs):
    start(guests, programs, "hang", "--name", "h")
    (guest,) = listed(guests)
    started = time.monotonic()
    guests.ok("stop", "--time", "0.3", "h")
    assert time.monotonic() - started < 10 and not alive(guest["pid"])
    assert listed(guests, "-a")[0]["status"] == 143


def test_names_are_made(guests, programs):
    first, second = start(guests, programs, "hang"), start(guests, programs, "hang")
    assert first != second and first.startswith("static-")
    assert sorted(guest["name"] for guest in listed(guests)) == sorted([first, second])


def test_nothing_is_left_of_a_killed_supervisor(guests, programs):
    start(guests, programs, "hang", "--name", "k")
    (guest,) = listed(guests)
    (qemu,) = children(guest["pid"])
    os.kill(guest["pid"], signal.SIGKILL)
    within(10, lambda: not alive(qemu))
    assert listed(guests) == [] and listed(guests, "-a")[0]["state"] == "lost"
    assert start(guests, programs, "exit 0", "--name", "k") == "k"


def test_follow(guests, programs):
    start(guests, programs, "terminate 0", "--name", "f")
    follow = subprocess.Popen([guests.remora, "logs", "-f", "f"], env=guests.environment, stdout=subprocess.PIPE)
    assert follow.stdout.readline() == b"ready\n"
    guests.ok("stop", "f")
    assert follow.stdout.read() == b"asked to end\n" and follow.wait(timeout=10) == 0


def test_log_is_bounded(guests, programs):
    """Of 12 MB the last 4 to 8 are kept, without a gap; who follows gets them as they come."""
    start(guests, programs, "lines 1200000", "--name", "long")
    follow = subprocess.Popen([guests.remora, "logs", "-f", "long"], env=guests.environment, stdout=subprocess.PIPE)
    followed = follow.stdout.read().splitlines()
    within(20, lambda: listed(guests) == [])
    kept = [int(line) for line in guests.ok("logs", "long").stdout.splitlines()[1:]]    # the first may be cut
    assert kept == list(range(kept[0], 1200000)) and 4 << 20 <= 10 * len(kept) <= 9 << 20
    assert int(followed[-1]) == 1199999
    guests.ok("rm", "long")
    assert listed(guests, "-a") == []


def test_status_of_an_ended_one_stays(guests, programs):
    start(guests, programs, "exit 7", "--name", "e")
    within(10, lambda: listed(guests) == [])
    assert listed(guests, "-a")[0]["status"] == 7 and guests.ok("logs", "e").stdout == b"out\n"


def test_one_that_does_not_start(guests, programs):
    result = guests.command("run", "-d", "--name", "s", programs["static"], guest="silent")
    assert result.returncode == 125 and b"without a status" in result.stderr and result.stdout == b""
    assert listed(guests, "-a") == []
    guests.fails(127, "run", "-d", "--name", "s", "/nowhere", text="/nowhere")
    assert listed(guests, "-a") == []


def test_ports_are_told_and_listed(guests, programs):
    write_kernel(guests.kernel, IMAGE_FEATURE_NETWORK)
    result = guests.ok("run", "-d", "--name", "p", "-p", "127.0.0.1:0:80", programs["static"], guest="hang")
    (port,) = listed(guests)[0]["ports"]
    assert port["guest"] == 80 and port["host"] and port["protocol"] == "tcp"
    assert f"127.0.0.1:{port['host']} is the guest's port 80".encode() in result.stderr
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        held.listen()
        taken = held.getsockname()[1]
        guests.fails(125, "run", "-d", "-p", f"{taken}:80", programs["static"], text=f"port {taken} of the host is in use")


@pytest.mark.parametrize("words", [["ps", "x"], ["logs"], ["logs", "a", "b"], ["logs", "none"], ["logs", "../x"], ["stop"], ["stop", "none"],
                                   ["stop", "--time", "x", "a"], ["rm"], ["rm", "none"]])
def test_bad_words(guests, words):
    guests.fails(125, *words)


@pytest.mark.parametrize("name", ["..", "a/b", "", "-a", "a" * 64, "a b"])
def test_bad_names(guests, programs, name):
    guests.fails(125, "run", "-d", "--name=" + name, programs["static"], text="with -d a name has")
