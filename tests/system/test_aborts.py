# SPDX-License-Identifier: MIT
"""Accesses that the tables allow and that nothing answers: the kernel's own, a program's. Under Xen: test_xen.py."""
import os
import re
import subprocess

import pytest

import debugger
from conftest import TOP
from guest import NOWHERE, Machine, boot


def check_report(text, sender, access, address):
    """The end of the kernel: who sent what, for which address, and who asked for it."""
    assert f"sent by {sender}" in text, text
    assert re.search(rf"{access} at 0xffff[0-9a-f]{{12}}, physical address {address:#x}: neither memory nor a device answered",
                     text), text
    assert "pl031_probe+0x" in text and "the kernel stopped itself" in text, text


@pytest.mark.parametrize("machine", ("cpu=cortex-a53", "cpu=max gic=3 cpus=2"))
def test_no_device_there(build, machine):
    """The tree tells a clock where QEMU has none: a message with the address, status 125, and an end."""
    result = boot(build.image(build.program("hello")), Machine.parse(f"abort memory=64 tree=misplace {machine}"))
    assert result.status == 125 and result.qemu_status == 0 and not result.timed_out, result
    text = (result.output + result.log).decode(errors="replace")
    assert "an external abort (ESR_EL1" in text, text
    check_report(text, "QEMU without KVM", "read", NOWHERE)


def test_program(build, tmp_path):
    """A program's page is moved to where no memory is: SIGBUS with its address, and the kernel goes on."""
    program, script = str(tmp_path / "bus_error"), os.path.join(TOP, "tests/system/move_page.py")
    subprocess.run(["aarch64-linux-gnu-gcc", "-static", "-O2", "-Wall", "-Werror", "-o", program,
                    os.path.join(TOP, "tests/system/bus_error.c")], check=True, timeout=60)
    text, result = debugger.look(build, str(tmp_path / "gdb"), "memory=128 cpus=2", f"source {script}",
                                 program=program, ready=b"mapped")
    address, = re.findall(rb"^mapped (0x\w+)$", result.output, re.M)
    assert re.findall(r"^moved (0x\w+)$", text, re.M) == [address.decode()], text
    assert result.output.splitlines()[1:] == [b"SIGBUS code 3 at " + address, b"and on"], result
    assert result.status == 0, result
