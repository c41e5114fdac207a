# SPDX-License-Identifier: MIT
"""The build itself: both compilers, every driver off, clear errors for wrong tools."""
import os
import shutil
import subprocess

import pytest

from conftest import TOP
from guest import Machine, boot


def make(*words, **environment):
    return subprocess.run(["make", "-C", TOP, *words], capture_output=True, text=True, timeout=900,
                          env=dict(os.environ, **environment))


@pytest.mark.parametrize("words,names", [
    (["CROSS_PREFIX=nope-"], ["nope-gcc", "CROSS_PREFIX"]),
    (["CC=nope-cc"], ["nope-cc", "CC"]),
    (["CC=gcc"], ["gcc", "x86_64" if os.uname().machine == "x86_64" else "arm64", "CC"]),
    (["ARCH=sparc"], ["sparc", "arm64"]),
    (["HOST_CC=nope-cc"], ["nope-cc", "HOST_CC"]),
    (["OBJCOPY=nope-objcopy"], ["nope-objcopy", "OBJCOPY"]),
])
def test_wrong_tool_is_named(tmp_path, words, names):
    result = make("configure", f"BUILD={tmp_path}/build", *words)
    assert result.returncode != 0
    for name in names:
        assert name in result.stderr, result.stderr


def test_architecture_is_printed(tmp_path):
    for words in ([], ["ARCH=arm64"], ["ARCH=aarch64"]):
        result = make("configure", f"BUILD={tmp_path}/build", *words)
        assert result.returncode == 0, result.stderr
        assert "architecture arm64" in result.stdout


def test_menu_without_a_terminal(tmp_path):
    result = make("menuconfig", f"CONFIG={tmp_path}/answers")
    assert result.returncode != 0 and "needs a terminal" in result.stderr and "Traceback" not in result.stderr


@pytest.mark.long
def test_clang(tmp_path):
    """Without warnings, which are errors for the compiler; the linker's are looked for."""
    result = make("all", f"BUILD={tmp_path}/build", "CC=clang-14")
    assert result.returncode == 0, result.stdout[-4000:] + result.stderr
    assert "warning" not in result.stdout + result.stderr


def test_debug_kernel(build, tmp_path):
    """With lock order and freed memory checked while running: threads, signals and files; and what is off by default."""
    answers = tmp_path / "answers"
    answers.write_text("CONFIG_DEBUG_CHECKS=y\nCONFIG_VSOCK=y\n")
    result = make("configure", f"BUILD={tmp_path}/build", f"CONFIG={answers}")
    assert result.returncode == 0, result.stderr
    subprocess.run(["ninja", "-C", f"{tmp_path}/build", "Image"], check=True, capture_output=True, timeout=900)
    names = subprocess.run(["aarch64-linux-gnu-nm", f"{tmp_path}/build/kernel.elf"], capture_output=True, text=True).stdout
    assert "spin_check_taken" in names and "memory_check_mappings" in names
    for program in ("programs/cpus", "tests/linux/threads", "tests/linux/signals", "tests/linux/futex",
                    "tests/linux/files", "tests/linux/unix", "tests/linux/mmap", "tests/linux/vsock"):
        image = tmp_path / "image"
        made = build.command("build", "--kernel", f"{tmp_path}/build/Image",
                             os.path.join(build.folder, program), "-o", str(image))
        assert made.returncode == 0, made.stderr
        result = boot(str(image), Machine.parse("debug gic=3 memory=256 cpus=4"), timeout=120)
        assert b"PANIC" not in result.log and result.status is not None, f"{program}: {result}"
    assert result.status == 0 and result.output.count(b"\nok ") >= 10, result


@pytest.mark.long
def test_without_each_driver():
    result = subprocess.run([os.path.join(TOP, "scripts/check-drivers-off")], capture_output=True, text=True,
                            timeout=3000)
    shutil.rmtree(os.path.join(TOP, "build-off"), ignore_errors=True)
    assert result.returncode == 0, result.stdout


def test_install(build, tmp_path):
    prefix = tmp_path / "prefix"
    subprocess.run([os.path.join(TOP, "scripts/install"), build.folder, prefix], check=True, timeout=60)
    files = sorted(str(path.relative_to(prefix)) for path in prefix.rglob("*") if path.is_file())
    assert files == ["bin/remora", "lib/remora/Image", "share/doc/remora/LICENSE", "share/doc/remora/LICENSE.lwip"]
    assert "Swedish Institute" in (prefix / "share/doc/remora/LICENSE.lwip").read_text()
    subprocess.run([os.path.join(TOP, "scripts/install"), "--remove", prefix], check=True, timeout=60)
    assert not [path for path in prefix.rglob("*") if path.is_file()]
