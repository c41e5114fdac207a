# SPDX-License-Identifier: MIT
"""Disks on PCI, wherever QEMU can put them: which bus, which bridge, which address windows, which interrupts."""
import os

import pytest

BUSYBOX = ["deb:busybox-static", "busybox"]
DISK = "virtio-blk-pci,drive=d"
PLACES = {
    "root": [DISK],
    "function": ["virtio-rng-pci,addr=4.0,multifunction=on", DISK + ",addr=4.5"],
    "port": ["pcie-root-port,id=root,chassis=1", DISK + ",bus=root"],
    "bridge": ["pcie-pci-bridge,id=bridge,addr=5", DISK + ",bus=bridge,addr=3"],
    "switch": ["pcie-root-port,id=root,chassis=1", "x3130-upstream,id=up,bus=root",
               "xio3130-downstream,id=one,bus=up,chassis=2", "xio3130-downstream,id=two,bus=up,chassis=3",
               "virtio-rng-pci,bus=one", DISK + ",bus=two"],
}


def run(build, tmp_path, machine, devices, *arguments, cpus=1):
    path = tmp_path / "disk"
    if not path.exists():
        path.write_bytes(os.urandom(1 << 20))
    options = ["-machine", machine, "-drive", f"file={path},format=raw,if=none,id=d,readonly=on"]
    for device in devices:
        options += ["-device", device]
    ended = build.command("run", "-m", "64", "--cpus", str(cpus), *[f"--qemu-arg={option}" for option in options],
                          *BUSYBOX, *arguments, timeout=100)
    assert ended.returncode == 0, ended.stderr
    return path.read_bytes(), ended


@pytest.mark.parametrize("machine", ["gic-version=2", "gic-version=3", "gic-version=3,highmem=off"])
@pytest.mark.parametrize("place", PLACES)
def test_place(build, tmp_path, machine, place):
    data, ended = run(build, tmp_path, machine, PLACES[place], "cat", "/dev/vda")
    assert ended.stdout == data


def test_many_behind_one_bridge(build, tmp_path):
    """More than the pins of one slot: lines are shared, and turned from slot to slot."""
    devices = ["pcie-pci-bridge,id=bridge"]
    devices += [f"virtio-rng-pci,bus=bridge,addr={slot}" for slot in range(1, 9)]
    data, ended = run(build, tmp_path, "gic-version=3", [*devices, DISK + ",bus=bridge,addr=9"], "cat", "/dev/vda")
    assert ended.stdout == data


def test_legacy_only_is_told(build, tmp_path):
    """A device without the registers of virtio 1.0 is left alone, with a message."""
    data, ended = run(build, tmp_path, "gic-version=3", [DISK + ",disable-modern=on"], "ls", "/dev")
    assert b"vda" not in ended.stdout
    assert b"legacy ones are not supported" in ended.stderr
