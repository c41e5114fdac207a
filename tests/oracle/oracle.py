#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""The oracle: Debian's arm64 kernel under QEMU, running programs whose behaviour Remora must match.

One boot runs many programs, since a boot costs seconds. From Python:

    results = boot([Run('hello', ['/t/hello', 'a'])], {'/t/hello': 'build/programs/hello'})
    results['hello'].status, results['hello'].out

From a shell: `oracle.py FILE...` runs each static program alone and prints what it wrote.
"""
import os
import re
import select
import stat
import subprocess
import sys
import tempfile
import time
import urllib.parse
from dataclasses import dataclass, field

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import debian  # noqa: E402

HERE = os.path.dirname(os.path.abspath(__file__))
CC = os.environ.get('CROSS_PREFIX', 'aarch64-linux-gnu-') + 'gcc'
ENVIRONMENT = {'PATH': '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin', 'HOME': '/root'}


@dataclass
class Run:
    """One program to run: argv[0] is a path in the guest, `stdin` one too."""
    name: str
    argv: list
    env: dict = field(default_factory=lambda: dict(ENVIRONMENT))
    root: str = ''
    cwd: str = '/'
    stdin: str = ''
    timeout: int = 60


@dataclass
class Result:
    """How it ended: kind is exit, signal, timeout or missing (the guest never got there)."""
    kind: str = 'missing'
    status: int = -1
    out: bytes = b''
    err: bytes = b''


class Cpio:
    """Writes an initramfs (newc, see the kernel's buffer-format.rst) without root and without cpio(1)."""

    def __init__(self, file):
        self.file, self.inode, self.seen = file, 1, set()

    def entry(self, name, mode, data=b'', rdev=(0, 0)):
        name = name.strip('/')
        encoded = name.encode() + b'\0'
        fields = [self.inode, mode, 0, 0, 1, 0, len(data), 0, 0, rdev[0], rdev[1], len(encoded), 0]
        head = b'070701' + b''.join(b'%08x' % f for f in fields) + encoded
        self.file.write(head + b'\0' * (-len(head) % 4) + data + b'\0' * (-len(data) % 4))
        self.inode += 1

    def folder(self, path):
        path = path.strip('/')
        if path and path not in self.seen:
            self.folder(os.path.dirname(path))
            self.seen.add(path)
            self.entry(path, stat.S_IFDIR | 0o755)

    def add(self, source, target):
        """A file, a symbolic link or a whole folder of the host, as `target` in the guest."""
        if os.path.islink(source) and os.path.lexists(source) and not target.startswith('/t/'):
            self.folder(os.path.dirname(target))
            self.entry(target, stat.S_IFLNK | 0o777, os.readlink(source).encode())
        elif os.path.isdir(source):
            self.folder(target)
            for name in sorted(os.listdir(source)):
                self.add(os.path.join(source, name), os.path.join(target, name))
        else:
            self.folder(os.path.dirname(target))
            mode = stat.S_IFREG | (os.stat(source).st_mode & 0o7777)
            with open(source, 'rb') as file:
                self.entry(target, mode, file.read())

    def close(self):
        self.entry('TRAILER!!!', 0)


def init_program():
    """Our static /init, compiled into the cache when its source is newer."""
    source, target = os.path.join(HERE, 'init.c'), os.path.join(debian.CACHE, 'init')
    if not os.path.exists(target) or os.path.getmtime(target) < os.path.getmtime(source):
        os.makedirs(debian.CACHE, exist_ok=True)
        subprocess.run([CC, '-O2', '-Wall', '-static', '-s', '-o', target, source], check=True)
    return target


def run_list(runs):
    """The text that init.c reads."""
    lines = []
    for run in runs:
        lines.append('run ' + run.name)
        lines += ['arg ' + urllib.parse.quote(word, safe='/ ') for word in run.argv]
        lines += ['env ' + urllib.parse.quote(k + '=' + v, safe='/= ') for k, v in run.env.items()]
        for key in ('root', 'cwd', 'stdin', 'timeout'):
            if getattr(run, key):
                lines.append('%s %s' % (key, getattr(run, key)))
        lines.append('go')
    return '\n'.join(lines) + '\n'


def make_initramfs(path, runs, files):
    with open(path, 'wb') as file:
        cpio = Cpio(file)
        for folder in ('dev', 'proc', 'sys', 'tmp', 'run', 't', 'root', 'etc'):
            cpio.folder(folder)
        cpio.entry('dev/console', stat.S_IFCHR | 0o600, rdev=(5, 1))
        cpio.add(init_program(), '/init')
        cpio.entry('list', stat.S_IFREG | 0o644, run_list(runs).encode())
        for target, source in files.items():
            cpio.add(source, target)
        cpio.close()


def capture(command, limit_s):
    """What the console printed until QEMU ended, at most limit_s seconds."""
    process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                               stderr=subprocess.STDOUT, bufsize=0)
    data, deadline = bytearray(), time.monotonic() + limit_s
    try:
        while True:
            ready, _, _ = select.select([process.stdout], [], [], max(0, deadline - time.monotonic()))
            piece = os.read(process.stdout.fileno(), 65536) if ready else b''
            if not piece:
                break
            data += piece
    finally:
        process.kill()
        process.wait()
    return bytes(data)


def parse(console):
    """Results by name from init.c's report; the rest of the console under the name ''."""
    results, current, rest, position = {}, None, bytearray(), 0
    head = re.compile(rb'@(begin|out|err|end|done)(?: (\S+))?(?: (\w+) (\d+))?\r?\n')
    while position < len(console):
        match = head.match(console, position)
        if not match:
            end = console.find(b'\n', position) + 1 or len(console)
            rest += console[position:end]
            position = end
            continue
        position = match.end()
        kind, name = match.group(1), (match.group(2) or b'').decode()
        if kind == b'begin':
            current = results.setdefault(name, Result())
        elif kind in (b'out', b'err') and current:
            data = console[position:position + int(name)]
            position += int(name)
            if kind == b'out':
                current.out += data
            else:
                current.err += data
        elif kind == b'end' and current:
            current.kind, current.status = match.group(3).decode(), int(match.group(4))
            current = None
    results[''] = Result(out=bytes(rest))
    return results


def qemu_command(kernel, initramfs, memory=512, cpus=1, cpu='cortex-a72', append=''):
    return ['qemu-system-aarch64', '-M', 'virt', '-cpu', cpu, '-smp', str(cpus), '-m', str(memory),
            '-nographic', '-nodefaults', '-serial', 'stdio', '-no-reboot', '-net', 'none', '-kernel',
            kernel, '-initrd', initramfs, '-append', ('console=ttyAMA0 loglevel=1 panic=-1 ' + append).strip()]


def boot(runs, files, memory=512, cpus=1, append='', cpu='cortex-a72', limit_s=None, modules=(), options=()):
    """Boot once with these modules of Debian's and options of QEMU's, run all, return {name: Result}. The whole is
    bounded by limit_s seconds."""
    kernel, _ = debian.kernel()
    limit_s = limit_s or 60 + sum(run.timeout for run in runs)
    paths = debian.modules(modules) if modules else []
    files = dict(files, **{'/modules/%d' % number: path for number, path in enumerate(paths)})
    with tempfile.TemporaryDirectory(prefix='remora-oracle-') as folder:
        initramfs = os.path.join(folder, 'initramfs')
        make_initramfs(initramfs, runs, files)
        console = capture(qemu_command(kernel, initramfs, memory, cpus, cpu, append) + list(options), limit_s)
    results = parse(console)
    for run in runs:
        results.setdefault(run.name, Result(err=results[''].out[-2000:]))
    return results


def main(arguments):
    files = {'/t/' + os.path.basename(path): path for path in arguments}
    runs = [Run(os.path.basename(target), [target]) for target in files]
    print('oracle: ' + debian.kernel()[1])
    failed = 0
    for name, result in boot(runs, files).items():
        if name:
            sys.stdout.buffer.write(result.out + result.err)
            sys.stdout.flush()
            print('== %s: %s %d' % (name, result.kind, result.status), flush=True)
            failed += result.kind != 'exit' or result.status != 0
    return min(failed, 100)


if __name__ == '__main__':
    sys.exit(main(sys.argv[1:]))
