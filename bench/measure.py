# SPDX-License-Identifier: MIT
"""Runs the bench programs in Remora and in Debian's Linux on one QEMU command line, counts and times them.

A system is a name and the QEMU arguments that boot a program in it; all else of the command line is the same.
Instructions come from the counting plugin (count.c) under -icount, where time follows the instructions and so
timer interrupts fall at the same places in every run. Times come from runs without either.
"""
import bisect
import collections
import os
import re
import select
import subprocess
import sys
import tempfile
import time

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(HERE)
sys.path.insert(0, os.path.join(ROOT, 'tests/oracle'))
import debian  # noqa: E402
import oracle  # noqa: E402

PREFIX = os.environ.get('CROSS_PREFIX', 'aarch64-linux-gnu-')
TUNED = 'nokaslr kpti=off mitigations=off randomize_kstack_offset=off'
QUIET = 'console=ttyAMA0 quiet panic=-1'
LIMIT_S = 300

# Different instructions that a boot of hello runs up to its line (boot-different in bench/counts).
TRANSLATED = 13500


def qemu(memory=512):
    """The command line that all measurements share."""
    return ['qemu-system-aarch64', '-M', 'virt', '-cpu', 'cortex-a72', '-smp', '1', '-m', str(memory),
            '-nographic', '-nodefaults', '-serial', 'stdio', '-no-reboot', '-net', 'none']


def output(*command):
    return subprocess.run(command, check=True, text=True, stdout=subprocess.PIPE).stdout.strip()


def musl_compile(source, target, *flags, dynamic=False):
    """A program linked with Debian's musl by the cross compiler, static unless asked otherwise."""
    root = debian.musl()
    library = os.path.join(root, 'usr/lib/aarch64-linux-musl')
    gcc = os.path.dirname(output(PREFIX + 'gcc', '-print-libgcc-file-name'))
    headers = os.path.join(root, 'usr/include/aarch64-linux-musl')
    kernel_headers = os.path.join(output(PREFIX + 'gcc', '-print-sysroot') or '/', 'usr/aarch64-linux-gnu/include')
    compile_flags = ['-O2', '-Wall', '-Wextra', '-fno-stack-protector', '-mno-outline-atomics', '-nostdinc',
                     '-isystem', headers, '-isystem', gcc + '/include', '-idirafter', kernel_headers, *flags]
    if dynamic:
        link = ['-fPIE', '-pie', '-nostdlib', '-Wl,--dynamic-linker=/lib/ld-musl-aarch64.so.1', library + '/Scrt1.o',
                library + '/crti.o', gcc + '/crtbeginS.o', source, '-L' + root + '/lib/aarch64-linux-musl', '-lc', gcc + '/libgcc.a',
                gcc + '/crtendS.o', library + '/crtn.o']
    else:
        link = ['-fno-pie', '-no-pie', '-static', '-nostdlib', library + '/crt1.o', library + '/crti.o',
                gcc + '/crtbeginT.o', source, '-L' + library, '-Wl,--start-group', library + '/libc.a',
                gcc + '/libgcc.a', gcc + '/libgcc_eh.a', '-Wl,--end-group', gcc + '/crtend.o', library + '/crtn.o']
    subprocess.run([PREFIX + 'gcc', *compile_flags, *link, '-o', target], check=True)


class Programs:
    """The compiled guest programs, and what boots each of them."""

    def __init__(self, build):
        self.build, self.folder = build, os.path.join(build, 'bench')
        os.makedirs(self.folder, exist_ok=True)
        for name in ('micro', 'hello', 'idle', 'net'):
            musl_compile(os.path.join(HERE, name + '.c'), self.path(name))
        musl_compile(os.path.join(HERE, 'hello.c'), self.path('hello-init'), '-DLINUX_INIT')
        for name, *flags in ('off',), ('line', '-DLINE'), ('translation', '-DLINE', '-DBLOCKS=%d' % (TRANSLATED // 5)):
            flat = self.path(name)
            subprocess.run([PREFIX + 'gcc', '-c', *flags, os.path.join(HERE, 'flat.S'), '-o', flat + '.o'], check=True)
            subprocess.run([PREFIX + 'objcopy', '-O', 'binary', flat + '.o', flat], check=True)

    def path(self, name):
        return os.path.join(self.folder, name)

    def remora(self, name, *words):
        """One bootable file with the program in it, and its arguments."""
        image = self.path(name + '.image')
        subprocess.run([os.path.join(self.build, 'remora'), 'build', '-o', image, self.path(name), *words], check=True,
                       stdout=subprocess.DEVNULL)
        return ['-kernel', image]

    def linux(self, name, words, *arguments, modules=()):
        """Debian's kernel with an initramfs that runs the program, after these modules; hello is its own first process."""
        initramfs = self.path(name + '.initramfs')
        runs = [oracle.Run(name, ['/t/' + name, *arguments], timeout=LIMIT_S)]
        with open(initramfs, 'wb') as file:
            cpio = oracle.Cpio(file)
            for folder in ('dev', 'proc', 'sys', 'tmp', 'run', 't'):
                cpio.folder(folder)
            cpio.entry('dev/console', 0o020600, rdev=(5, 1))
            cpio.add(self.path('hello-init') if name == 'hello' else oracle.init_program(), '/init')
            cpio.entry('list', 0o100644, oracle.run_list(runs).encode())
            cpio.add(self.path(name), '/t/' + name)
            if modules:
                cpio.folder('modules')
                for number, path in enumerate(debian.modules(modules)):
                    cpio.add(path, '/modules/%d' % number)
            cpio.close()
        return ['-kernel', debian.kernel()[0], '-initrd', initramfs, '-append', (QUIET + ' ' + words).strip()]


def run(command, line=None, limit_s=LIMIT_S, after=None):
    """(what the console printed, seconds to `line`). Ends QEMU when it is late or, with `after`, then."""
    start = time.monotonic()
    process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                               stderr=subprocess.DEVNULL, bufsize=0)
    data, seen = b'', None
    try:
        while True:
            left = start + limit_s - time.monotonic()
            ready, _, _ = select.select([process.stdout], [], [], max(0, left))
            piece = os.read(process.stdout.fileno(), 65536) if ready else b''
            if not piece:
                if ready:
                    process.wait(timeout=10)  # the plugin writes its report at exit
                break
            data += piece
            if line and seen is None and line in data:
                seen = time.monotonic() - start
                if after:
                    after(process)
                    break
    finally:
        process.kill()
        process.wait()
    return data.decode(errors='replace'), seen


def read_marks(path):
    """[(mark, count, different)...] of the plugin's report; none if it was not written."""
    if not os.path.exists(path):
        return []
    with open(path) as file:
        return [tuple(map(int, m.groups())) for m in re.finditer(r'^mark (\d+) (\d+) (\d+)$', file.read(), re.M)]


def counted(build, command):
    """(console text, [(mark, count, different)...]) of one run under the plugin."""
    with tempfile.TemporaryDirectory(prefix='remora-bench-') as folder:
        report = os.path.join(folder, 'counts')
        plugin = os.path.join(build, 'bench/count.so')
        text, _ = run(command + ['-icount', 'shift=0,sleep=off', '-plugin', '%s,out=%s' % (plugin, report)])
        return text, read_marks(report)


RESULT = re.compile(r'bench (\S+) n=(\d+) ns=(-?\d+)')


def micro_counts(build, arguments):
    """{name: instructions an operation} of one boot of micro; None for an operation that failed."""
    text, marks = counted(build, qemu() + arguments)
    spans, start = [], None
    for mark, count, _ in marks:
        if mark == 2:
            start = count
        elif mark == 3 and start is not None:
            spans.append(count - start)
    results = RESULT.findall(text)
    if 'bench-end' not in text or len(results) != len(spans):
        raise SystemExit('bench: found %d results for %d spans, expected as many and an end; the console: %s'
                         % (len(results), len(spans), text[-2000:]))
    return {name: None if int(ns) < 0 else span / int(n) for (name, n, ns), span in zip(results, spans)}


def micro_times(arguments, rounds):
    """{name: ns an operation in each of `rounds` boots without counting}."""
    times = {}
    for _ in range(rounds):
        for name, n, ns in RESULT.findall(run(qemu() + arguments)[0]):
            times.setdefault(name, []).append(int(ns) / int(n))
    return times


def boot_counts(build, arguments, memory=512):
    """Instructions from reset to main() of hello, and how many different ones an emulator translates up to its line."""
    text, marks = counted(build, qemu(memory) + arguments)
    found = {mark: numbers for mark, *numbers in marks}
    if 0 not in found or 1 not in found:
        raise SystemExit('bench: found no mark of main() or of its line in a boot of hello; the console: ' + text[-2000:])
    return {'boot': found[0][0], 'boot-different': found[1][1]}


def time_to_line(arguments):
    """Seconds from the start of QEMU to hello's line, None if it is late."""
    return run(qemu() + arguments, b'hello, bench', 60)[1]


def time_to_end(arguments):
    """Seconds from the start of QEMU to its end."""
    start = time.monotonic()
    run(qemu() + arguments, limit_s=60)
    return time.monotonic() - start


def idle_share(arguments, seconds=5):
    """The share of a host core that QEMU takes while the guest's only program sleeps."""
    shares = []

    def cpu_seconds(pid):
        fields = open('/proc/%d/stat' % pid).read().rsplit(')', 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf('SC_CLK_TCK')

    def watch(process):
        time.sleep(1)
        before = cpu_seconds(process.pid)
        time.sleep(seconds)
        shares.append((cpu_seconds(process.pid) - before) / seconds)

    run(qemu() + arguments, b'idle', 60, watch)
    return shares[0] if shares else None


def smallest_memory(arguments, low, high):
    """The least -m (MiB) with which hello's line appears."""
    while low < high:
        middle = (low + high) // 2
        if run(qemu(middle) + arguments, b'hello, bench', 20, lambda process: None)[1]:
            high = middle
        else:
            low = middle + 1
    return high


def symbols(elf):
    """(addresses, names) of the kernel's functions, sorted. Without a seed the kernel is at its link address."""
    rows = []
    for line in output(PREFIX + 'nm', elf).splitlines():
        address, kind, name = line.split()
        if kind in 'tTwW' and not name.startswith('$'):
            rows.append((int(address, 16), name))
    rows.sort()
    return [row[0] for row in rows], [row[1] for row in rows]


def read_hot(path):
    """[(address, count)...] of the plugin's hot= file."""
    with open(path) as file:
        return [(int(address, 16), int(n)) for address, n in (line.split() for line in file)]


def show_profile(counts, elf, operations, lines):
    """Prints the kernel's functions by instructions an operation."""
    addresses, names = symbols(elf)
    total = collections.Counter()
    for address, count in counts:
        at = bisect.bisect_right(addresses, address) - 1
        total[names[at] if at >= 0 and address >> 63 else '(the program)'] += count
    for name, count in total.most_common(lines):
        print('%10.1f  %s' % (count / operations, name))
    print('%10.1f  in all, an operation (%d operations)' % (sum(total.values()) / operations, operations))
