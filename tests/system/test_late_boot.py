# SPDX-License-Identifier: MIT
"""What the boot does beside the first program is there when that asks for it, however early; its end may come first."""
import os
import subprocess

import pytest

from guest import Machine, boot

HERE = os.path.dirname(os.path.abspath(__file__))
DEVICES = ["-netdev", "user,id=n", "-device", "virtio-net-device,netdev=n", "-device", "virtio-rng-pci",
           "-device", "virtio-balloon-pci"]
MOUNTS = ["/", "/dev", "/dev/shm", "/proc", "/sys"]
# What the program is told, the status it ends with, its output: all lines, or some of them (a set), or any (None).
WAYS = {
    "line": (0, ["a line"]),
    "exit": (7, []),
    "fault": (139, []),
    "absent": (0, []),
    "pid": (0, []),
    "compute": (0, ["computed", *MOUNTS]),
    "mounts": (0, MOUNTS),
    "network": (0, ["10.x.x.15"]),
    "sysfs": (0, {"lo", "eth0"}),
    "devices": (0, {"null", "console", "shm", "hwrng"}),
    "tmpfs": (0, []),
    "readlink": (0, None),
    "over": (0, ["a line"]),
    "input": (0, ["typed before there is a driver"]),
    "wait": (0, ["typed before there is a driver"]),
}


@pytest.fixture(scope="module")
def program(tmp_path_factory):
    path = str(tmp_path_factory.mktemp("at_once") / "at_once")
    subprocess.run(["aarch64-linux-gnu-gcc", "-static", "-nostdlib", "-ffreestanding", "-O1", "-Wall", "-o", path,
                    f"{HERE}/at_once.c"], check=True, timeout=60)
    return path


def check(build, program, way, cpus, words=""):
    status, lines = WAYS[way]
    machine = Machine.parse(f"late memory=64 cpus={cpus}")
    stdin = b"typed before there is a driver\n"  # comes with the program's start; nearly a FIFO
    result = boot(build.image(program, way), machine, words, stdin=stdin, timeout=60, extra=DEVICES)
    ended = 139 if result.signal == 11 else result.status
    assert ended == status and not result.timed_out, result
    found = result.output.decode().splitlines()
    if "mounts" in way or way == "compute":
        found = [line.split()[1] if " " in line else line for line in found]
    if isinstance(lines, set):
        assert lines <= set(found), result
    elif lines is not None:
        assert found == lines, result
    else:
        assert found, result


@pytest.mark.parametrize("cpus", [1, 4])
@pytest.mark.parametrize("way", WAYS)
def test_at_once(build, program, way, cpus):
    check(build, program, way, cpus)


@pytest.mark.parametrize("cpus", [1, 4])
def test_terminal(build, program, cpus):
    """The console has no name at first; who asks finds it."""
    machine = Machine.parse(f"late memory=64 cpus={cpus}")
    result = boot(build.image(program, "line"), machine, tty="ioe", timeout=60, extra=DEVICES)
    assert result.status == 0 and result.output == b"a line\r\n", result
    result = boot(build.image(program, "readlink"), machine, tty="ioe", timeout=60, extra=DEVICES)
    assert result.status == 0 and result.output == b"/dev/console", result


def test_interrupt(build, program):
    """A call that waits for the boot's end can be killed, while DHCP is asked in vain for a second."""
    nobody = ["-netdev", "hubport,hubid=0,id=n", "-device", "virtio-net-device,netdev=n"]
    for _ in range(10):  # on a busy host the key may come late
        result = boot(build.image(program, "key"), Machine.parse("late memory=64"), tty="ioe", stdin=b"\x03",
                      after=b"waiting", timeout=60, extra=nobody)
        if result.signal == 2 and result.seconds < 0.9:
            return
    pytest.fail(str(result))


@pytest.mark.parametrize("words", ["remora.log=info", "remora.cwd=/proc"])
def test_in_order(build, program, words):
    """Where the start itself needs all of it, or somebody looks on, it comes first."""
    check(build, program, "mounts", 2, words)


def test_program_that_is_not_there(build, program):
    """It may lie where nothing is mounted yet; it is looked for again, and what is said is said once."""
    result = boot(build.image(program, "line"), Machine.parse("late memory=64"), "init=/proc/nothing", timeout=60)
    assert result.status == 127 and result.log.count(b"cannot run /proc/nothing") == 1, result


def test_program_under_proc(build, program):
    """/proc/1/cwd leads to the root, once there is a /proc."""
    name = "/proc/1/cwd/usr/local/bin/" + os.path.basename(program)
    result = boot(build.image(program, "line"), Machine.parse("late memory=64"), "init=" + name, timeout=60)
    assert result.status == 0 and result.output == b"a line\n", result


@pytest.mark.long
@pytest.mark.parametrize("cpus", [1, 2, 4])
def test_many(build, program, cpus):
    for _ in range(15):
        for way in WAYS:
            check(build, program, way, cpus)
