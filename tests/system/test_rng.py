# SPDX-License-Identifier: MIT
"""virtio-rng: its bytes come, over both transports."""
import subprocess

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


@pytest.mark.parametrize("device", ["virtio-rng-device", "virtio-rng-pci,packed=on"])
def test_hwrng(build, device, tmp_path):
    """/dev/hwrng gives what the host's device gives, in pieces of any size, and takes nothing."""
    source = tmp_path / "source"
    source.write_bytes(bytes(range(256)) * 4096)
    options = ["-object", f"rng-random,filename={source},id=host", "-device", device + ",rng=host"]
    options = [f"--qemu-arg={option}" for option in options]
    ended = build.command("run", "-m", "64", *options, "deb:busybox-static", "busybox", "dd", "if=/dev/hwrng", "bs=1000",
                          "count=100", "iflag=fullblock", timeout=60)
    assert ended.returncode == 0 and len(ended.stdout) == 100000, ended.stderr
    first = ended.stdout[0]  # the seed came before, of the same bytes
    assert ended.stdout[:200] == bytes((first + i) % 256 for i in range(200))
    ended = build.command("run", "-m", "64", *options, "deb:busybox-static", "busybox", "dd", "of=/dev/hwrng", "if=/dev/zero",
                          "count=1", timeout=60)
    assert ended.returncode != 0 and b"Invalid argument" in ended.stderr, ended.stderr


SLOW_C = """
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <unistd.h>
static void on_alarm(int signal) { (void)signal; }
int main(void)
{
    char bytes[16];
    struct sigaction action = {.sa_handler = on_alarm};
    int fd = open("/dev/hwrng", O_RDONLY | O_NONBLOCK);
    int without = read(fd, bytes, sizeof bytes) < 0 ? errno : 0;
    fcntl(fd, F_SETFL, 0);
    sigaction(SIGALRM, &action, NULL);
    alarm(1);
    int with = read(fd, bytes, sizeof bytes) < 0 ? errno : 0;
    printf("%d %d\\n", without == EAGAIN, with == EINTR);
}
"""


def test_slow_hwrng(build, tmp_path):
    """Nothing comes: who does not want to wait does not, and a signal ends the wait."""
    (tmp_path / "slow.c").write_text(SLOW_C)
    subprocess.run(["aarch64-linux-gnu-gcc", "-static", "-o", tmp_path / "slow", tmp_path / "slow.c"], check=True, timeout=60)
    extra = ["-object", "rng-egd,chardev=none,id=none", "-chardev", "null,id=none", "-device", "virtio-rng-device,rng=none"]
    result = boot(build.image(str(tmp_path / "slow")), Machine(memory=64), extra=extra)
    assert result.output == b"1 1\n", result
