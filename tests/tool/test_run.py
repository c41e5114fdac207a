# SPDX-License-Identifier: MIT
"""`remora run` against a played guest: streams, frames, statuses, boot parameters."""
import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
import urllib.parse
import zlib

import pexpect
import pytest

from conftest import SYSROOT, write_kernel

IMAGE_FEATURE_NETWORK, IMAGE_FEATURE_9P = 1, 2


def words(tool, programs, *options, args=(), **more):
    """Boot parameters and QEMU's arguments of a run."""
    result = tool.ok("run", *options, programs["static"], *args, guest="words", **more)
    return json.loads(result.stdout)


@pytest.mark.parametrize("guest,status", [("exit 0", 0), ("exit 7", 7), ("exit 255", 255), ("exit 126", 126),
                                          ("signal 11", 139), ("signal 9", 137)])
def test_status(tool, programs, guest, status):
    assert tool.command("run", programs["static"], guest=guest).returncode == status


def test_no_status(tool, programs):
    result = tool.fails(125, "run", programs["static"], guest="silent", text=["the guest ended without a status", "qemu says why"])
    assert result.stdout == b"half a frame \x1b_R"


def test_streams_apart(tool, programs):
    result = tool.ok("run", programs["static"], guest="stderr")
    assert (result.stdout, result.stderr) == (b"to output\n", b"to errors\n")


def test_kernel_messages(tool, programs):
    result = tool.command("run", programs["static"], guest="log")
    assert (result.returncode, result.stdout, result.stderr) == (125, b"", b"remora: something is wrong\n")


def test_forged_frames_are_output(tool, programs):
    result = tool.command("run", programs["static"], guest="forge")
    assert result.returncode == 7
    assert result.stdout.startswith(b"\x1b_R" + b"0" * 32 + b"X1;9\x1b\\") and result.stdout.endswith(b"\x1b\x1b_")


def test_input_is_clean(tool, programs):
    data = bytes(range(256)) * 300 + b"\x1b_R" + b"\x1b" * 50 + b"\x03\x03\x04\r\n"
    assert tool.ok("run", programs["static"], guest="cat", input=data).stdout == data


def test_fifty_megabytes_compressed(tool, programs):
    data = os.urandom(50 << 20)
    packed = tool.ok("run", programs["static"], guest="gzip", input=data, timeout=300).stdout
    assert zlib.decompress(packed, 31) == data


def test_timeout(tool, programs):
    started = time.monotonic()
    tool.fails(124, "run", "--timeout", "0.5", programs["static"], guest="hang", text="--timeout")
    assert time.monotonic() - started < 10


def test_input_that_nobody_reads(tool, programs):
    assert tool.ok("run", programs["static"], guest="deaf", input=b"x" * (4 << 20)).stdout == b""


def test_output_that_nobody_reads(tool, programs):
    env = dict(tool.environment, FAKE_GUEST="cat")
    with open("/dev/zero", "rb") as zero:
        run = subprocess.Popen([tool.remora, "run", programs["static"]], env=env, stdin=zero, stdout=subprocess.PIPE)
        run.stdout.read(1)
        run.stdout.close()
        assert run.wait(timeout=60) == 128 + signal.SIGPIPE


def test_boot_parameters(tool, programs):
    result = words(tool, programs)
    boot, qemu = result["bootargs"], result["arguments"]
    assert len(boot["remora.nonce"]) == 32 and int(boot["remora.nonce"], 16) >= 0
    assert boot["remora.tty"] == "" and boot["remora.stderr"] == "frame"
    assert abs(int(boot["remora.time"]) - time.time()) < 60
    assert qemu[qemu.index("-m") + 1] == "512" and qemu[qemu.index("-smp") + 1] == "1"
    assert words(tool, programs)["bootargs"]["remora.nonce"] != boot["remora.nonce"]


def test_machine_options(tool, programs):
    qemu = words(tool, programs, "-m", "1G", "--cpus=3", "--cpu", "max", "--accel", "tcg", "--name", "a,b",
                 "--qemu-arg", "-S")["arguments"]
    assert qemu[qemu.index("-m") + 1] == "1024" and qemu[qemu.index("-smp") + 1] == "3"
    assert qemu[qemu.index("-cpu") + 1] == "max" and qemu[qemu.index("-name") + 1] == "a,,b" and qemu[-1] == "-S"


def test_image_words_override(tool, programs):
    image = tool.path("app.img")
    tool.ok("build", programs["static"], "a b", "-e", "X=1", "-o", image)
    result = tool.ok("run", "-e", "Y=1,2", "-w", "/tmp", "-u", "www-data", image, "static", "a b,c%",
                     guest="words", environment={"REMORA_KERNEL": "/nowhere"})
    boot = json.loads(result.stdout)["bootargs"]
    assert [urllib.parse.unquote(item) for item in boot["remora.args"].split(",")] == ["static", "a b,c%"]
    assert boot["remora.cwd"] == "/tmp" and boot["remora.user"] == "33:33"
    assert "Y=1%2C2" in boot["remora.env"].split(",") and "HOME=/var/www" in boot["remora.env"].split(",")


def test_ports_and_volumes_need_a_kernel_with_them(tool, programs):
    tool.fails(125, "run", "-p", "8080:80", programs["static"], text="-p: the kernel")
    tool.fails(125, "run", "--net", "user", programs["static"], text=["--net: the kernel", "without network"])
    tool.fails(125, "run", "-v", f"{tool.folder}:/data", programs["static"], text="without the 9p")
    write_kernel(tool.kernel, IMAGE_FEATURE_NETWORK | IMAGE_FEATURE_9P)
    result = words(tool, programs, "-v", f"{tool.folder}:/data:ro")
    assert result["bootargs"]["remora.volume"] == "volume0:/data:ro"
    assert result["arguments"][result["arguments"].index("-nic") + 1] == "none"


def listener(kind, port=0):
    held = socket.socket(socket.AF_INET, kind)
    held.bind(("127.0.0.1", port))
    if kind == socket.SOCK_STREAM:
        held.listen()
    return held, held.getsockname()[1]


@pytest.mark.parametrize("kind,suffix", [(socket.SOCK_STREAM, ""), (socket.SOCK_DGRAM, "/udp")])
def test_forwarded_ports(tool, programs, kind, suffix):
    write_kernel(tool.kernel, IMAGE_FEATURE_NETWORK)
    held, port = listener(kind)
    with held:
        tool.fails(125, "run", "-p", f"{port}:80{suffix}", programs["static"], text=[f"port {port} of the host is in use", "or 0 for any"])
    netdev = words(tool, programs, "-p", f"127.0.0.1:{port}:80{suffix}")["arguments"]
    assert f"user,id=net0,restrict=on,hostfwd={'udp' if suffix else 'tcp'}:127.0.0.1:{port}-:80" in netdev
    tool.fails(125, "run", "-p", f"192.0.2.1:{port}:80{suffix}", programs["static"], text="192.0.2.1 is no address of this host")


def test_free_ports_are_chosen_and_told(tool, programs):
    write_kernel(tool.kernel, IMAGE_FEATURE_NETWORK)
    result = tool.ok("run", "--net", "user,out", "-p", "0:80", "-p", "127.0.0.1:0:53/udp", programs["static"], guest="words")
    netdev = next(word for word in json.loads(result.stdout)["arguments"] if word.startswith("user,"))
    first, second = re.findall(r"hostfwd=\w+:[\d.]*:(\d+)-", netdev)
    assert first != "0" and second != "0"
    assert result.stderr.decode() == (f"remora: localhost:{first} is the guest's port 80\n"
                                      f"remora: 127.0.0.1:{second} is the guest's port 53/udp\n")
    assert tool.ok("run", "-q", "-p", "0:80", programs["static"]).stderr == b""


def test_one_port_twice(tool, programs):
    write_kernel(tool.kernel, IMAGE_FEATURE_NETWORK)
    held, port = listener(socket.SOCK_STREAM)
    held.close()
    tool.fails(125, "run", "-p", f"{port}:80", "-p", f"{port}:81", programs["static"], text=f"-p {port}:81: port {port}")


def test_tap_that_is_not_there(tool, programs):
    write_kernel(tool.kernel, IMAGE_FEATURE_NETWORK)
    tool.fails(125, "run", "--net", "tap:remora-none", programs["static"],
               text=["no such interface", "sudo ip tuntap add dev remora-none mode tap user $USER"])
    tool.fails(125, "run", "--net", "tap:lo", programs["static"], text="--net tap:lo: ")


def test_tap(tool, programs):
    """In a namespace of its own: a tap that is ours, one in use, and its command line."""
    write_kernel(tool.kernel, IMAGE_FEATURE_NETWORK)
    script = ("ip tuntap add dev rt0 mode tap && exec \"$@\"")
    inside = ["unshare", "--user", "--map-root-user", "--net", "sh", "-c", script, "sh"]
    if subprocess.run([*inside, "true"], capture_output=True).returncode:
        pytest.skip("no tap in a user namespace here")
    env = dict(tool.environment, FAKE_GUEST="words")
    run = subprocess.run([*inside, tool.remora, "run", "--net", "tap:rt0", "--name", "web", programs["static"]],
                         env=env, capture_output=True, timeout=60, stdin=subprocess.DEVNULL)
    assert run.returncode == 0, run.stderr
    arguments = json.loads(run.stdout)["arguments"]
    assert "tap,id=net0,ifname=rt0,script=no,downscript=no" in arguments
    assert any(word.startswith("virtio-net-device,netdev=net0,mac=52:54:00:") for word in arguments)
    hold = ("import fcntl, struct, subprocess, sys; tun = open('/dev/net/tun', 'r+b', buffering=0); "
            "fcntl.ioctl(tun, 0x400454ca, struct.pack('16sH22x', b'rt0', 0x1002)); sys.exit(subprocess.call(sys.argv[1:]))")
    run = subprocess.run([*inside, sys.executable, "-c", hold, tool.remora, "run", "--net", "tap:rt0", programs["static"]],
                         env=env, capture_output=True, timeout=60, stdin=subprocess.DEVNULL)
    assert run.returncode == 125 and b"another program has it open" in run.stderr, run.stderr


@pytest.mark.parametrize("option", [["-m", "0"], ["-m", "7"], ["-m", "1T"], ["--cpus", "x"], ["--timeout", "0"], ["-p", "80"], ["-p", "1:0"], ["--net", "x"], ["--net", "none", "-p", "0:1"],
                                    ["-v", "a:b"], ["-e", "=x"], ["--env-file", "/nothing"], ["--accel", "warp"],
                                    ["--nonsense"], ["-q=1"]])
def test_bad_options(tool, programs, option):
    tool.fails(125, "run", *option, programs["static"])


def test_qemu_is_missing(tool, programs):
    tool.fails(125, "run", programs["static"], environment={"REMORA_QEMU": "/nowhere/qemu"},
               text=["not installed", "qemu-system-arm"])


def test_nothing_is_left(tool, programs):
    for guest in ("exit 1", "silent"):
        tool.command("run", programs["static"], guest=guest)
    assert sorted(os.listdir(tool.folder)) == ["Image"]


def test_verbose_says_which_accelerator_and_why(tool, programs):
    result = tool.command("run", "-V", programs["static"])
    assert b"tcg with -cpu cortex-a72: " in result.stderr or b"kvm with -cpu host: " in result.stderr
    assert b"booted in 2.5 ms" in result.stderr
    assert b"remora.nonce" not in result.stderr


# --- A terminal. ---------------------------------------------------------------------------------


def terminal(tool, programs, guest, *options):
    env = dict(tool.environment, FAKE_GUEST=guest, TERM="xterm")
    return pexpect.spawn(tool.remora, ["run", *options, programs["static"]], env=env, timeout=30, dimensions=(30, 90))


def test_terminal_parameters(tool, programs):
    child = terminal(tool, programs, "words")
    boot = json.loads(child.read())["bootargs"]
    child.close()
    assert boot["remora.tty"] == "ioe" and boot["remora.size"] == "30x90" and boot["remora.env"] == "TERM=xterm"
    assert "remora.stderr" not in boot


def test_terminal_is_raw_and_restored(tool, programs):
    env = dict(tool.environment, FAKE_GUEST="cat")
    child = pexpect.spawn("/bin/sh", ["-c", f"stty -a >{tool.path('before')}; {tool.remora} run {programs['static']}; "
                                            f"stty -a >{tool.path('after')}"], env=env, timeout=30)
    time.sleep(1)
    child.send(b"a\x03b\x1a\x04")
    child.expect_exact(b"a\x03b\x1a\x04")  # neither echoed twice nor acted upon
    time.sleep(1.1)
    child.send(b"\x03\x03")
    child.expect(pexpect.EOF)
    with open(tool.path("before")) as before, open(tool.path("after")) as after:
        assert before.read() == after.read()


def test_twice_control_c_ends(tool, programs):
    child = terminal(tool, programs, "cat")
    time.sleep(1)
    child.send(b"\x03")
    time.sleep(1.3)
    assert child.isalive()
    child.send(b"\x03\x03")
    child.expect(pexpect.EOF)
    child.close()
    assert child.exitstatus == 130


def test_window_size(tool, programs):
    child = terminal(tool, programs, "interrupt")
    child.expect_exact("ready")
    child.setwinsize(41, 99)
    child.expect_exact("frame W 41 99")
    child.close(force=True)


def test_interrupts_as_frames(tool, programs):
    env = dict(tool.environment, FAKE_GUEST="interrupt")
    run = subprocess.Popen([tool.remora, "run", programs["static"]], env=env, stdin=subprocess.DEVNULL,
                           stdout=subprocess.PIPE)
    assert run.stdout.readline() == b"ready\n"
    for _ in range(2):
        run.send_signal(signal.SIGINT)
        assert run.stdout.readline() == b"frame C \n"
        time.sleep(1.2)
    assert run.wait(timeout=30) == 3


def test_terminate(tool, programs):
    env = dict(tool.environment, FAKE_GUEST="hang")
    run = subprocess.Popen([tool.remora, "run", programs["static"]], env=env, stdin=subprocess.DEVNULL)
    time.sleep(1)
    run.send_signal(signal.SIGTERM)
    assert run.wait(timeout=30) == 143


def test_dynamic_program(tool, programs):
    tool.fails(127, "run", programs["dynamic"], text=["ld-linux-aarch64.so.1", "libc6", "--sysroot"])
    tool.ok("run", "--sysroot", SYSROOT, programs["dynamic"])
