#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Runs the ABI checks (and tests/linux/ends) on Debian's kernel: what we ask of ours must be true there.

    tests/oracle/linux_checks.py [--build build] [--cpus 2] [--cpu cortex-a72] [TOPIC...]
"""
import argparse
import os
import sys
import tempfile

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import debian  # noqa: E402
import oracle  # noqa: E402

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
NOT_CHECKS = ('end',)
DISK_SIZE = 16 << 20
MODULES = ('virtio_mmio', 'virtio_blk', 'vsock', 'vmw_vsock_virtio_transport_common', 'vsock_loopback')


def disks(folder):
    """Options of QEMU's for what the topic 'disk' looks at: an empty disk, and one that is read-only."""
    options = ['-global', 'virtio-mmio.force-legacy=false']
    for name, more in (('read-only', 'readonly=on'), ('empty', 'discard=unmap')):
        path = os.path.join(folder, name)
        with open(path, 'wb') as file:
            file.truncate(DISK_SIZE)
        options += ['-drive', 'file=%s,format=raw,if=none,id=%s,%s' % (path, name, more), '-device',
                    'virtio-blk-device,drive=%s,serial=%s' % (name, name)]
    return options


def topics(build):
    """The programs of tests/linux that were built, by name."""
    folder = os.path.join(build, 'tests/linux')
    return sorted(name for name in os.listdir(folder)
                  if os.path.isfile(os.path.join(folder, name)) and name not in NOT_CHECKS)


def ends():
    """(argument, kind, status, text printed) of tests/linux/ends."""
    rows = []
    with open(os.path.join(ROOT, 'tests/linux/ends')) as file:
        for line in file:
            words = line.split(None, 3)
            if words and not line.startswith('#'):
                text = 'ending: %s\n' % words[0] + (words[3].strip() + '\n' if len(words) > 3 else '')
                rows.append((words[0], words[1], int(words[2]), text))
    return rows


def compare(build, names, cpus, cpu):
    """The number of programs that did not do on Linux what they expect; prints what is wrong."""
    folder = os.path.join(build, 'tests/linux')
    files = {'/t/' + name: os.path.join(folder, name) for name in names + ['end']}
    runs = [oracle.Run(name, ['/t/' + name], timeout=120) for name in names]
    runs += [oracle.Run('end:' + row[0], ['/t/end', row[0]]) for row in ends()]
    with tempfile.TemporaryDirectory(prefix='remora-disks-') as folder_of_disks:
        results = oracle.boot(runs, files, cpus=cpus, cpu=cpu, modules=MODULES,
                              options=disks(folder_of_disks))
    bad, passed = 0, 0
    for name in names:
        result = results[name]
        text = result.out.decode(errors='replace')
        passed += text.count('\nok ') + text.startswith('ok ')
        if (result.kind, result.status) != ('exit', 0):
            bad += 1
            wrong = [line for line in text.splitlines() if line.startswith('FAIL')]
            print('%s: found %s %d, expected exit 0' % (name, result.kind, result.status), *wrong, sep='\n  ')
    for way, kind, status, text in ends():
        result = results['end:' + way]
        if (result.kind, result.status, result.out.decode()) != (kind, status, text):
            bad += 1
            print('end %s: found %s %d %r, expected %s %d %r'
                  % (way, result.kind, result.status, result.out, kind, status, text))
    print('%d checks ok on Linux %s, %d of %d programs failed'
          % (passed, debian.kernel()[1], bad, len(names) + len(ends())))
    return bad


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('--build', default=os.path.join(ROOT, 'build'))
    parser.add_argument('--cpus', type=int, default=2)
    parser.add_argument('--cpu', default='cortex-a72')
    parser.add_argument('topics', nargs='*')
    options = parser.parse_args()
    return min(compare(options.build, options.topics or topics(options.build), options.cpus, options.cpu), 100)


if __name__ == '__main__':
    sys.exit(main())
