# SPDX-License-Identifier: MIT
"""A fault in the kernel prints registers and a backtrace with names that match the symbols."""
import os
import re
import socket
import subprocess
import time

import pytest

from guest import Machine, boot


def listing(build):
    """(name, address) of every symbol, from nm."""
    text = subprocess.run(["aarch64-linux-gnu-nm", build.elf], capture_output=True, text=True, check=True).stdout
    return [(fields[2], int(fields[0], 16)) for fields in map(str.split, text.splitlines()) if len(fields) == 3]


def symbols(build):
    return dict(listing(build))


def expand(pairs, code):
    """The text that a byte of a name stands for."""
    left, right = pairs[2 * code], pairs[2 * code + 1]
    return bytes([code]) if left == right == code else expand(pairs, left) + expand(pairs, right)


def symbol_table(data):
    """(offset, name) of the functions in section .symbols (scripts/symbols.py tells its form)."""
    pairs, at, address = data[4:516], 516, 0
    while True:
        words = shift = 0
        while data[at] > 127:
            words, shift, at = words | (data[at] & 127) << shift, shift + 7, at + 1
        address, end = address + 4 * (words | data[at] << shift), data.index(b"\0", at + 1)
        if end == at + 1:
            return
        yield address, b"".join(expand(pairs, code) for code in data[at + 1:end]).decode()
        at = end + 1


def test_symbol_table_matches_nm(build):
    """Every function that nm names is in the table of the image, at its address."""
    names = symbols(build)
    with open(build.kernel, "rb") as image:
        data = image.read()
    base, start = names["__image_start"], names["__symbols_start"] - names["__image_start"]
    assert data[start:start + 4] == b"RSY2"
    table = list(symbol_table(data[start:]))
    assert len(table) > 1000 and table == sorted(table)
    assert {"vm_fault", "kernel_main", "memcpy"} <= {name for _, name in table}
    assert {(name, base + address) for address, name in table} <= set(listing(build))


def test_kernel_image_size(build):
    """The kernel without a root is at most 700 KiB."""
    assert os.path.getsize(build.kernel) <= 700 * 1024


class Debugger:
    """The few packets of gdb's remote protocol that set a register of a running guest."""

    def __init__(self, path):
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.settimeout(10)
        self.socket.connect(path)
        self.unread = b""

    def answer(self):
        """The next packet's text."""
        while not re.search(rb"\$[^#]*#..", self.unread, re.S):
            self.unread += self.socket.recv(4096)
        text, self.unread = re.match(rb".*?\$([^#]*)#..(.*)", self.unread, re.S).groups()
        return text

    def ask(self, packet):
        self.socket.sendall(b"+$%s#%02x" % (packet, sum(packet) & 255))
        text = self.answer()
        while text[:1] == b"T" and packet != b"?":  # it tells again that it has stopped
            text = self.answer()
        return text

    def stop(self):
        self.ask(b"?")
        # QEMU reads and writes single registers only for those who know its description of them.
        self.ask(b"qXfer:features:read:target.xml:0,ffb")

    def get(self, register):
        """A register by gdb's number: SP, PC."""
        return int.from_bytes(bytes.fromhex(self.ask(b"p%x" % register).decode()), "little")

    def set(self, register, value):
        self.ask(b"P%x=" % register + value.to_bytes(8, "little").hex().encode())

    def go_on(self):
        self.socket.sendall(b"+$c#63")


SP, PC = 0x1F, 0x20


def boot_disturbed(build, path, disturb):
    """Boots, and while the kernel is idle lets disturb(debugger) change registers. The console's text."""
    done = []

    def stop(reader):
        if b"idle" in reader.program and not done:
            time.sleep(0.5)
            done.append(Debugger(path))
            done[0].stop()
            disturb(done[0])
            done[0].go_on()
        return False

    result = boot(build.image(build.program("idle"), "2"), Machine(), timeout=15, stop=stop,
                  extra=["-gdb", f"unix:{path},server=on,wait=off"])
    return (result.output + result.log).decode(errors="replace")


@pytest.mark.parametrize("address", [0, 0xFFFF800000000000 - 4096])
def test_kernel_fault(build, tmp_path, address):
    """The idle kernel is sent to an address where nothing is: registers and a backtrace with names.

    It notices when the timer ends its sleep, and powers off after the report.
    """
    text = boot_disturbed(build, str(tmp_path / "gdb"), lambda debugger: debugger.set(PC, address))
    assert re.search(r"x0\s*[:=]?\s*(0x)?[0-9a-f]+", text), text
    names = symbols(build)
    trace = re.findall(r"(\w+)\+0x[0-9a-f]+", text)
    assert len(trace) >= 2 and all(name in names for name in trace), text


STACK_SPAN = 32 * 1024  # a stack is the lower half of its span, the guard the upper (<mm/kwindow.h>)


def test_stack_overflow(build, tmp_path):
    """A thread that has used up its stack runs into the guard below it, and the message says so."""

    def use_up(debugger):
        debugger.set(SP, debugger.get(SP) // STACK_SPAN * STACK_SPAN)

    text = boot_disturbed(build, str(tmp_path / "gdb"), use_up)
    assert re.search(r"kernel fault in thread '[^']+' on CPU 0: stack overflow of this thread", text), text
