# SPDX-License-Identifier: MIT
"""Bad input: one clear message that says what to do, the right status, nothing left behind."""
import os
import struct
import subprocess
import sys

import pytest

from guest import Machine, boot

HELLO_C = "int puts(const char *); int main(void) { return puts(\"hello\") < 0; }\n"


@pytest.fixture
def run(build, tmp_path):
    """Runs the command in an empty folder with an own TMPDIR; both must be empty afterwards."""
    work, temporary = tmp_path / "work", tmp_path / "tmp"
    work.mkdir()
    temporary.mkdir()

    def call(*words, **environment):
        result = build.command(*map(str, words), cwd=work, timeout=120,
                               env=dict(os.environ, TMPDIR=str(temporary), **environment))
        assert list(work.iterdir()) == [] and list(temporary.iterdir()) == []
        return result

    return call


def complaint(result, status, *words):
    """The status, and a message of a few lines that names the words."""
    text = result.stderr.decode(errors="replace")
    assert result.returncode == status, (result.returncode, result.stdout, text)
    for word in words:
        assert word.lower() in text.lower(), text
    assert 1 <= len(text.strip().splitlines()) <= 6, text


def compile_arm64(path, *options):
    source = path.with_suffix(".c")
    source.write_text(HELLO_C)
    subprocess.run(["aarch64-linux-gnu-gcc", "-o", path, source, *options], check=True, timeout=60)
    return path


def test_x86_program(run):
    complaint(run("run", sys.executable), 126, "x86-64", "arm64")


def test_truncated_program(build, run, tmp_path):
    short = tmp_path / "short"
    with open(build.program("hello"), "rb") as whole:
        short.write_bytes(whole.read(40000))
    short.chmod(0o755)
    complaint(run("run", short), 126, "short")


def test_no_such_program(run):
    complaint(run("run", "./nothing"), 127, "nothing")


def test_not_a_program(run, tmp_path):
    text = tmp_path / "text"
    text.write_text("just words\n")
    complaint(run("run", text), 126, "text")


def test_missing_interpreter(run, tmp_path):
    program = compile_arm64(tmp_path / "dynamic", "-Wl,--dynamic-linker,/lib/ld-nothing.so.1")
    complaint(run("run", program), 127, "ld-nothing.so.1")


def test_missing_library(run, tmp_path):
    library = tmp_path / "libabsent.so"
    source = tmp_path / "absent.c"
    source.write_text("int absent(void) { return 0; }\n")
    subprocess.run(["aarch64-linux-gnu-gcc", "-shared", "-fPIC", "-o", library, source], check=True, timeout=60)
    program = compile_arm64(tmp_path / "needs", "-Wl,--no-as-needed", str(library))
    library.unlink()
    complaint(run("run", "--sysroot", "/usr/aarch64-linux-gnu", program), 127, "libabsent.so")


def test_corrupt_root(build, run, tmp_path):
    """The root's super block is overwritten: the kernel says so and the status is 125."""
    image = tmp_path / "corrupt.img"
    with open(build.image(build.program("hello")), "rb") as good:
        data = bytearray(good.read())
    root = int.from_bytes(data[0x418:0x420], "little")  # root_offset of abi/image.h
    data[root + 1024:root + 1024 + 128] = b"\xa5" * 128
    image.write_bytes(data)
    complaint(run("run", image), 125, "root")


def test_too_little_memory(build, run):
    complaint(run("run", "-m", "4M", "--timeout", "30", build.program("hello")), 125, "memory")


def test_no_device_tree(build):
    """Started with x0 = 0 where no tree is: the kernel stops and does not run wild."""
    machine = Machine.parse("none memory=1536 load=0x80200000")
    result = boot(build.kernel, machine, timeout=5)
    assert result.status is None and result.timed_out or result.qemu_status is not None


def test_unknown_package(run):
    complaint(run("run", "deb:no-such-package-at-all"), 125, "no-such-package-at-all")


def test_no_network(run, tmp_path):
    """A package that is not in the cache, and no way to fetch it."""
    nowhere = "http://127.0.0.1:9"
    complaint(run("run", "deb:hello", XDG_CACHE_HOME=str(tmp_path / "cache"), http_proxy=nowhere,
                  https_proxy=nowhere), 125, "network")


def test_read_only_folder(build, run):
    complaint(run("build", build.program("hello"), "-o", "/proc/hello.img"), 125, "/proc/hello.img")


def test_full_overlay(build):
    result = boot(build.image(build.program("fill")), Machine.parse("full memory=64"), timeout=120)
    assert result.status == 0 and b"No space left on device" in result.output, result


def test_out_of_memory_ends_the_program(build):
    """The program is killed with a message; the kernel powers the guest off in order."""
    result = boot(build.image(build.program("hog")), Machine.parse("oom memory=64"), timeout=120)
    assert result.signal == 9, result
    assert b"memory" in result.log.lower(), result
    assert result.qemu_status == 0, result


def test_program_over_the_stack(build, tmp_path):
    """A program that wants to be where the vDSO and the stack are does not take their place."""
    code = struct.pack("<III", 0xd2800ba8, 0xd2800000, 0xd4000001)  # exit(0)
    at, size = 0x400000, 64 + 2 * 56 + len(code)
    header = struct.pack("<16sHHIQQQIHHHHHH", b"\x7fELF\x02\x01\x01", 2, 183, 1, at + size - len(code), 64, 0, 0,
                         64, 56, 2, 0, 0, 0)
    segments = [(1, 5, 0, at, at, size, size, 4096), (1, 4, 0, 3 << 46, 3 << 46, 0, (1 << 46) - 4096, 4096)]
    path = tmp_path / "over"
    path.write_bytes(header + b"".join(struct.pack("<IIQQQQQQ", *s) for s in segments) + code)
    path.chmod(0o755)
    result = boot(build.image(str(path)), Machine.parse("over memory=64"), timeout=60)
    assert result.status == 126 and b"there is no room for it in memory" in result.log, result
