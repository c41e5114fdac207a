# SPDX-License-Identifier: MIT
"""The ABI checks of tests/linux in Remora; they pass on Debian's kernel first (tests/oracle)."""
import glob
import os
import re
import subprocess
import sys
import tempfile

import pytest

from conftest import TOP
from guest import Machine, boot

sys.path.insert(0, os.path.join(TOP, "tests/oracle"))
import linux_checks  # noqa: E402

TOPICS = sorted(os.path.basename(path)[:-2] for path in glob.glob(os.path.join(TOP, "tests/linux/*.c")))
TOPICS = [topic for topic in TOPICS if topic not in linux_checks.NOT_CHECKS]
NEED_INET = ("inetopts", "netlink", "packets", "tcp", "tcpconnect", "tcpopts", "udp")
NEED_VSOCK = ("vsock",)


# CPUs without scalable vectors, with some lengths of them, and started at the other exception levels.
SVE_MACHINES = ("cpu=cortex-a72 cpus=1", "cpu=max,sve-max-vq=1 cpus=1", "cpu=max,sve-max-vq=4 cpus=4",
                "cpu=max cpus=4 virtualization=on", "cpu=max cpus=1 virtualization=on secure=on",
                "cpu=a64fx cpus=4")


def check(build, topic, machine, extra=()):
    image = build.image(os.path.join(build.folder, "tests/linux", topic))
    result = boot(image, Machine.parse("checks gic=3 memory=256 " + machine), timeout=300, extra=extra)
    failed = re.findall(rb"^FAIL .*", result.output, re.M)
    passed = re.findall(rb"^ok ", result.output, re.M)
    assert not failed and passed and result.status == 0, \
        b"\n".join(failed).decode(errors="replace") + f"\n{len(passed)} ok\n{result}"


@pytest.mark.parametrize("topic", TOPICS)
def test_topic(build, topic):
    for topics, symbol, what in ((NEED_INET, "INET", "TCP/IP"), (NEED_VSOCK, "VSOCK", "AF_VSOCK")):
        with open(os.path.join(build.folder, "config.h")) as config:
            if topic in topics and f"CONFIG_{symbol} 1" not in config.read():
                pytest.skip(f"the kernel has no {what}")
    with tempfile.TemporaryDirectory(prefix="remora-disks-") as folder:
        check(build, topic, "cpu=max cpus=2", linux_checks.disks(folder) if topic == "disk" else ())


@pytest.mark.parametrize("machine", SVE_MACHINES)
@pytest.mark.parametrize("topic", ("sve", "sveframe"))
def test_vectors(build, topic, machine):
    check(build, topic, machine)


@pytest.mark.parametrize("machine", ("cpu=max cpus=1", "cpu=max cpus=4", "cpu=cortex-a72 cpus=1",
                                     "cpu=max cpus=2 virtualization=on"))
@pytest.mark.parametrize("topic", ("pauth", "guarded"))
def test_branch_protection(build, topic, machine):
    """Keys follow the threads over CPUs; a CPU without them says so."""
    check(build, topic, machine)


@pytest.mark.parametrize("row", linux_checks.ends(), ids=lambda row: row[0])
def test_end(build, row):
    """Every way for a program to end has its status or signal."""
    argument, kind, number, text = row
    result = boot(build.image(os.path.join(build.folder, "tests/linux/end"), argument), timeout=60)
    assert result.output.decode() == text, result
    assert ("exit", result.status) == (kind, number) or ("signal", result.signal) == (kind, number), result


@pytest.mark.long
def test_on_linux_first(build):
    """What we ask of ours is true of Debian's kernel."""
    subprocess.run([sys.executable, os.path.join(TOP, "tests/oracle/linux_checks.py"), "--build", build.folder],
                   check=True, timeout=600)
