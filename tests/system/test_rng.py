# SPDX-License-Identifier: MIT
"""virtio-rng: its bytes come, over both transports."""
import pytest

from guest import Machine, boot


@pytest.mark.parametrize("device", ["virtio-rng-device", "virtio-rng-pci"])
def test_rng(build, device):
    image = build.image(build.program("hello"))
    result = boot(image, Machine(memory=64), extra=["-device", device], log="info")
    assert result.status == 0 and b": 64 random bytes" in result.log, result


def test_slow(build):
    """A device that has nothing to give for ever does not keep the program from starting."""
    extra = ["-object", "rng-egd,chardev=none,id=none", "-chardev", "null,id=none", "-device", "virtio-rng-device,rng=none"]
    result = boot(build.image(build.program("hello")), Machine(memory=64), extra=extra, log="info")
    assert result.status == 0 and b"random bytes" not in result.log, result
