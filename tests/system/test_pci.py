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


def run(build, tmp_path, machine, devices, *arguments, cpus=1, more=()):
    path = tmp_path / "disk"
    if not path.exists():
        path.write_bytes(os.urandom(1 << 20))
    options = ["-machine", machine, "-drive", f"file={path},format=raw,if=none,id=d,readonly=on"]
    for device in devices:
        options += ["-device", device]
    options += more
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


def counts(output):
    """Interrupts by CPU of every line of /proc/interrupts, by its name: (chip, [count...])."""
    table = output[output.rindex(b"CPU0"):].decode().splitlines()[1:]
    cpus = len(output[output.rindex(b"CPU0"):].split(b"\n")[0].split())
    rows = [line.split() for line in table]
    return {row[-1]: (row[cpus + 1], [int(count) for count in row[1:cpus + 1]]) for row in rows if len(row) > cpus + 3}


@pytest.mark.parametrize("machine,options,chip,name", [
    ("gic-version=2", "", "GICv2", "pci-00:01.0-0"),
    ("gic-version=3", "", "ITS-MSI", "pci-00:01.0-0"),
    ("gic-version=3", ",vectors=1", "ITS-MSI", "pci-00:01.0"),  # for everything
    ("gic-version=3", ",vectors=0", "GICv3", "pci-00:01.0"),  # INTx
    ("gic-version=2", ",vectors=0", "GICv2", "pci-00:01.0"),
    ("gic-version=3,its=off", "", "GICv3", "pci-00:01.0"),
    ("gic-version=2,virtualization=on", "", "GICv2", "pci-00:01.0-0"),
    ("gic-version=3,virtualization=on", "", "ITS-MSI", "pci-00:01.0-0"),
    ("gic-version=4,virtualization=on", "", "ITS-MSI", "pci-00:01.0-0"),
])
def test_interrupts(build, tmp_path, machine, options, chip, name):
    """A disk's requests arrive as interrupts of the kind that the machine has."""
    data, ended = run(build, tmp_path, machine, [DISK + options], "cat", "/dev/vda", "/proc/interrupts", cpus=2)
    assert ended.stdout.startswith(data)
    rows = counts(ended.stdout)
    assert rows[name][0] == chip and sum(rows[name][1]) > 0, rows


def test_interrupts_are_spread(build, tmp_path):
    """Disks of one queue get CPUs in turn: of four on two CPUs, each CPU has the interrupts of two."""
    more = []
    for i in range(3):
        (tmp_path / f"d{i}").write_bytes(bytes(1 << 16))
        more += ["-drive", f"file={tmp_path}/d{i},format=raw,if=none,id=d{i}", "-device",
                 f"virtio-blk-pci,drive=d{i},num-queues=1"]
    data, ended = run(build, tmp_path, "gic-version=3", [DISK + ",num-queues=1"], "cat", "/dev/vda", "/dev/vdb", "/dev/vdc",
                      "/dev/vdd", "/proc/interrupts", cpus=2, more=more)
    rows = [row for name, row in counts(ended.stdout).items() if name.startswith("pci-") and sum(row[1])]
    assert len(rows) == 4, ended.stdout[-2000:]
    assert sorted(row[1].index(max(row[1])) for row in rows) == [0, 0, 1, 1], rows
