# SPDX-License-Identifier: MIT
"""The command with its own cache, a kernel that is only headers, and a guest that is played."""
import os
import struct
import subprocess

import pytest

HERE = os.path.dirname(os.path.abspath(__file__))
CROSS = os.environ.get("CROSS_PREFIX", "aarch64-linux-gnu-")

HELLO = """
#include <stdio.h>
int main(int argc, char **argv) { for (int i = 0; i < argc; i++) puts(argv[i]); return 3; }
"""


def write_kernel(path, features=0):
    """An Image that has the headers of abi/image.h and nothing to run."""
    image = bytearray(8192)
    struct.pack_into("<IIQQQQQQII", image, 0, 0x14000000, 0, 0, len(image), 0xa, 0, 0, 0, 0x644d5241, 0)
    struct.pack_into("<QIIQQQ32sQ", image, 0x400, 0x4d4941524f4d4552, 1, 128, len(image), 0, 0, b"", features)
    with open(path, "wb") as out:
        out.write(image)


class Tool:
    def __init__(self, build, folder):
        self.remora = build.remora
        self.folder = folder
        self.cache = os.path.join(folder, "cache")
        self.kernel = os.path.join(folder, "Image")
        write_kernel(self.kernel)
        self.environment = dict(os.environ, XDG_CACHE_HOME=self.cache, XDG_STATE_HOME=os.path.join(folder, "state"),
                                REMORA_KERNEL=self.kernel,
                                REMORA_QEMU=os.path.join(HERE, "fake_guest.py"))

    def path(self, *parts):
        return os.path.join(self.folder, *parts)

    def write(self, name, text, mode=0o644):
        path = self.path(name)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "wb" if isinstance(text, bytes) else "w") as out:
            out.write(text)
        os.chmod(path, mode)
        return path

    def command(self, *words, guest="exit 0", timeout=120, input=b"", environment=None, **options):
        """Runs the command; the result's output and error are bytes."""
        env = dict(self.environment, FAKE_GUEST=guest, **(environment or {}))
        return subprocess.run([self.remora, *words], capture_output=True, env=env, timeout=timeout,
                              input=input, **options)

    def ok(self, *words, **options):
        result = self.command(*words, **options)
        assert result.returncode == 0, result.stderr.decode(errors="replace")
        return result

    def fails(self, status, *words, text=(), **options):
        """It ends with the status, and one of its lines holds each text."""
        result = self.command(*words, **options)
        error = result.stderr.decode(errors="replace")
        assert result.returncode == status, error
        for part in [text] if isinstance(text, str) else text:
            assert part in error, error
        assert error.startswith("remora: ")
        return result


@pytest.fixture
def tool(build, tmp_path):
    return Tool(build, str(tmp_path))


@pytest.fixture(scope="session")
def programs(tmp_path_factory):
    """hello for arm64: static, dynamic; for this machine."""
    folder = tmp_path_factory.mktemp("programs")
    source = folder / "hello.c"
    source.write_text(HELLO)
    made = {}
    for name, compiler, flags in [("static", CROSS + "gcc", ["-static"]), ("dynamic", CROSS + "gcc", []),
                                  ("host", "gcc", [])]:
        made[name] = str(folder / name)
        subprocess.run([compiler, *flags, "-o", made[name], str(source)], check=True, timeout=60)
    return made


SYSROOT = "/usr/aarch64-linux-gnu"
