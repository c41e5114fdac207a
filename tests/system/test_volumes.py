# SPDX-License-Identifier: MIT
"""-v HOST:GUEST[:ro]: what the guest does to the files of a directory, as the host sees it."""
import os

import pytest

from guest import Machine, boot

MANY = """
import os, sys
count = int(sys.argv[1])
os.chdir('/data')
for i in range(count):
    with open(f'name-{i}', 'w') as file:
        file.write(f'{i}\\n' * (i % 50))
assert sorted(os.listdir('.')) == sorted(['from-host'] + [f'name-{i}' for i in range(count)])
os.mkdir('moved')
for i in range(count):
    os.rename(f'name-{i}', f'moved/{count - 1 - i}')
assert len(os.listdir('moved')) == count and sorted(os.listdir('.')) == ['from-host', 'moved']
for i in range(count):
    with open(f'moved/{count - 1 - i}') as file:
        assert file.read() == f'{i}\\n' * (i % 50)
"""

KINDS = """
import mmap, os
os.chdir('/data/a b/deep')
assert open('from-host').read() == 'host'
with open('file', 'w+b') as file:
    file.write(b'x' * 200000)
    file.flush()
    with mmap.mmap(file.fileno(), 0, prot=mmap.PROT_READ) as seen:
        assert seen[:] == b'x' * 200000
    os.fsync(file.fileno())
    file.truncate(5)
    os.unlink('file')
    file.seek(0)
    assert file.read() == b'xxxxx'
for text in 'one', 'two':
    with open('appended', 'a') as file:
        file.write(text)
os.symlink('appended', 'link')
os.link('appended', 'hard')
assert os.readlink('link') == 'appended' and os.stat('link').st_nlink == 2
os.chmod('hard', 0o640)
os.utime('hard', (1000, 2000))
descriptor = os.open('unwritable', os.O_CREAT | os.O_WRONLY, 0o400)
os.write(descriptor, b'once')
for call, number in [(lambda: open('absent'), 2), (lambda: os.rmdir('.'), 22), (lambda: os.mkdir('link'), 17),
                     (lambda: os.rename('absent', 'x'), 2), (lambda: open('x' * 256, 'w'), 36)]:
    try:
        call()
        assert False, number
    except OSError as error:
        assert error.errno == number, error
assert os.statvfs('.').f_blocks > 0
"""


def run(build, volume, *words, program="deb:python3", **options):
    return build.command("run", "-m", "128", "-v", volume, build.image(program), *words, timeout=600, **options)


@pytest.mark.parametrize("count", [500, pytest.param(10000, marks=pytest.mark.long)])
def test_many_files(build, tmp_path, count):
    """Made, listed, renamed and read by the guest, and compared here."""
    (tmp_path / "from-host").write_text("host")
    ended = run(build, f"{tmp_path}:/data", "/usr/bin/python3", "-c", MANY, str(count))
    assert ended.returncode == 0, ended.stderr
    assert sorted(os.listdir(tmp_path / "moved")) == sorted(str(i) for i in range(count))
    for i in range(count):
        assert (tmp_path / "moved" / str(count - 1 - i)).read_text() == f"{i}\n" * (i % 50)


def test_kinds(build, tmp_path):
    (tmp_path / "from-host").write_text("host")
    ended = run(build, f"{tmp_path}:/data/a b/deep", "/usr/bin/python3", "-c", KINDS)
    assert ended.returncode == 0, ended.stderr
    assert sorted(os.listdir(tmp_path)) == ["appended", "from-host", "hard", "link", "unwritable"]
    assert (tmp_path / "appended").read_text() == "onetwo" and os.readlink(tmp_path / "link") == "appended"
    assert (tmp_path / "hard").stat().st_mode & 0o7777 == 0o640 and (tmp_path / "hard").stat().st_mtime == 2000
    assert (tmp_path / "unwritable").read_bytes() == b"once"


def test_read_only(build, tmp_path):
    (tmp_path / "file").write_text("kept")
    ended = run(build, f"{tmp_path}:/data:ro", "/usr/bin/python3", "-c",
                "import os\n"
                "assert open('/data/file').read() == 'kept'\n"
                "for call in [lambda: open('/data/new', 'w'), lambda: open('/data/file', 'a'), lambda: os.mkdir('/data/d'),\n"
                "             lambda: os.unlink('/data/file'), lambda: os.chmod('/data/file', 0)]:\n"
                "    try: call(); assert False\n"
                "    except OSError as error: assert error.errno == 30, error\n")
    assert ended.returncode == 0, ended.stderr
    assert os.listdir(tmp_path) == ["file"] and (tmp_path / "file").read_text() == "kept"


def test_program(build, tmp_path):
    """A program on a share, started from there."""
    program = tmp_path / "hello"
    with open(build.program("hello"), "rb") as file:
        program.write_bytes(file.read())
    program.chmod(0o755)
    ended = run(build, f"{tmp_path}:/data", "busybox", "sh", "-c", "exec /data/hello", program="deb:busybox-static")
    assert (ended.returncode, ended.stdout) == (0, b"hello, world\n"), ended.stderr


@pytest.mark.parametrize("gic,highmem,device", [(2, "on", "virtio-9p-pci"), (3, "on", "virtio-9p-pci,disable-legacy=on"),
                                                (3, "off", "virtio-9p-pci,packed=on"), (3, "on", "virtio-9p-pci,vectors=0")])
def test_pci(build, tmp_path, gic, highmem, device):
    (tmp_path / "from-host").write_text("host")
    extra = ["-fsdev", f"local,id=share,path={tmp_path},security_model=none", "-device", f"{device},fsdev=share,mount_tag=mine"]
    image = build.image("deb:python3", "/usr/bin/python3", "-c", MANY, "100")
    result = boot(image, Machine(memory=128, gic=str(gic), highmem=highmem), "remora.volume=mine:/data", extra=extra)
    assert result.status == 0, result
    assert sorted(os.listdir(tmp_path / "moved")) == sorted(str(i) for i in range(100))
    assert all((tmp_path / "moved" / str(99 - i)).read_text() == f"{i}\n" * (i % 50) for i in range(100))


@pytest.mark.parametrize("path,text", [("absent", b"No such file or directory"), ("file", b"Not a directory")])
def test_no_directory(build, tmp_path, path, text):
    (tmp_path / "file").write_text("x")
    ended = build.command("run", "-v", f"{tmp_path / path}:/data", build.program("hello"))
    assert ended.returncode == 125 and text in ended.stderr and b"name a directory" in ended.stderr, ended


def test_no_share(build):
    """Bootargs that name a share which the machine does not have."""
    result = boot(build.image(build.program("hello")), Machine(memory=64), "remora.volume=none:/data")
    assert result.status == 125 and b"this machine has no such share" in result.log, result
