# SPDX-License-Identifier: MIT
"""The ABI checks of tests/linux in Remora; they pass on Debian's kernel first (tests/oracle)."""
import glob
import os
import re

import pytest

from conftest import TOP
from guest import Machine, boot

TOPICS = sorted(os.path.basename(path)[:-2] for path in glob.glob(os.path.join(TOP, "tests/linux/*.c")))


@pytest.mark.parametrize("topic", TOPICS)
def test_topic(build, topic):
    image = build.image(os.path.join(build.folder, "tests/linux", topic))
    result = boot(image, Machine.parse("checks cpu=max gic=3 memory=256 cpus=2"), timeout=180)
    failed = re.findall(rb"^FAIL .*", result.output, re.M)
    passed = re.findall(rb"^ok ", result.output, re.M)
    assert not failed and passed and result.status == 0, \
        b"\n".join(failed).decode(errors="replace") + f"\n{len(passed)} ok\n{result}"
