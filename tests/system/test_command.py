# SPDX-License-Identifier: MIT
"""The whole way: the command, QEMU, the kernel, a program of Debian; its streams, terminal and signals."""
import os
import signal
import subprocess
import time
import zlib

import pexpect
import pytest

BUSYBOX = "deb:busybox-static"


def terminal(build, *words, size=(33, 77)):
    return pexpect.spawn(build.remora, ["run", "--timeout", "60", *words], timeout=60, dimensions=size,
                         env=dict(os.environ, TERM="vt100"))


def run(build, *words, data=b"", timeout=120):
    return build.command("run", "--timeout", str(timeout - 10), *words, timeout=timeout, input=data)


def test_streams(build):
    ended = run(build, BUSYBOX, "busybox", "sh", "-c", "read x; echo \"<$x>\"; echo err >&2; exit 9", data=b"a b\n")
    assert (ended.returncode, ended.stdout, ended.stderr) == (9, b"<a b>\n", b"err\n")


def test_short_input(build):
    """Nothing but the input itself makes QEMU look whether the guest takes it."""
    for _ in range(6):
        ended = run(build, "--cpus", "2", BUSYBOX, "busybox", "cat", data=b"a line\n", timeout=30)
        assert (ended.returncode, ended.stdout) == (0, b"a line\n")


@pytest.mark.parametrize("words", [[], ["-V"]], ids=["quiet", "verbose"])
def test_input_is_clean(build, words):
    data = bytes(range(256)) * 400 + b"\x1b_R" * 1000
    ended = run(build, *words, BUSYBOX, "busybox", "cat", data=data)
    assert ended.returncode == 0 and ended.stdout == data


@pytest.mark.parametrize("size", [1 << 20, pytest.param(50 << 20, marks=pytest.mark.long)])
def test_gzip(build, size):
    data = os.urandom(size)
    ended = run(build, "deb:gzip", "gzip", "-1", data=data, timeout=400)
    assert ended.returncode == 0 and zlib.decompress(ended.stdout, 31) == data


def test_fatal_signal(build):
    ended = run(build, BUSYBOX, "busybox", "sh", "-c", "kill -SEGV $$")
    assert ended.returncode == 128 + signal.SIGSEGV and b"SIGSEGV" in ended.stderr


def test_environment_user_and_folder(build):
    ended = run(build, "-e", "A=x y,z", "-u", "33:34", "-w", "/usr/bin", BUSYBOX, "busybox", "sh", "-c",
                "echo \"$A|$PWD|$HOME\"; read c </proc/cmdline; echo $c; while read k v r; do case $k in Uid:|Gid:) echo $k $v;; esac; done </proc/self/status")
    lines = ended.stdout.decode().splitlines()
    assert lines[0] == "x y,z|/usr/bin|/var/www" and "Uid: 33" in lines and "Gid: 34" in lines
    assert not any("nonce" in line for line in lines)


def test_plain_streams_are_no_terminals(build):
    ended = run(build, BUSYBOX, "busybox", "sh", "-c", "for i in 0 1 2; do [ -t $i ]; echo $?; done")
    assert ended.stdout == b"1\n1\n1\n"


def test_terminal(build):
    child = terminal(build, BUSYBOX, "busybox", "sh", "-c",
                     "[ -t 0 ] && [ -t 1 ] && [ -t 2 ] && exec busybox stty size")
    child.expect_exact("33 77")
    child.expect(pexpect.EOF)
    child.close()
    assert child.exitstatus == 0


def test_line_editing_by_the_guest(build):
    child = terminal(build, BUSYBOX, "busybox", "cat")
    time.sleep(2)
    child.send("abX\x7fc\r")
    child.expect_exact("abX\x08 \x08c\r\nabc\r\n")
    child.send("\x04")
    child.expect(pexpect.EOF)
    child.close()
    assert child.exitstatus == 0


def test_control_c(build):
    child = terminal(build, BUSYBOX, "busybox", "sleep", "100")
    time.sleep(3)
    child.send("\x03")
    child.expect(pexpect.EOF)
    child.close()
    assert child.exitstatus == 130


def test_interrupt_without_a_terminal(build):
    child = subprocess.Popen([build.remora, "run", "--timeout", "60", BUSYBOX, "busybox", "sh", "-c",
                              "trap 'echo caught; exit 4' INT; echo ready; while :; do :; done"], stdin=subprocess.PIPE,
                             stdout=subprocess.PIPE)
    assert child.stdout.readline() == b"ready\n"
    child.send_signal(signal.SIGINT)
    assert child.wait(timeout=60) == 4 and child.stdout.read() == b"caught\n"
    child.stdin.close()


def test_window_size(build):
    child = terminal(build, BUSYBOX, "busybox", "sh", "-c", "trap 'busybox stty size; exit' WINCH; echo ready; while :; do read x; done")
    child.expect_exact("ready")
    # busybox's shell would fork for stty: only that the signal comes is looked at. One that comes just before its
    # read() sleeps is looked at after the next one only.
    for rows in range(20, 30):
        child.setwinsize(rows, 30)
        if child.expect([pexpect.EOF, pexpect.TIMEOUT], timeout=5) == 0:
            return
    raise AssertionError("no signal came of ten changes of the window")


def test_container_image_and_folder(build, tmp_path):
    """A program of ours under packages of Debian's."""
    (tmp_path / "remora.conf").write_text("[program]\ncommand = /bin/busybox cat /etc/motd\n[root]\nbase = deb:busybox-static\n"
                                          "[files]\n/etc/motd = motd\n")
    (tmp_path / "motd").write_text("hello from a folder\n")
    assert run(build, str(tmp_path)).stdout == b"hello from a folder\n"


def test_image_boots_with_other_words(build):
    image = build.image(BUSYBOX, "busybox", "echo", "built in")
    assert run(build, image).stdout == b"built in\n"
    assert run(build, image, "busybox", "echo", "a b", "", "c,d%").stdout == b"a b  c,d%\n"


def test_wall_time(build):
    """No sleeping anywhere: a hello is over in about a second even on a slow host."""
    started = time.monotonic()
    for _ in range(3):
        assert run(build, build.program("hello")).returncode == 0
    assert (time.monotonic() - started) / 3 < 3
