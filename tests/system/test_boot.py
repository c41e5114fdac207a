# SPDX-License-Identifier: MIT
"""Ways to boot besides those of the machine list, and many boots in a row."""
import os
import struct

import pytest

from guest import RAM, Machine, boot


def test_kernel_elf_without_root(build):
    """QEMU's -kernel takes kernel.elf too: it boots up to the root that is not there, and says so."""
    result = boot(build.elf, Machine(), timeout=30)
    assert result.status == 125, result
    assert b"root" in result.log, result


def test_no_root_tells_what_to_do(build):
    result = boot(build.kernel, Machine(), timeout=30)
    assert result.status == 125 and b"remora" in result.log, result


@pytest.mark.parametrize("machine", ["m cpus=2", "m secure=on gic=3"])
def test_memory_behind_the_file_is_not_zero(build, tmp_path, machine):
    """.bss is not stored: what lay where it goes does not matter, at EL3 either (without a root there)."""
    machine = Machine.parse(machine)
    with open(build.image(build.program("hello"), "cleared"), "rb") as image:
        data = image.read()
    offset, size = struct.unpack_from("<QQ", data, 0x418)  # root_offset and root_size of abi/image.h
    ones, root = tmp_path / "ones", tmp_path / "root"
    ones.write_bytes(b"\xff" * (2 << 20))
    root.write_bytes(data[offset:offset + size])
    behind = RAM + (2 << 20) + os.path.getsize(build.kernel)
    extra = ["-device", f"loader,file={ones},addr={behind:#x},force-raw=on"]
    if not machine.needs_loader():
        extra += ["-initrd", str(root)]
    result = boot(build.kernel, machine, timeout=30, extra=extra)
    if machine.needs_loader():
        assert result.status == 125 and b"no root" in result.log, result
    else:
        assert result.status == 0 and result.output == b"hello, world cleared\n", result


@pytest.mark.parametrize("cpu", ["cortex-a72", "max"])
def test_10_boots(build, cpu):
    many_boots(build, 10, cpu)


@pytest.mark.long
@pytest.mark.parametrize("cpu", ["cortex-a53", "cortex-a72", "max"])
def test_170_boots(build, cpu):
    """510 boots in all: on each, interrupts are pending when they are first enabled."""
    many_boots(build, 170, cpu)


def many_boots(build, count, cpu):
    """With threads on all CPUs; not one may fail."""
    image = build.image(build.program("cpus"))
    machine = Machine.parse(f"many cpu={cpu} gic=3 memory=128 cpus=4")
    results = [boot(image, machine, timeout=60) for _ in range(count)]
    bad = [str(result) for result in results if result.status != 0]
    assert not bad, f"{len(bad)} of {count} boots failed\n" + "\n".join(bad[:3])
