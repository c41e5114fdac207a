# SPDX-License-Identifier: MIT
"""The ABI checks of tests/linux in Remora; they pass on Debian's kernel first (tests/oracle)."""
import glob
import os
import re
import subprocess
import sys

import pytest

from conftest import TOP
from guest import Machine, boot

sys.path.insert(0, os.path.join(TOP, "tests/oracle"))
import linux_checks  # noqa: E402

TOPICS = sorted(os.path.basename(path)[:-2] for path in glob.glob(os.path.join(TOP, "tests/linux/*.c")))
TOPICS = [topic for topic in TOPICS if topic not in linux_checks.NOT_CHECKS]


@pytest.mark.parametrize("topic", TOPICS)
def test_topic(build, topic):
    image = build.image(os.path.join(build.folder, "tests/linux", topic))
    result = boot(image, Machine.parse("checks cpu=max gic=3 memory=256 cpus=2"), timeout=180)
    failed = re.findall(rb"^FAIL .*", result.output, re.M)
    passed = re.findall(rb"^ok ", result.output, re.M)
    assert not failed and passed and result.status == 0, \
        b"\n".join(failed).decode(errors="replace") + f"\n{len(passed)} ok\n{result}"


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
