# SPDX-License-Identifier: MIT
"""One image on every machine of machines.txt: hello, a thread on every CPU, all of the memory."""
import os
import re

import pytest

from guest import PCI_DEVICES, boot, load_machines

MACHINES = load_machines(os.path.join(os.path.dirname(__file__), "machines.txt"))


def parameters():
    return [pytest.param(machine, id=machine.name, marks=[pytest.mark.long] if machine.only == "all" else [])
            for machine in MACHINES]


@pytest.mark.parametrize("machine", parameters())
def test_hello(build, machine):
    image = build.image(build.program("hello"), "a", "b")
    result = boot(image, machine, timeout=90)
    assert result.status == 0, result
    assert b"hello" in result.output.lower(), result
    assert result.qemu_status == 0 or not machine.powers_off(), result


@pytest.mark.parametrize("machine", [p for p in parameters() if p.values[0].memory >= 64])
def test_cpus(build, machine):
    """Every CPU runs a pinned thread that counts its own timer interrupts."""
    result = boot(build.image(build.program("cpus")), machine, timeout=120)
    assert result.status == 0, result
    lines = re.findall(rb"^cpu (\d+): (\d+) timer interrupts", result.output, re.M)
    assert [int(cpu) for cpu, _ in lines] == list(range(machine.cpus)), result
    assert all(int(count) >= 5 for _, count in lines), result


@pytest.mark.parametrize("machine", [p for p in parameters() if p.values[0].memory >= 64])
def test_memory(build, machine):
    """MemTotal is within 2 % of RAM (and 4 MiB, for small guests); most of it can be touched."""
    result = boot(build.image(build.program("memory")), machine, timeout=180)
    assert result.status == 0, result
    total = int(re.search(rb"MemTotal:\s+(\d+) kB", result.output)[1]) * 1024
    ram = machine.ram_bytes()
    assert ram - max(ram * 2 // 100, 4 << 20) <= total <= ram, result
    touched = int(re.search(rb"touched (\d+) bytes", result.output)[1])
    if machine.memory >= 512:
        assert touched >= ram * 6 // 10, result


@pytest.mark.parametrize("machine", [p for p in parameters() if p.values[0].pci])
def test_pci(build, machine):
    """Each device has its driver, and none has a fault to tell."""
    result = boot(build.image(build.program("hello")), machine, log="debug", timeout=90)
    assert result.status == 0, result
    for driver in PCI_DEVICES:
        assert re.search(rb"device pci-\d\d:\d\d\.0: " + driver.encode() + rb"\n", result.log), (driver, result)
    for text in (b": 64 random bytes", b"vda: 2048 sectors", b"eth0: address 10.0.2.15"):
        assert text in result.log, (text, result)
