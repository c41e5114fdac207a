# SPDX-License-Identifier: MIT
"""The kernel's text in a running guest is the file's, but for the places where boot puts code for this CPU."""
import hashlib
import os
import re
import struct
import subprocess

import pytest

import debugger

# Capabilities of <arch/alternative.h>: LSE atomics, PAN, pointer authentication, BTI.
LSE, PAN, PAUTH, BTI = range(4)
MACHINES = {
    "cpu=cortex-a53 memory=64": set(),
    "cpu=neoverse-n1 gic=3 cpus=2 memory=128": {LSE, PAN},
    "cpu=max gic=3 cpus=4 memory=128": {LSE, PAN, PAUTH, BTI},
    "cpu=max virtualization=on memory=64": {LSE, PAN, PAUTH, BTI},
}
SECONDS = 8  # that the program sleeps; the image holds its arguments
NOP = struct.pack("<I", 0xD503201F)


def symbols(build):
    text = subprocess.run(["aarch64-linux-gnu-nm", build.elf], capture_output=True, text=True, check=True).stdout
    return {name: int(address, 16) for address, _, name in (line.split() for line in text.splitlines() if line[0] != " ")}


def alternatives(data, names):
    """(where, the better code, its capability) of each entry of struct alternative (features.c), as offsets in the file."""
    start, end = (names[name] - names["__image_start"] for name in ("__alternatives_start", "__alternatives_end"))
    for at in range(start, end, 12):
        original, replacement, size, better, capability = struct.unpack_from("<iiBBH", data, at)
        code = data[at + 4 + replacement:at + 4 + replacement + better]
        yield at + original, code + NOP * ((size - better) // 4), capability


@pytest.mark.parametrize("machine", MACHINES)
def test_text_is_the_files(build, tmp_path, machine):
    """Read by a debugger after the program's first calls: its hash is that of the file's text with this CPU's code in place."""
    names = symbols(build)
    size = names["__text_end"] - names["__image_start"]
    with open(build.image(build.program("idle"), str(SECONDS)), "rb") as image:
        data = image.read()
    expected = bytearray(data[:size])
    entries = list(alternatives(data, names))
    assert {capability for _, _, capability in entries} == {LSE, PAN, PAUTH, BTI}
    for where, code, capability in entries:
        assert 0 <= where and where + len(code) <= size
        if capability in MACHINES[machine]:
            expected[where:where + len(code)] = code
    assert (bytes(expected) == data[:size]) == (not MACHINES[machine])

    dumped = str(tmp_path / "text")
    memory = f"dump binary memory {dumped} &__image_start ((long)&__image_start)+{size}"
    text, result = debugger.look(build, str(tmp_path / "gdb"), machine, memory, seconds=SECONDS)
    assert result.status == 0 and os.path.exists(dumped), text
    with open(dumped, "rb") as image:
        found = image.read()
    other = [hex(names["__image_start"] + at) for at in range(0, size, 4) if found[at:at + 4] != expected[at:at + 4]]
    assert hashlib.sha256(found).digest() == hashlib.sha256(expected).digest(), (other[:20], text)


def test_no_relocation_in_text(build):
    """What boot relocates lies outside the text, which could be shared between machines."""
    names = symbols(build)
    text = subprocess.run(["aarch64-linux-gnu-readelf", "-rW", build.elf], capture_output=True, text=True, check=True).stdout
    places = [int(place, 16) for place in re.findall(r"^([0-9a-f]{16})  [0-9a-f]{16} R_", text, re.M)]
    assert len(places) > 1000
    assert not [hex(place) for place in places if names["__image_start"] <= place < names["__text_end"]]
