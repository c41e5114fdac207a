# SPDX-License-Identifier: MIT
"""The same programs by other roads: linked dynamically with glibc, statically and dynamically with musl, C++."""
import os
import subprocess
import sys

import pytest

from conftest import TOP
from guest import Machine, boot

sys.path.insert(0, os.path.join(TOP, "bench"))
import measure  # noqa: E402

GLIBC = "/usr/aarch64-linux-gnu"
MACHINE = Machine.parse("libraries cpu=max gic=3 memory=256 cpus=2")
TOPICS = ("threads", "signals", "polls", "mmap")
# musl differs in some library calls (sched_getscheduler, sendmsg, robust lists): topics that it passes on Linux.
MUSL_TOPICS = ("mmap", "pipes", "exec", "faults")


def compiled(build, name, make):
    """The path of a program that `make(path)` compiles unless it is newer than its source."""
    folder = os.path.join(build.folder, "tests/libraries")
    os.makedirs(folder, exist_ok=True)
    path = os.path.join(folder, name)
    if not os.path.exists(path):
        part = f"{path}.{os.getpid()}"
        make(part)
        os.rename(part, path)
    return path


def source(topic):
    return os.path.join(TOP, "tests/linux", topic + ".c")


def check_all(result):
    assert result.status == 0 and b"\nok " in result.output and b"FAIL" not in result.output, result


@pytest.mark.parametrize("topic", TOPICS)
def test_dynamic_glibc(build, topic):
    def make(path):
        subprocess.run([measure.PREFIX + "gcc", "-std=gnu11", "-O2", "-w", "-o", path, source(topic),
                        "-Wl,--no-as-needed", "-lgcc_s"], check=True)  # the library cancels threads by it

    program = compiled(build, f"{topic}.glibc", make)
    check_all(boot(build.image("--sysroot", GLIBC, program), MACHINE, timeout=120))


@pytest.mark.parametrize("topic", MUSL_TOPICS)
def test_static_musl(build, topic):
    program = compiled(build, f"{topic}.musl",
                       lambda path: measure.musl_compile(source(topic), path, "-std=gnu11", "-w"))
    check_all(boot(build.image(program), MACHINE, timeout=120))


@pytest.mark.parametrize("topic", MUSL_TOPICS[:2])
def test_dynamic_musl(build, topic):
    program = compiled(build, f"{topic}.musl-dynamic",
                       lambda path: measure.musl_compile(source(topic), path, "-std=gnu11", "-w", dynamic=True))
    check_all(boot(build.image("--sysroot", measure.debian.musl(), program), MACHINE, timeout=120))


EXPECTED = b"""destroyed 16800
caught in another thread: from the bottom
out of range, carried over
circle: 1
length error
"""


@pytest.mark.parametrize("link", ["static", "dynamic"])
def test_cxx_exceptions_across_threads(build, link):
    def make(path):
        subprocess.run([measure.PREFIX + "g++", "-std=c++17", "-O2", f"-{link}" if link == "static" else "-O2",
                        "-pthread", "-o", path, os.path.join(TOP, "tests/libraries/exceptions.cc")], check=True)

    program = compiled(build, f"exceptions.{link}", make)
    words = ["--sysroot", GLIBC, program] if link == "dynamic" else [program]
    result = boot(build.image(*words), MACHINE, timeout=120)
    assert (result.status, result.output) == (17, EXPECTED), result
