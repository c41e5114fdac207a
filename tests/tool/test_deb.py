# SPDX-License-Identifier: MIT
"""deb: sources, from the system's mirrors. One cache for all tests of a session; busybox-static is one
package of 1 MB, perl-base has hard links and libraries."""
import hashlib
import os
import re
import shutil
import subprocess

import pytest

DEAD_PROXY = {"http_proxy": "http://127.0.0.1:9", "https_proxy": "http://127.0.0.1:9"}


@pytest.fixture(scope="session")
def shared_cache(tmp_path_factory):
    return str(tmp_path_factory.mktemp("cache"))


@pytest.fixture
def deb(tool, shared_cache):
    tool.cache = tool.environment["XDG_CACHE_HOME"] = shared_cache
    return tool


def digest(path):
    with open(path, "rb") as data:
        return hashlib.sha256(data.read()).hexdigest()


def test_package(deb):
    image = deb.path("b.img")
    deb.ok("build", "deb:busybox-static", "-o", image, timeout=300)
    shown = deb.ok("inspect", image).stdout.decode()
    assert "command   busybox\n" in shown  # its only program
    assert re.search(r"^  busybox-static \S+ arm64  \[.*GPL-2", shown, re.M)
    assert re.search(r"-0755 0:0 +\d+  /usr/bin/busybox$", shown, re.M)  # /bin is merged
    assert "/bin -> usr/bin" in shown


def test_modes_and_hard_links(deb):
    image = deb.path("p.img")
    deb.ok("build", "deb:perl-base", "perl", "-v", "-o", image, timeout=300)
    shown = deb.ok("inspect", image).stdout.decode()
    assert "d1777 0:0" in shown and "command   perl -v\n" in shown
    assert "/etc/alternatives/" in shown or "/usr/lib/aarch64-linux-gnu/libc.so.6" in shown
    with open(image, "rb") as data:
        data.seek(0x400 + 24)
        data.seek(int.from_bytes(data.read(8), "little"))
        open(deb.path("root"), "wb").write(data.read())
    out = deb.path("out")
    subprocess.run(["fsck.erofs", f"--extract={out}", deb.path("root")], check=True, timeout=60, capture_output=True)
    perls = [name for name in os.listdir(f"{out}/usr/bin") if name.startswith("perl")]
    assert len(perls) >= 2
    # fsck.erofs 1.5 extracts hard links as copies; in the image they are one inode.
    assert len({digest(f"{out}/usr/bin/{name}") for name in perls}) == 1
    assert os.path.getsize(deb.path("root")) < 1.2 * sum(
        os.lstat(os.path.join(folder, name)).st_size + 4096 for folder, _, names in os.walk(out) for name in names)


def test_default_and_choices(deb):
    deb.fails(125, "run", "deb:libc6", timeout=300, text="which program?")
    deb.fails(127, "run", "deb:busybox-static", "nosuch", text=["nosuch: not found", "busybox"], timeout=300)


def test_with(deb, programs):
    result = deb.command("build", "--with", "deb:libc6", programs["dynamic"], "-o", deb.path("d.img"), timeout=300)
    assert result.returncode == 0, result.stderr
    shown = deb.ok("inspect", deb.path("d.img")).stdout.decode()
    assert "exec      /usr/local/bin/dynamic\n" in shown and "\n  libc6 " in shown


def test_same_bytes_and_lock(deb):
    lock = deb.path("app.lock")
    deb.ok("build", "--lock", lock, "deb:busybox-static", "-o", deb.path("1.img"), timeout=300)
    text = open(lock).read()
    assert re.fullmatch(r"remora-lock=1 busybox-static\nbusybox-static \S+ arm64 [0-9a-f]{64}\n", text)
    # Another cache that holds only the downloaded packages, no network, another umask.
    other = deb.path("other")
    shutil.copytree(f"{deb.cache}/remora/apt", f"{other}/remora/apt")
    old = os.umask(0o077)
    try:
        deb.ok("build", "--offline", "--lock", lock, "deb:busybox-static", "-o", deb.path("2.img"),
               environment={"XDG_CACHE_HOME": other, **DEAD_PROXY})
    finally:
        os.umask(old)
    assert digest(deb.path("1.img")) == digest(deb.path("2.img"))
    assert open(lock).read() == text
    deb.fails(125, "build", "--lock", lock, "deb:perl-base", "-o", deb.path("3.img"), text="does not pin perl-base")
    with open(lock, "w") as out:
        out.write(re.sub(r"[0-9a-f]{64}", "0" * 64, text))
    shutil.rmtree(f"{deb.cache}/remora/images")
    deb.fails(125, "build", "--lock", lock, "deb:busybox-static", "-o", deb.path("3.img"), text="digest")


def test_folder_is_pinned(deb):
    deb.write("src/remora.conf", "[program]\ncommand = busybox true\n[root]\nbase = deb:busybox-static\n")
    deb.ok("build", deb.path("src"), "-o", deb.path("1.img"), timeout=300)
    assert open(deb.path("src/remora.lock")).read().startswith("remora-lock=1 busybox-static\n")


def test_second_run_asks_nobody(deb):
    deb.ok("run", "deb:busybox-static", timeout=300)
    result = deb.ok("run", "deb:busybox-static", environment={**DEAD_PROXY, "PATH": "/nowhere"})
    assert result.stdout == b"out\n"


def test_unknown_package(deb):
    deb.fails(125, "run", "deb:no-such-package", timeout=300, text=["package no-such-package", "not known"])
    deb.fails(125, "run", "deb:", text="names no package")
    deb.fails(125, "run", "deb:Bad_Name", text="not the name of a Debian package")


def test_no_network(tool):
    tool.fails(125, "run", "deb:hello", environment=DEAD_PROXY, timeout=300,
               text=["could not be fetched", "check the network", "--offline"])
    tool.fails(125, "run", "--offline", "deb:hello", timeout=60, text="hello")
    left = [name for _, _, names in os.walk(tool.cache) for name in names if name.endswith((".root", ".img")) or "." in name[-7:-6]]
    assert left == []


def test_cache_cannot_be_written(tool):
    for cache in ("/proc/nothing", tool.write("file", "")):
        tool.fails(125, "run", "deb:hello", environment={"XDG_CACHE_HOME": cache}, text=["cannot be written", "XDG_CACHE_HOME"])


def test_no_apt(tool):
    tool.fails(125, "run", "deb:hello", environment={"PATH": "/nowhere"}, text="apt-get")
