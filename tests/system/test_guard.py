# SPDX-License-Identifier: MIT
"""Pointer authentication, BTI and what else guards the kernel itself, by registers, page tables and a forged return address."""
import json
import os
import re
import struct
import subprocess

import pytest

import debugger
from conftest import TOP
from guest import Machine

ENIA, BT0, BT1, SPAN = 1 << 31, 1 << 35, 1 << 36, 1 << 23  # of SCTLR_EL1
SERROR_MASKED = 1 << 8  # of PSTATE
WITH = ("cpu=max cpus=1", "cpu=max gic=3 cpus=4", "cpu=max cpus=8 virtualization=on",
        "cpu=max cpus=1 secure=on", "cpu=max gic=3 cpus=1 secure=on virtualization=on")
WITHOUT = ("cpu=cortex-a53 cpus=2", "cpu=neoverse-n1 gic=3 cpus=2", "cpu=a64fx gic=3 cpus=2", "cpu=max,pauth=off cpus=2")


def look(build, path, machine, forge=False):
    """The state that guard_state.py tells, and how the guest ended."""
    script = os.path.join(TOP, "tests/system/guard_state.py")
    program = os.path.join(os.path.dirname(path), "idle")
    subprocess.run(["aarch64-linux-gnu-gcc", "-static", "-pthread", "-O1", "-Wall", "-o", program,
                    os.path.join(TOP, "tests/system/two_sleepers.c")], check=True, timeout=60)
    text, result = debugger.look(build, path, "memory=128 " + machine, f"set $forge = {int(forge)}", f"source {script}",
                                 program=program)
    lines = re.findall(r"^STATE (.*)$", text, re.M)
    assert len(lines) == 1, text
    return json.loads(lines[0]), result


def guarded(state):
    """The guarded spans among the kernel's mappings, and the executable ones."""
    spans = [(int(line[:16], 16), int(line[17:33], 16), line) for line in state["map"] if re.match("[0-9a-f]{16}-", line)]
    return ([span[:2] for span in spans if span[2].endswith(" guarded")],
            [span[:2] for span in spans if "x-kernel" in span[2]])


@pytest.mark.parametrize("machine", WITH)
def test_in_force(build, tmp_path, machine):
    """Every CPU uses the key of the thread it runs, the program gets its own; all of the text is guarded."""
    state, result = look(build, str(tmp_path / "gdb"), machine)
    assert result.status == 0, result
    keys = [tuple(key) for key in state["thread_keys"]]
    assert len(set(keys)) == len(keys) > 2 and all(all(key) for key in keys), keys
    assert len(state["cpus"]) == Machine.parse("x " + machine).cpus
    for cpu in state["cpus"]:
        assert cpu["kernel"] and cpu["key"] == cpu["thread_key"], state["cpus"]
        assert cpu["sctlr"] & (ENIA | BT0 | BT1) == ENIA | BT0 | BT1, hex(cpu["sctlr"])
    program = state["program"]
    assert program["key"] == program["program_key"] and tuple(program["key"]) not in keys, program
    assert program["sctlr"] & ENIA, program
    marked, executable = guarded(state)
    assert marked == executable == [tuple(state["text"])], (marked, executable, state["text"])


@pytest.mark.parametrize("machine", WITHOUT)
def test_absent(build, tmp_path, machine):
    """A CPU without the features has the bits that are reserved there at zero."""
    state, result = look(build, str(tmp_path / "gdb"), machine)
    assert result.status == 0, result
    targets = "max" in machine
    for cpu in state["cpus"]:
        assert cpu["sctlr"] & (ENIA | BT0 | BT1) == (BT0 | BT1 if targets else 0), hex(cpu["sctlr"])
    assert guarded(state)[0] == ([tuple(state["text"])] if targets else [])


@pytest.mark.parametrize("machine", ("cpu=max gic=3 cpus=4", "cpu=cortex-a72 cpus=4", "cpu=max cpus=2 virtualization=on"))
def test_idle_state(build, tmp_path, machine):
    """Idle CPUs have left the map that they were started on, take SErrors, and have SPAN as the CPU asks for."""
    state, result = look(build, str(tmp_path / "gdb"), machine)
    assert result.status == 0, result
    for cpu in state["cpus"]:
        assert cpu["kernel"] and cpu["tables"] & (1 << 48) - 1 not in (0, state["identity"]), cpu
        assert not cpu["pstate"] & SERROR_MASKED, hex(cpu["pstate"])
        assert bool(cpu["sctlr"] & SPAN) == ("max" not in machine), hex(cpu["sctlr"])


@pytest.mark.parametrize("machine", ("cpu=max cpus=1", "cpu=max cpus=4", "cpu=cortex-a72 cpus=1"))
def test_forged_return(build, tmp_path, machine):
    """A return address on a kernel stack that this thread did not sign there stops the kernel with a reason.

    The address itself is right, only its signature is gone: without the feature nothing happens.
    """
    state, result = look(build, str(tmp_path / "gdb"), machine, forge=True)
    signed, plain = state["forged"]
    text = (result.output + result.log).decode(errors="replace")
    if "max" in machine:
        assert signed != plain and result.status == 125, result
        assert "kernel fault in thread 'idle'" in text and "not the one that was signed" in text, text
    else:
        assert signed == plain and result.status == 0, result


@pytest.mark.parametrize("machine", ("cpu=max cpus=1", "cpu=cortex-a72 cpus=1"))
def test_vdso_is_guarded(build, tmp_path, machine):
    """The vDSO's code is, where there is BTI; that of a program without the property note is not."""
    state, _ = look(build, str(tmp_path / "gdb"), machine)
    guard = 1 << 50
    areas = {name: entries for name, entries in state["program_code"]}
    vdso = areas.pop("[vdso]")
    assert vdso and all(bool(entry & guard) == ("max" in machine) for entry in vdso), state["program_code"]
    assert any(areas.values()) and not any(entry & guard for entries in areas.values() for entry in entries)


LANDINGS = {0xD503245F: "bti c", 0xD50324DF: "bti jc", 0xD503233F: "paciasp", 0xD503237F: "pacibsp"}
# Reached by RET only, and by PSCI with the MMU off.
NO_LANDING = {"context_entry", "secondary_entry"}


def sections(elf):
    """name -> (address, bytes) of a 64-bit little-endian ELF file."""
    with open(elf, "rb") as file:
        data = file.read()
    table, = struct.unpack_from("<Q", data, 40)
    size, count, names = struct.unpack_from("<3H", data, 58)
    headers = [struct.unpack_from("<IIQQQQ", data, table + size * i) for i in range(count)]
    strings = headers[names][4]
    return {data[strings + h[0]:data.index(b"\0", strings + h[0])].decode(): (h[3], data[h[4]:h[4] + h[5]]) for h in headers}


def addresses_made(base, text):
    """What ADRP and a following ADD compute, as far as the register is not written between the two."""
    words, pages = struct.unpack(f"<{len(text) // 4}I", text), {}
    for index, word in enumerate(words):
        target, source = word & 31, word >> 5 & 31
        if word & 0x9F000000 == 0x90000000:
            offset = (word >> 3 & 0x1FFFFC | word >> 29 & 3) << 12
            offset -= 1 << 33 if offset >> 32 else 0
            pages[target] = (index, ((base + 4 * index) & ~4095) + offset)
            continue
        if word & 0xFFC00000 == 0x91000000 and source in pages and index - pages[source][0] < 16:
            yield pages[source][1] + (word >> 10 & 4095)
        if word >> 25 & 15 in (5, 8, 9, 13):    # data processing
            pages.pop(target, None)
        elif word & 0xFC000000 == 0x94000000:   # BL
            pages.clear()


def test_landings(build):
    """Every function whose address stands in data or is made in a register begins where an indirect branch may land."""
    parts = sections(build.elf)
    base, text = parts[".text"]
    listing = subprocess.run(["aarch64-linux-gnu-readelf", "-sW", build.elf], capture_output=True, text=True, check=True)
    functions = {int(fields[1], 16): fields[7] for fields in map(str.split, listing.stdout.splitlines())
                 if len(fields) == 8 and fields[3] == "FUNC"}
    relocations = parts[".rela.dyn"][1]
    taken = {struct.unpack_from("<Q", relocations, at + 16)[0] for at in range(0, len(relocations), 24)}
    taken |= set(addresses_made(base, text))
    taken &= functions.keys()
    assert len(taken) > 500
    bare = {functions[address] for address in taken
            if struct.unpack_from("<I", text, address - base)[0] not in LANDINGS} - NO_LANDING
    assert not bare, bare
