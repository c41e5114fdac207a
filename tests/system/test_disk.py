# SPDX-License-Identifier: MIT
"""Disks over virtio-mmio and PCI: what is written is on the disk, what is on it is read, errors are errors."""
import json
import os
import re
import socket
import subprocess

import pytest

from guest import Machine, boot

BUSYBOX = ["deb:busybox-static", "busybox"]
MIB = 1 << 20


TRANSPORTS = {
    "mmio-legacy": ["-device", "virtio-blk-device,drive=d"],
    "mmio": ["-global", "virtio-mmio.force-legacy=false", "-device", "virtio-blk-device,drive=d"],
    "pci-transitional": ["-device", "virtio-blk-pci,drive=d"],
    "pci": ["-device", "virtio-blk-pci,drive=d,disable-legacy=on"],
}


def disk(path, drive="", transport="mmio-legacy"):
    """Options of the command that add a disk."""
    options = ["-drive", f"file={path},format=raw,if=none,id=d{drive}", *TRANSPORTS[transport]]
    return [f"--qemu-arg={option}" for option in options]


def run(build, options, *arguments, data=None):
    return build.command("run", "-m", "64", *options, *BUSYBOX, *arguments, input=data, timeout=200)


@pytest.mark.parametrize("transport", TRANSPORTS)
def test_64_mib(build, tmp_path, transport):
    """Written through the page cache in a guest with as much memory, read back past it."""
    path, data = tmp_path / "disk", os.urandom(64 * MIB)
    path.write_bytes(bytes(64 * MIB))
    ended = run(build, disk(path, transport=transport), "dd", "of=/dev/vda", "bs=64k", "conv=fsync", data=data)
    assert ended.returncode == 0, ended.stderr
    assert path.read_bytes() == data
    ended = run(build, disk(path, transport=transport), "dd", "if=/dev/vda", "bs=64k", "iflag=direct")
    assert ended.returncode == 0, ended.stderr
    assert ended.stdout == data


RINGS = [f"packed={packed},indirect_desc={indirect},event_idx={events}"
         for packed in ("off", "on") for indirect in ("off", "on") for events in ("off", "on")]


def ring_words(rings):
    """What the guest's log says of queues that were made so."""
    on = dict(word.split("=") for word in rings.split(","))
    return (("packed" if on["packed"] == "on" else "split") + (", indirect" if on["indirect_desc"] == "on" else "") +
            (", event index" if on["event_idx"] == "on" else "")).encode()


@pytest.mark.parametrize("transport", ["mmio", "pci"])
@pytest.mark.parametrize("rings", RINGS)
def test_rings(build, tmp_path, transport, rings):
    """Both layouts of the ring with what can be left out: written, and read back past the cache."""
    path, data = tmp_path / "disk", os.urandom(8 * MIB)
    path.write_bytes(bytes(8 * MIB))
    options = disk(path, transport=transport)
    options[-1] += "," + rings
    ended = run(build, options, "dd", "of=/dev/vda", "bs=64k", "conv=fsync", data=data)
    assert ended.returncode == 0, ended.stderr
    assert path.read_bytes() == data
    ended = run(build, ["-V", *options], "dd", "if=/dev/vda", "bs=64k", "iflag=direct")
    assert ended.returncode == 0, ended.stderr
    assert ended.stdout == data
    assert re.search(rb"queues? of \d+, " + ring_words(rings) + rb"\r?\n", ended.stderr), ended.stderr


def test_queues(build, tmp_path):
    """A queue for each CPU: a program on each of them reads what one on another wrote."""
    path, data = tmp_path / "disk", os.urandom(4 * MIB)
    path.write_bytes(bytes(4 * MIB))
    options = ["--cpus", "3", *disk(path, transport="pci")]
    options[-1] += ",num-queues=4"
    assert b"3 queues of 128" in run(build, ["-V", *options], "true").stderr
    for mask in (1, 2, 4):
        part = f"bs=64k count=16 seek={mask * 10} skip={mask * 10}"
        block = data[mask * 10 * 65536:][:MIB]
        ended = run(build, options, "taskset", str(mask), "dd", "of=/dev/vda", "conv=fsync", "iflag=fullblock",
                    *part.split()[:3], data=block)
        assert ended.returncode == 0, ended.stderr
        ended = run(build, options, "taskset", str(mask % 4 + 1), "dd", "if=/dev/vda", "iflag=direct", *part.split()[:2],
                    part.split()[3])
        assert ended.stdout == block, mask


def test_read_only(build, tmp_path):
    path = tmp_path / "disk"
    path.write_bytes(b"x" * MIB)
    ended = run(build, disk(path, ",readonly=on"), "dd", "if=/dev/zero", "of=/dev/vda", "count=1")
    assert ended.returncode == 1 and b"Operation not permitted" in ended.stderr, ended
    assert path.read_bytes() == b"x" * MIB


@pytest.mark.parametrize("kind,flags", [("read", ["if=/dev/vda", "of=/dev/null"]),
                                        ("write", ["if=/dev/zero", "of=/dev/vda", "oflag=direct"])])
def test_injected_errors(build, tmp_path, kind, flags):
    """QEMU's blkdebug fails the operation: EIO."""
    path, rules = tmp_path / "disk", tmp_path / "rules"
    path.write_bytes(bytes(MIB))
    rules.write_text(f'[inject-error]\nevent = "none"\niotype = "{kind}"\nerrno = "5"\n')
    options = ["-drive", f"driver=blkdebug,config={rules},image.driver=file,image.filename={path},if=none,id=d",
               "-device", "virtio-blk-device,drive=d,rerror=report,werror=report"]
    options = [f"--qemu-arg={option}" for option in options]
    ended = run(build, options, "dd", "bs=4k", "count=4", *flags)
    assert ended.returncode == 1 and b"Input/output error" in ended.stderr, ended


def test_over_2_tib(build, tmp_path):
    """A sparse disk of 3 TiB: its size, and its last sector."""
    path = tmp_path / "disk"
    with open(path, "wb") as out:
        out.truncate(3 << 40)
        out.seek((3 << 40) - 512)
        out.write(b"the end".ljust(512))
    ended = run(build, disk(path), "tail", "-c", "512", "/dev/vda")
    assert ended.returncode == 0 and ended.stdout.startswith(b"the end"), ended
    ended = run(build, disk(path), "cat", "/sys/block/vda/size")
    assert ended.stdout == b"6442450944\n", ended


SYNC_C = r"""
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>
int main(void)
{
    int disk = open("/dev/vda", O_RDWR);
    char *mapped = mmap(NULL, 1 << 20, PROT_READ | PROT_WRITE, MAP_SHARED, disk, 0);
    char text[8192];

    memset(text, 'w', sizeof(text));
    if (pwrite(disk, text, sizeof(text), 12000) != sizeof(text) || mapped == MAP_FAILED)
        return 1;
    strcpy(mapped + 600000, "by a mapping");
    puts("written");
    fflush(stdout);
    sleep(1);
    sync();
    puts("synced");
    fflush(stdout);
    pause();
}
"""


def flushes(path):
    """How many times the guest told QEMU to flush its disk, by QMP."""
    with socket.socket(socket.AF_UNIX) as control:
        control.connect(path)
        control.settimeout(10)
        lines = control.makefile("rw")
        for command in ("qmp_capabilities", "query-blockstats"):
            lines.readline()
            lines.write(json.dumps({"execute": command}))
            lines.flush()
        return json.loads(lines.readline())["return"][0]["stats"]["flush_operations"]


def test_sync(build, tmp_path):
    """sync(2) with the disk still open and mapped: what was written is in the file when QEMU is killed then."""
    path, control, program, seen = tmp_path / "disk", str(tmp_path / "qmp"), str(tmp_path / "sync"), {}
    path.write_bytes(bytes(MIB))
    (tmp_path / "sync.c").write_text(SYNC_C)
    subprocess.run(["aarch64-linux-gnu-gcc", "-static", "-o", program, program + ".c"], check=True, timeout=60)

    def killed(reader):
        for word in (b"written", b"synced"):
            if word in reader.program and word not in seen:
                seen[word] = path.read_bytes(), flushes(control) if word == b"synced" else 0
        return b"synced" in seen

    options = ["-drive", f"file={path},format=raw,if=none,id=d", "-device", "virtio-blk-device,drive=d",
               "-qmp", f"unix:{control},server=on,wait=off"]
    result = boot(build.image(program), Machine(memory=64), extra=options, stop=killed)
    assert len(seen) == 2, result
    assert seen[b"written"] == (bytes(MIB), 0), "written before it was asked for"
    expected = bytearray(MIB)
    expected[12000:12000 + 8192] = b"w" * 8192
    expected[600000:600012] = b"by a mapping"
    assert path.read_bytes() == expected and seen[b"synced"][1] >= 1, seen[b"synced"][1]


GIGABYTE = """
import mmap, os
def chunk(i):
    return b''.join((i * 256 + k).to_bytes(8, 'little') * 512 for k in range(256))
# The root may be a disk, too.
name, = ['/dev/' + name for name in os.listdir('/sys/block') if open(f'/sys/block/{name}/size').read() == '2097152\\n']
disk = os.open(name, os.O_RDWR)
for i in range(1024):
    assert os.write(disk, chunk(i)) == 1 << 20
os.fsync(disk)
os.close(disk)
disk = os.open(name, os.O_RDONLY | os.O_DIRECT)
seen = mmap.mmap(-1, 1 << 20)
for i in range(1024):
    assert os.preadv(disk, [seen], i << 20) == 1 << 20 and seen[:] == chunk(i), i
"""


@pytest.mark.long
@pytest.mark.parametrize("transport", ["mmio", "pci"])
def test_1_gib(build, tmp_path, transport):
    """Written through the page cache, flushed, read back past the cache, and looked at from here."""
    path = tmp_path / "disk"
    with open(path, "wb") as out:
        out.truncate(1 << 30)
    ended = build.command("run", "-m", "64", *disk(path, transport=transport), build.image("deb:python3"),
                          "/usr/bin/python3", "-c", GIGABYTE, timeout=900)
    assert ended.returncode == 0, ended.stderr
    with open(path, "rb") as file:
        for number in range(1 << 18):
            assert file.read(4096) == number.to_bytes(8, "little") * 512, number
    path.unlink()


@pytest.mark.long
def test_silent(build, tmp_path):
    """A disk that takes requests and does not answer is given up after half a minute: EIO, and again EIO."""
    path = tmp_path / "disk"
    path.write_bytes(bytes(MIB))
    options = disk(path, ",throttling.bps-total=1")
    ended = run(build, options, "sh", "-c", "exec dd if=/dev/vda of=/dev/null bs=64k count=4 iflag=direct")
    assert ended.returncode == 1 and b"Input/output error" in ended.stderr, ended
    assert b"did not answer for 30 s" in ended.stderr, ended
