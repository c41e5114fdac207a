# SPDX-License-Identifier: MIT
"""`remora build`, `inspect`, `check`, `cache`: what is made of programs and folders."""
import hashlib
import os
import shutil
import struct
import subprocess

import pytest

from conftest import SYSROOT


def digest(path):
    with open(path, "rb") as data:
        return hashlib.sha256(data.read()).hexdigest()


def root_place(image):
    """(offset, size) of the EROFS part of an image."""
    with open(image, "rb") as data:
        data.seek(0x400)
        return struct.unpack("<QQ", data.read(128)[24:40])


def root_of(tool, image):
    """The EROFS part of an image, as a file."""
    offset, size = root_place(image)
    with open(image, "rb") as data:
        header = data.read(64)
        assert struct.unpack_from("<Q", header, 16)[0] == offset + size == os.path.getsize(image)
        assert offset % 4096 == 0
        data.seek(offset)
        root = data.read(size)
    return tool.write("root.erofs", root)


def listing(tool, image):
    """Lines of inspect's file list by path: "type and mode owner size"."""
    lines = tool.ok("inspect", image).stdout.decode().partition("\nfiles:\n")[2].splitlines()
    return {" ".join(line.split()[3:]): " ".join(line.split()[:3]) for line in lines}


def make_folder(tool, name, command="/app/tool x"):
    tool.write(f"{name}/remora.conf", f"[program]\ncommand = {command}\ncwd = /app\nuser = www-data\n"
               "[files]\n/app = app\n/etc/motd = motd\n[env]\nGREETING = hello world\n"
               "[machine]\nname = web\nmemory = 96\ncpus = 2\n")
    tool.write(f"{name}/motd", "hi\n")
    tool.write(f"{name}/app/data/b", "b" * 5000)
    tool.write(f"{name}/app/data/a", "")
    os.symlink("data/a", tool.path(name, "app/link"))
    return tool.path(name)


def test_image_is_sound(tool, programs):
    image = tool.path("hello.img")
    tool.ok("build", programs["static"], "a", "-o", image)
    root = root_of(tool, image)
    checked = subprocess.run(["fsck.erofs", root], capture_output=True, timeout=60)
    assert checked.returncode == 0, checked.stderr
    shown = tool.ok("inspect", image).stdout.decode()
    assert "command   static a\n" in shown and "exec      /usr/local/bin/static\n" in shown


def test_fsck_extracts_the_same(tool, programs):
    """erofs-utils read what we wrote."""
    folder = make_folder(tool, "src", "/usr/local/bin/static")
    image = tool.path("x.img")
    tool.ok("build", "--with", programs["static"], folder, "-o", image)
    out = tool.path("out")
    subprocess.run(["fsck.erofs", f"--extract={out}", root_of(tool, image)], check=True, timeout=60, capture_output=True)
    with open(os.path.join(out, "app/data/b")) as data:
        assert data.read() == "b" * 5000
    assert os.readlink(os.path.join(out, "app/link")) == "data/a"
    with open(os.path.join(out, "usr/local/bin/static"), "rb") as a, open(programs["static"], "rb") as b:
        assert a.read() == b.read()


def test_same_bytes(tool, programs):
    """Two folders, umasks, dates, users and orders of making files."""
    shutil.copy(programs["static"], tool.write("one/app/tool", "", 0o755))
    one = make_folder(tool, "one", "/app/tool x")
    old = os.umask(0o077)
    try:
        two = tool.path("elsewhere", "two")
        os.makedirs(two)
        for name in ("motd", "remora.conf", "app"):
            subprocess.run(["cp", "-r", os.path.join(one, name), two], check=True)
    finally:
        os.umask(old)
    os.chmod(os.path.join(two, "app/data/b"), 0o600)
    os.chmod(os.path.join(two, "app/tool"), 0o700)
    os.utime(os.path.join(two, "app/data/b"), (1, 1))
    tool.ok("build", one, "-o", tool.path("1.img"))
    command = [tool.remora, "build", ".", "-o", "2.img"]
    env = dict(tool.environment, TZ="Asia/Tokyo", LC_ALL="C", HOME="/nonexistent")
    if os.getuid() == 0 and shutil.which("setpriv"):
        subprocess.run(["chown", "-R", "1234:1234", tool.path("elsewhere")], check=True)
        subprocess.run(["chmod", "a+x", tool.folder, os.path.dirname(tool.folder)], check=True)
        if os.access(tool.remora, os.X_OK):
            command = ["setpriv", "--reuid=1234", "--regid=1234", "--clear-groups"] + command
    made = subprocess.run(command, cwd=two, env=env, capture_output=True, timeout=60)
    if made.returncode and b"setpriv" in made.stderr:
        made = subprocess.run(command[4:], cwd=two, env=env, capture_output=True, timeout=60)
    if made.returncode:  # another user cannot reach this folder: the rest of the differences still count
        made = subprocess.run([tool.remora, "build", ".", "-o", "2.img"], cwd=two, env=env, capture_output=True, timeout=60)
    assert made.returncode == 0, made.stderr
    assert digest(tool.path("1.img")) == digest(os.path.join(two, "2.img"))


def test_folder(tool, programs):
    shutil.copy(programs["static"], tool.write("src/app/tool", "", 0o755))
    image = tool.path("web.img")
    tool.ok("build", make_folder(tool, "src"), "-o", image)
    shown = tool.ok("inspect", image).stdout.decode()
    for line in ("name      web", "command   /app/tool x", "cwd       /app", "user      33:33", "memory    96 MiB",
                 "cpus      2", "hostname  web"):
        assert line + "\n" in shown
    assert "GREETING=hello world" in shown
    files = listing(tool, image)
    assert files["/app/tool"].startswith("-0755 0:0") and files["/app/data/b"] == "-0644 0:0 5000"
    assert "/app/link -> data/a" in files


@pytest.mark.parametrize("text,message", [
    ("[program]\ncommand = 'open\n", ":2: command: a quote is not closed"),
    ("[program]\ncolour = red\n", ":2: [program] colour is not known"),
    ("[files]\netc = x\n", ":2: etc: the guest path must be absolute"),
    ("[machine]\nmemory = lots\n", ":2: memory = lots: give a number"),
    ("[files]\n/x = nothing\n", "nothing: No such file"),
    ("", "which program?"),
])
def test_bad_folder(tool, text, message):
    tool.write("src/remora.conf", text)
    tool.fails(125, "build", tool.path("src"), "-o", tool.path("x.img"), text=message)
    assert not os.path.exists(tool.path("x.img"))


def test_folder_without_configuration(tool):
    os.mkdir(tool.path("src"))
    tool.fails(125, "run", tool.path("src"), text="remora.conf: No such file")


def test_libraries_of_a_sysroot(tool, programs):
    image = tool.path("d.img")
    tool.ok("build", "--sysroot", SYSROOT, programs["dynamic"], "-o", image)
    files = listing(tool, image)
    assert "/usr/lib/ld-linux-aarch64.so.1" in files and "/usr/lib/aarch64-linux-gnu/libc.so.6" in files


def test_check(tool, programs):
    result = tool.command("check", programs["dynamic"])
    assert result.returncode == 1
    assert b"missing: /lib/ld-linux-aarch64.so.1" in result.stdout and b"missing: libc.so.6" in result.stdout
    assert b"0 problems" in tool.ok("check", "--sysroot", SYSROOT, programs["dynamic"]).stdout


# --- Bad input. ----------------------------------------------------------------------------------


def test_foreign_program(tool, programs):
    tool.fails(126, "run", programs["host"], text=["x86-64", "arm64"] if os.uname().machine == "x86_64" else "arm64")


@pytest.mark.parametrize("size", [10, 40, 100, 5000])
def test_truncated_program(tool, programs, size):
    with open(programs["static"], "rb") as data:
        short = tool.write("short", data.read(size), 0o755)
    tool.fails(126, "run", short, text="cut off")


def test_not_a_program(tool):
    tool.fails(126, "run", tool.write("text", "hello\n"), text="not an ELF file")
    tool.fails(127, "run", tool.path("nothing"), text="No such file")


def test_missing_library(tool, programs):
    result = tool.fails(127, "build", "--sysroot", SYSROOT, "-o", tool.path("x.img"), library_user(tool), text="libgone.so.1")
    assert b"libgone1" in result.stderr
    assert not os.path.exists(tool.path("x.img"))


def library_user(tool):
    tool.write("gone.c", "int gone(void) { return 1; }\n")
    tool.write("user.c", "int gone(void); int main(void) { return gone(); }\n")
    cross = os.environ.get("CROSS_PREFIX", "aarch64-linux-gnu-") + "gcc"
    subprocess.run([cross, "-shared", "-fPIC", "-Wl,-soname,libgone.so.1", "-o", "libgone.so", "gone.c"],
                   cwd=tool.folder, check=True, timeout=60)
    subprocess.run([cross, "-o", "user", "user.c", "-L.", "-lgone"], cwd=tool.folder, check=True, timeout=60)
    os.unlink(tool.path("libgone.so"))
    return tool.path("user")


@pytest.mark.parametrize("place", [0, 1024, 5000, -1])
def test_corrupt_root(tool, programs, place):
    image = tool.path("x.img")
    tool.ok("build", programs["static"], "-o", image)
    with open(image, "r+b") as data:
        data.seek(root_place(image)[0] + place if place >= 0 else os.path.getsize(image) - 1)
        byte = data.read(1)
        data.seek(-1, 1)
        data.write(bytes([byte[0] ^ 1]))
    for command in ("run", "inspect"):
        tool.fails(125, command, image, text="corrupt")


def test_cut_image(tool, programs):
    image = tool.path("x.img")
    tool.ok("build", programs["static"], "-o", image)
    os.truncate(image, os.path.getsize(image) - 4096)
    tool.fails(125, "run", image, text="damaged")


def test_other_kernels(tool, programs):
    tool.fails(125, "run", "--kernel", programs["static"], programs["static"], text="neither an image of `remora build` nor a kernel Image")
    tool.fails(125, "run", "--kernel", tool.path("nothing"), programs["static"], text="No such file")
    tool.fails(125, "run", tool.kernel, text="a kernel without a root")
    with open(tool.kernel, "r+b") as data:
        data.seek(0x400)
        data.write(b"X")
    tool.fails(125, "run", programs["static"], text="not Remora's")


def test_output_cannot_be_written(tool, programs):
    tool.fails(125, "build", programs["static"], "-o", "/proc/x.img", text="/proc/x.img: cannot be written")
    tool.fails(125, "build", programs["static"], "-o", tool.path("no/such/x.img"), text="cannot be written")
    tool.fails(125, "build", programs["static"], text="-o FILE")
    assert sorted(os.listdir(tool.folder)) == ["Image"]


def test_no_such_user_or_folder(tool, programs):
    tool.fails(125, "run", "-u", "nosuch", programs["static"], text="nosuch")
    tool.fails(125, "run", "-w", "/nosuch", programs["static"], text="/nosuch")


def test_cache(tool):
    shown = tool.ok("cache", "ls").stdout.decode()
    assert shown.startswith(tool.cache)
    tool.write("cache/remora/images/x.root", "x" * 100)
    tool.ok("cache", "prune")
    assert [files for _, _, files in os.walk(tool.cache) if files] == []
    tool.fails(125, "cache", text="usage")


def test_help(tool):
    for words in (["help"], ["--help"], ["run", "--help"], ["help", "build"]):
        assert b"usage: remora" in tool.ok(*words).stdout
    tool.fails(125, "dance", text="no command is called dance")


def test_check_names_absent_calls(tool):
    """swapon(2) is not a goal, so it stays absent."""
    tool.write("swap.c", "long number(void) { return 0; }\nvoid _start(void) { register long x8 __asm__(\"x8\") = 224;\n"
               "__asm__ volatile(\"svc #0\" : : \"r\"(x8)); for (;;); }\n")
    cross = os.environ.get("CROSS_PREFIX", "aarch64-linux-gnu-") + "gcc"
    subprocess.run([cross, "-O1", "-static", "-nostdlib", "-o", "swap", "swap.c"], cwd=tool.folder, check=True, timeout=60)
    assert b"this kernel lacks (they give ENOSYS): swapon\n" in tool.ok("check", tool.path("swap")).stdout
