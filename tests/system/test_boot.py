# SPDX-License-Identifier: MIT
"""Ways to boot besides those of the machine list, and many boots in a row."""
import pytest

from guest import Machine, boot


def test_kernel_elf_without_root(build):
    """QEMU's -kernel takes kernel.elf too: it boots up to the root that is not there, and says so."""
    result = boot(build.elf, Machine(), timeout=30)
    assert result.status == 125, result
    assert b"root" in result.log, result


def test_no_root_tells_what_to_do(build):
    result = boot(build.kernel, Machine(), timeout=30)
    assert result.status == 125 and b"remora" in result.log, result


@pytest.mark.parametrize("cpu", ["cortex-a72", "max"])
def test_10_boots(build, cpu):
    many_boots(build, 10, cpu)


@pytest.mark.long
@pytest.mark.parametrize("cpu", ["cortex-a53", "cortex-a72", "max"])
def test_100_boots(build, cpu):
    many_boots(build, 100, cpu)


def many_boots(build, count, cpu):
    """With threads on all CPUs; not one may fail."""
    image = build.image(build.program("cpus"))
    machine = Machine.parse(f"many cpu={cpu} gic=3 memory=128 cpus=4")
    results = [boot(image, machine, timeout=60) for _ in range(count)]
    bad = [str(result) for result in results if result.status != 0]
    assert not bad, f"{len(bad)} of {count} boots failed\n" + "\n".join(bad[:3])
