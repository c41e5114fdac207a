# SPDX-License-Identifier: MIT
"""What must not get worse: instructions an operation, coverage of the system calls, faults that are caught."""
import os
import subprocess
import sys

import pytest

from conftest import TOP


def script(*words, timeout):
    ended = subprocess.run([sys.executable, *words], cwd=TOP, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                           text=True, timeout=timeout)
    assert ended.returncode == 0, ended.stdout


def test_instruction_counts(build):
    """3 % or 8 instructions more than bench/counts, whichever is more."""
    script("bench/gate", "--build", build.folder, timeout=300)


def test_every_call_has_a_check():
    script("tests/linux/coverage.py", "--check", timeout=60)


@pytest.mark.long
def test_seeded_faults(build):
    """At least nine in ten of the patches in tests/faults are caught."""
    script("tests/faults/run", "--build", build.folder, timeout=3600)
