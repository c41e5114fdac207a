# SPDX-License-Identifier: MIT
"""The same programs by other roads: linked dynamically with glibc, statically and dynamically with musl, C++."""
import os
import shutil
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


# A shared object for each: how relocated.c is compiled, and the relocation that it must then have.
RELOCATIONS = {
    "relative": ("-DKIND_RELATIVE", "R_AARCH64_RELATIVE"),
    "relr": ("-DKIND_RELR", ".relr.dyn"),
    "abs64": ("-DKIND_ABS64", "R_AARCH64_ABS64"),
    "globdat": ("-DKIND_GLOB_DAT", "R_AARCH64_GLOB_DAT"),
    "jumpslot": ("-DKIND_JUMP_SLOT", "R_AARCH64_JUMP_SLOT"),
    "irelative": ("-DKIND_IRELATIVE", "R_AARCH64_IRELATIVE"),
    "tlsdesc": ("-DKIND_TLS", "R_AARCH64_TLSDESC"),
    "tprel": ("-DKIND_TLS -ftls-model=initial-exec", "R_AARCH64_TLS_TPREL64"),
    "dtpmod": ("-DKIND_TLS -mtls-dialect=trad", "R_AARCH64_TLS_DTPMOD64"),
}


def relocations_of(path):
    return subprocess.run([measure.PREFIX + "readelf", "-rW", path], capture_output=True, text=True, check=True).stdout


def compile_relocated(folder):
    """The program and its shared objects, each with the relocation that it is named after."""
    def compiler(output, *words):
        subprocess.run([measure.PREFIX + "gcc", "-O1", "-Wall", "-Werror", "-o", os.path.join(folder, output), *words],
                       check=True, cwd=os.path.join(TOP, "tests/libraries"))
        return relocations_of(os.path.join(folder, output))

    compiler("libshared.so", "-shared", "-fPIC", "shared.c")
    link = ["-L" + folder, "-lshared"]
    for name, (flags, kind) in RELOCATIONS.items():
        if name == "relr":  # binutils packs none for AArch64
            path = os.path.join(folder, "librelr.so")
            subprocess.run([measure.PREFIX + "gcc", "-O1", "-c", "-fPIC", flags, "-o", path + ".o", "relocated.c"],
                           check=True, cwd=os.path.join(TOP, "tests/libraries"))
            subprocess.run(["ld.lld-14", "-shared", "--pack-dyn-relocs=relr", "-o", path, path + ".o"], check=True)
            found = relocations_of(path)
        else:
            found = compiler(f"lib{name}.so", "-shared", "-fPIC", *flags.split(), "relocated.c", *link)
        assert kind in found, (name, found)
    assert "R_AARCH64_COPY" in compiler("relocations", "-no-pie", "-fno-pie", "relocations.c", *link)


def test_relocations(build, tmp_path):
    """Every kind that the psABI has for 64-bit dynamic objects, and what the loader makes of it in each thread."""
    folder = tmp_path / "lib"
    os.makedirs(folder)
    compile_relocated(str(folder))
    for name in ("ld-linux-aarch64.so.1", "libc.so.6"):
        shutil.copy(os.path.join(GLIBC, "lib", name), folder / name)
    names = [f"/lib/lib{name}.so" for name in RELOCATIONS]
    (tmp_path / "remora.conf").write_text("[program]\ncommand = /lib/relocations %s\n[files]\n/lib = lib\n" % " ".join(names))
    result = boot(build.image(str(tmp_path)), MACHINE, timeout=120)
    expected = "".join(f"{name}: 42 42 42\n" for name in names)
    assert (result.status, result.output.decode()) == (0, "copy: 42\n" + expected), result
