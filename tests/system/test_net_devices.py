# SPDX-License-Identifier: MIT
"""Network devices on every bus: bytes to and from the host through QEMU's user network, each one compared."""
import os
import socket
import subprocess
import sys
import threading

import pytest

from tapnet import TapNetwork

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


@pytest.mark.parametrize("bus", ["virtio-mmio", "virtio-pci"])
@pytest.mark.parametrize("rings", [f"packed=on,indirect_desc={indirect},event_idx={events}"
                                   for indirect in ("off", "on") for events in ("off", "on")] +
                         ["indirect_desc=off", "event_idx=off"])
def test_rings(build, bus, rings):
    """Packed rings, and both layouts without what can be left out."""
    *before, device = DEVICES[bus]
    DEVICES["rings"] = [*before, device + "," + rings]
    transfer(build, "rings", 2 * MIB)


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


# Connections that are refused, each a flow of its own.
KNOCK = """import socket, sys, time
end, done, port = time.monotonic() + 40, 0, 1000
while done < 64 and time.monotonic() < end:
    try:
        socket.create_connection((sys.argv[1], port), 2)
    except ConnectionRefusedError:
        done, port = done + 1, port + 1
    except OSError:
        time.sleep(0.1)
sys.exit(done < 64)"""


@pytest.mark.parametrize("machine,chip", [("gic-version=2", "GICv2"), ("gic-version=3", "ITS-MSI")])
def test_pairs_of_queues(build, machine, chip):
    """A tap with two queues: both pairs get frames, each with an interrupt on a CPU of its own."""
    options = ["-machine", machine, "-netdev", "tap,id=n,ifname=t0,script=no,downscript=no,queues=2", "-device",
               "virtio-net-pci,netdev=n,mq=on,vectors=6,romfile="]
    with TapNetwork("t0:0:queues") as network:
        guest = network.popen([build.remora, "run", "--timeout", "80", "-m", "128", "--cpus", "2",
                               *[f"--qemu-arg={option}" for option in options], *BUSYBOX, "cat", "-", "/proc/interrupts"],
                              stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        try:
            knocked = network.run([sys.executable, "-c", KNOCK, network.guest], timeout=60)
            output, errors = guest.communicate(timeout=60)
        finally:
            guest.kill()
            guest.wait()
    assert knocked.returncode == 0, errors
    rows = [line.split() for line in output.decode().splitlines() if "pci-" in line]
    counts = {row[-1].rpartition("-")[2]: [int(count) for count in row[1:3]] for row in rows if chip in row}
    assert counts["0"][0] > 0 and counts["2"][1] > 0, output
