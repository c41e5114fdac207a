# SPDX-License-Identifier: MIT
"""Network devices on every bus: bytes to and from the host through QEMU's user network, each one compared."""
import os
import socket
import threading

import pytest

BUSYBOX = ["deb:busybox-static", "busybox"]
MIB = 1 << 20
HOST = "10.0.2.2"  # as the user network shows the host's loopback
# Without fork: waits for the lease, which QEMU's e1000 does not pass in its first second, then becomes nc.
WHEN_THERE = """while :; do while read -r device to rest <&3; do
[ "$to" = 00000000 ] && exec busybox nc %s %d; done 3</proc/net/route; done"""
DEVICES = {
    "virtio-mmio-legacy": ["-device", "virtio-net-device,netdev=n"],
    "virtio-mmio": ["-global", "virtio-mmio.force-legacy=false", "-device", "virtio-net-device,netdev=n"],
    "virtio-pci": ["-device", "virtio-net-pci,netdev=n,romfile="],
    "virtio-pci-line": ["-device", "virtio-net-pci,netdev=n,vectors=0,romfile="],
    "virtio-pci-port": ["-device", "pcie-root-port,id=root,chassis=1", "-device",
                        "virtio-net-pci,netdev=n,bus=root,romfile="],
    "e1000": ["-device", "e1000,netdev=n,romfile="],
}


def run(build, device, *arguments, cpus=2, data=None, machine="gic-version=3"):
    options = ["-machine", machine, "-netdev", "user,id=n", *DEVICES[device]]
    return build.command("run", "-m", "128", "--cpus", str(cpus), *[f"--qemu-arg={option}" for option in options],
                         *BUSYBOX, *arguments, input=data, timeout=100)


def serve(send, expected):
    """A port of the host that takes one connection, and closes it after so many bytes: (port, thread, bytes got)."""
    listener, got = socket.create_server(("127.0.0.1", 0)), bytearray()
    listener.settimeout(60)

    def work():
        with listener, listener.accept()[0] as connection:
            connection.settimeout(60)
            sender = threading.Thread(target=connection.sendall, args=(send,), daemon=True)
            sender.start()  # nc writes while it reads
            while len(got) < expected and (part := connection.recv(65536)):
                got.extend(part)
            sender.join(60)

    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    return listener.getsockname()[1], thread, got


def transfer(build, device, size, **more):
    down, up = os.urandom(size), os.urandom(size)
    port, thread, got = serve(down, size)
    ended = run(build, device, "sh", "-c", WHEN_THERE % (HOST, port), data=up, **more)
    thread.join(60)
    assert ended.returncode == 0, ended.stderr
    assert ended.stdout == down
    assert got == up


@pytest.mark.parametrize("device", DEVICES)
def test_bytes_both_ways(build, device):
    transfer(build, device, 4 * MIB)


@pytest.mark.long
@pytest.mark.parametrize("device", DEVICES)
def test_64_mib_both_ways(build, device):
    transfer(build, device, 64 * MIB)


@pytest.mark.parametrize("device", ["virtio-pci", "e1000"])
def test_gicv2(build, device):
    transfer(build, device, MIB, machine="gic-version=2")


def test_e1000_with_others_on_its_line(build, tmp_path):
    """INTx is shared: the device must not take, nor lose, what is another's."""
    (tmp_path / "disk").write_bytes(bytes(MIB))
    DEVICES["e1000-shared"] = [*DEVICES["e1000"], "-drive", f"file={tmp_path}/disk,format=raw,if=none,id=d", "-device",
                               "virtio-blk-pci,drive=d,addr=5,vectors=0", *sum((["-device", f"virtio-rng-pci,addr={slot},vectors=0"]
                                                                                for slot in range(6, 10)), [])]
    transfer(build, "e1000-shared", MIB)
