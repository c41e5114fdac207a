# SPDX-License-Identifier: MIT
"""A root on a disk: larger than the guest's memory, damaged, unreadable in places, missing."""
import hashlib
import os
import random
import struct

import pytest

from guest import Machine, boot

MIB = 1 << 20
ROOT = "/dev/disk/by-id/virtio-remora-root"
DISK = "virtio-blk-device,drive=root,serial=remora-root"


def root_of(image):
    """The bytes of the root that an image holds."""
    with open(image, "rb") as file:
        file.seek(0x400 + 24)
        offset, size = struct.unpack("<QQ", file.read(16))
        file.seek(offset)
        return file.read(size)


@pytest.fixture(scope="module")
def large(build, tmp_path_factory):
    """A Debian root with 208 MiB of data, and what the data is."""
    folder = tmp_path_factory.mktemp("large")
    (folder / "files").mkdir()
    sums = {}
    for i in range(4):
        data = random.Random(i).randbytes(52 * MIB - 100)
        (folder / "files" / f"f{i}").write_bytes(data)
        sums[f"/data/f{i}"] = hashlib.sha256(data).hexdigest()
    (folder / "remora.conf").write_text("[program]\ncommand = /usr/bin/python3\n"
                                        "[root]\nbase = deb:python3\n[files]\n/data = files\n")
    image = folder / "large.img"
    ended = build.command("build", folder, "-o", image, timeout=300)
    assert ended.returncode == 0, ended.stderr
    yield image, sums
    image.unlink()


def test_read(build, large):
    """Every byte, by read and by mappings of more than there is memory for."""
    image, sums = large
    program = ("import hashlib, mmap, sys\n"
               "for name in sys.argv[1:]:\n"
               "    with open(name, 'rb') as file:\n"
               "        print(hashlib.file_digest(file, 'sha256').hexdigest())\n"
               "        with mmap.mmap(file.fileno(), 0, prot=mmap.PROT_READ) as data:\n"
               "            print(hashlib.sha256(data).hexdigest())\n")
    ended = build.command("run", "-m", "64", image, "/usr/bin/python3", "-c", program, *sums, timeout=200)
    assert ended.returncode == 0, ended.stderr
    assert ended.stdout.decode().split() == [text for text in sums.values() for _ in range(2)]


def test_threads(build, large):
    """Four CPUs read at once, each file two of them, while memory is short."""
    image, sums = large
    program = ("import hashlib, mmap, sys, threading\n"
               "names = sys.argv[1:]\n"
               "def look(i):\n"
               "    for name in (names + names)[i:i + 2]:\n"
               "        with open(name, 'rb') as file, mmap.mmap(file.fileno(), 0, prot=mmap.PROT_READ) as data:\n"
               "            found[i].append((name, hashlib.sha256(data).hexdigest()))\n"
               "found = [[] for i in names]\n"
               "threads = [threading.Thread(target=look, args=(i,)) for i in range(len(names))]\n"
               "[t.start() for t in threads]; [t.join() for t in threads]\n"
               "for part in found:\n"
               "    for name, text in part: print(name, text)\n")
    ended = build.command("run", "-m", "64", "--cpus", "4", image, "/usr/bin/python3", "-c", program, *sums,
                          timeout=200)
    assert ended.returncode == 0, ended.stderr
    lines = [line.split() for line in ended.stdout.decode().splitlines()]
    assert len(lines) == 8 and all(sums[name] == text for name, text in lines), ended.stdout


@pytest.mark.long
def test_debian(build):
    """323 MB of packages: python, and C++'s compiler, which is larger than memory with its libraries."""
    image = build.image("deb:python3,g++")
    assert os.path.getsize(image) > 200 * MIB
    ended = build.command("run", "-m", "64", image, "/usr/bin/python3", "-c", "import ssl, sqlite3; print(6 * 7)")
    assert (ended.returncode, ended.stdout) == (0, b"42\n"), ended.stderr
    ended = build.command("run", "-m", "64", image, "/usr/lib/gcc/aarch64-linux-gnu/12/cc1plus", "-quiet", "-", "-o",
                          "-", input=b"int main() { return 42; }")
    assert ended.returncode == 0 and b"mov\tw0, 42" in ended.stdout, ended.stderr


@pytest.fixture(scope="module")
def small(build, tmp_path_factory):
    """The root of hello, as a file that can be a disk too, and a file in it to read."""
    folder = tmp_path_factory.mktemp("small")
    with open(build.program("hello"), "rb") as program:
        (folder / "hello").write_bytes(program.read())
    (folder / "hello").chmod(0o755)
    (folder / "data").write_bytes(random.Random(1).randbytes(400000))
    (folder / "remora.conf").write_text("[program]\ncommand = /hello\n[root]\nbase = deb:busybox-static\n"
                                        "[files]\n/hello = hello\n/data = data\n")
    image = folder / "small.img"
    ended = build.command("build", folder, "-o", image, timeout=300)
    assert ended.returncode == 0, ended.stderr
    disk = folder / "root"
    disk.write_bytes(root_of(image))
    return folder, disk


def start(build, drive, arguments="", device=DISK, root=ROOT):
    extra = ["-drive", f"if=none,id=root,readonly=on,{drive}", "-device", device]
    return boot(build.kernel, Machine(memory=64), arguments=f"root={root} {arguments}", extra=extra)


@pytest.mark.parametrize("device,root", [(DISK, ROOT), (DISK, "/dev/vda"),
                                         (DISK + ",logical_block_size=4096,physical_block_size=4096", ROOT)])
def test_named(build, small, device, root):
    result = start(build, f"format=raw,file={small[1]}", device=device, root=root)
    assert result.status == 0 and b"hello, world" in result.output, result


def test_missing(build, small):
    result = start(build, f"format=raw,file={small[1]}", root="/dev/vdb")
    assert result.status == 125 and b"root=/dev/vdb: no such disk" in result.log, result


def test_damaged(build, small, tmp_path):
    data = bytearray(small[1].read_bytes())
    data[1024:1152] = b"\xa5" * 128
    disk = tmp_path / "disk"
    disk.write_bytes(data)
    result = start(build, f"format=raw,file={disk}")
    assert result.status == 125 and b"cannot mount the root" in result.log, result


def unreadable(folder, disk, name, first, last):
    """blkdebug's options for a disk on which these pages of the file cannot be read."""
    contents = (folder / name).read_bytes()
    at = disk.read_bytes().index(contents)
    assert at % 4096 == 0
    rules = folder / f"rules-{name}"
    rules.write_text("".join(f'[inject-error]\nevent = "none"\niotype = "read"\nerrno = "5"\nsector = "{sector}"\n'
                             for sector in range(at // 512 + first * 8, at // 512 + last * 8, 8)))
    return f"driver=blkdebug,config={rules},image.driver=raw,image.file.driver=file,image.file.filename={disk}"


def test_error_of_read(build, small):
    """What can be read is, then EIO."""
    folder, disk = small
    result = start(build, unreadable(folder, disk, "data", 3, 50), "remora.args=/usr/bin/busybox,cat,/data",
                   device=DISK + ",rerror=report")
    assert result.status == 1 and b"Input/output error" in result.error + result.output, result
    assert result.output[:12288] == (folder / "data").read_bytes()[:12288]


@pytest.mark.parametrize("first,last,outcome", [(1, 80, (None, 7)), (80, None, (126, None))])
def test_error_of_a_mapping(build, small, first, last, outcome):
    """The text of a program cannot be read: SIGBUS; its data, which the kernel touches: it is not started."""
    folder, disk = small
    last = last or os.path.getsize(folder / "hello") // 4096
    result = start(build, unreadable(folder, disk, "hello", first, last), device=DISK + ",rerror=report")
    assert (result.status, result.signal) == outcome, result
    assert outcome[0] is None or b"it cannot be read" in result.log, result
