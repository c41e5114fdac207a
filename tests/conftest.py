# SPDX-License-Identifier: MIT
"""What tool and system tests share: the build under test, images made of it, the `long` mark."""
import hashlib
import os
import subprocess

import pytest

TOP = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))


def pytest_addoption(parser):
    parser.addoption("--build", default=os.path.join(TOP, "build"), help="the build directory to test")
    parser.addoption("--all", action="store_true", help="long tests too (make test-all)")


def pytest_configure(config):
    config.addinivalue_line("markers", "long: runs in `make test-all` only")


def pytest_collection_modifyitems(config, items):
    if config.getoption("--all"):
        return
    items[:] = [item for item in items if not item.get_closest_marker("long")]


class Build:
    """Paths of the build, and images made once for all tests."""

    def __init__(self, folder, images):
        self.folder = os.path.abspath(folder)
        self.images = images
        self.remora = os.path.join(self.folder, "remora")
        self.kernel = os.path.join(self.folder, "Image")
        self.elf = os.path.join(self.folder, "kernel.elf")

    def program(self, name):
        return os.path.join(self.folder, "programs", name)

    def command(self, *arguments, timeout=120, **options):
        """Run the remora command; standard output and error apart, as bytes."""
        return subprocess.run([self.remora, *arguments], capture_output=True, timeout=timeout, **options)

    def image(self, source, *arguments, timeout=300):
        """The image that `remora build` makes of a source; the same one for the same words. A folder's lies beside it."""
        if os.path.isdir(source):
            made = self.command("build", source, *arguments, "-o", source + ".img", timeout=timeout)
            assert made.returncode == 0, made.stderr.decode(errors="replace")
            return source + ".img"
        key = "\0".join([source, *arguments])
        for word in [source, *arguments]:
            if os.path.isfile(word):
                key += f"\0{os.stat(word).st_mtime_ns}"
        key += f"\0{os.stat(self.kernel).st_mtime_ns}"
        path = os.path.join(self.images, hashlib.sha256(key.encode()).hexdigest()[:16] + ".img")
        if not os.path.exists(path):
            part = f"{path}.{os.getpid()}"
            made = self.command("build", source, *arguments, "-o", part, timeout=timeout)
            assert made.returncode == 0, made.stderr.decode(errors="replace")
            os.rename(part, path)
        return path


@pytest.fixture(scope="session")
def build(request):
    folder = request.config.getoption("--build")
    images = os.path.join(os.path.abspath(folder), "test-images")
    os.makedirs(images, exist_ok=True)
    return Build(folder, images)
