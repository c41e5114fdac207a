# SPDX-License-Identifier: MIT
"""The kernel's half as its page tables have it: what is mapped, by which leaves, with which attributes."""
import dataclasses
import re

import pytest

import debugger
from guest import Machine

MIB, GIB = 1 << 20, 1 << 30
LINEAR, LINEAR_END = 0xFFFF000000000000, 0xFFFF800000000000
MACHINES = ("memory=64 gic=2", "memory=512 gic=3 cpus=2", "memory=4096 cpu=max gic=3",
            "memory=320 gic=2 banks=0-64,192-320", "memory=64 cpu=cortex-a53 virtualization=on")


@dataclasses.dataclass
class Span:
    start: int
    end: int
    place: int      # physical
    leaf: str       # page, 2M-block, 1G-block
    words: list     # normal or device, kernel, ro or rw, x-kernel ...

    def linear(self):
        return LINEAR <= self.start < LINEAR_END

    def is_ram(self, banks):
        return any(base <= self.place < base + size for base, size in banks)


def spans_of(text):
    found = re.findall(r"^(f\w{15})-(\w{16}) from 0x(\w+) (\S+) (.*)$", text, re.M)
    return [Span(int(start, 16), int(end, 16), int(place, 16), leaf, words.split())
            for start, end, place, leaf, words in found]


@pytest.mark.parametrize("machine", MACHINES)
def test_kernel_half(build, tmp_path, machine):
    text, result = debugger.look(build, str(tmp_path / "gdb"), machine, "remora-map", "p/x $SCTLR", "p/x $MAIR_EL1")
    assert result.status == 0, result
    banks = Machine.parse("x " + machine).bank_list()
    spans = spans_of(text)
    linear = [span for span in spans if span.linear()]

    # All of RAM, nothing else, each at its address; large where nothing asks for pages.
    assert all(span.place == span.start - LINEAR and span.is_ram(banks) for span in linear), text
    assert sum(span.end - span.start for span in linear) == sum(size for _, size in banks), text
    pages = sum(span.end - span.start for span in linear if span.leaf == "page")
    assert pages <= 4 * MIB, text
    whole = [base for base, size in banks for base in range(-(-base // GIB) * GIB, base + size - GIB + 1, GIB)]
    assert sum(span.end - span.start for span in linear if span.leaf == "1G-block") >= (len(whole) - 1) * GIB, text

    for span in spans:
        # RAM is Normal memory wherever it is mapped, and what is not RAM is never.
        assert span.words[0] == ("normal" if span.is_ram(banks) else "device"), span
        assert "kernel" in span.words and "user" not in span.words and "x-user" not in span.words, span
        assert not ("rw" in span.words and "x-kernel" in span.words), span

    # What is read-only or executable in the image is not writable by its linear address.
    closed = [span for span in spans if not span.linear() and "ro" in span.words]
    assert any("x-kernel" in span.words for span in closed)
    for span in closed:
        size = span.end - span.start
        assert not [other for other in linear if "rw" in other.words and other.place < span.place + size
                    and span.place < other.place + other.end - other.start], span

    control, memory = (int(value, 16) for value in re.findall(r"^\$\d+ = 0x(\w+)$", text, re.M))
    assert control & 0x1005 == 0x1005, hex(control)  # M, C, I
    assert memory & 0xFFFF == 0xFF04, hex(memory)    # Normal write-back, Device-nGnRE
