#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""Write the kernel's tables of function names and of relocations as assembly, for the last section.

    symbols.py NM KERNEL_ELF OUTPUT

Names, section .symbols, all little-endian, found between __symbols_start and __symbols_end and read
by kernel/core/symbols.c:

    u32 magic 0x4d595352 ("RSYM")
    u32 count
    u32 address[count]      offset from __image_start, ascending
    u32 name[(count + 15) / 16]   offset of every 16th name from the start of the names
    names                   NUL-terminated, in the order of the addresses

Relocations, section .relocations, are .rela.dyn in the form of SHT_RELR, which early_map.c applies: what
is relocated holds its link address already.
"""
import struct
import subprocess
import sys

MAGIC = 0x4D595352
GROUP = 16
R_AARCH64_RELATIVE = 1027


def functions(nm, elf):
    base = None
    found = {}
    listing = subprocess.run([nm, "-n", elf], check=True, capture_output=True, text=True).stdout
    for line in listing.splitlines():
        fields = line.split()
        if len(fields) != 3:
            continue
        address, kind, name = int(fields[0], 16), fields[1], fields[2]
        if name == "__image_start":
            base = address
        # Mapping symbols ($x, $d) and local labels name no function.
        if kind in "tTwW" and name[0] not in "$." and not name.startswith("__image"):
            # Of several names for one address a global one without underscores reads best.
            rank = (kind in "tw", name.startswith("_"), name)
            if address not in found or rank < found[address]:
                found[address] = rank
    if base is None:
        sys.exit(f"symbols.py: {elf} has no symbol __image_start; kernel.lds.S defines it")
    return [(address - base, rank[2]) for address, rank in sorted(found.items()) if address >= base]


def section(elf, wanted):
    """The bytes of a section of an ELF64 file; none if it has no such section."""
    table, = struct.unpack_from("<Q", elf, 40)
    size, count, names_index = struct.unpack_from("<HHH", elf, 58)
    headers = [struct.unpack_from("<IIQQQQ", elf, table + i * size) for i in range(count)]
    names = headers[names_index][4]
    for name, _, _, _, offset, length in headers:
        if elf[names + name:elf.index(b"\0", names + name)].decode() == wanted:
            return elf[offset:offset + length]
    return b""


def relocations(path):
    """Words of SHT_RELR: an address, then masks of the 63 words that follow what the last word covered."""
    with open(path, "rb") as file:
        elf = file.read()
    places = []
    for place, kind, _ in struct.iter_unpack("<QQq", section(elf, ".rela.dyn")):
        if kind == 0:
            continue
        if kind != R_AARCH64_RELATIVE or place % 8:
            sys.exit(f"symbols.py: {path}: relocation of kind {kind} at {place:#x}; only aligned R_AARCH64_RELATIVE "
                     "can be applied at boot")
        places.append(place)
    places.sort()
    words, base, at = [], None, 0
    while at < len(places):
        mask = 0
        while base is not None and at < len(places) and places[at] < base + 63 * 8:
            mask |= 2 << (places[at] - base) // 8
            at += 1
        if mask:
            words.append(mask | 1)
            base += 63 * 8
        else:
            words.append(places[at])
            base = places[at] + 8
            at += 1
    return words


def main():
    nm, elf, output = sys.argv[1:4]
    table = functions(nm, elf)
    lines = ['.section .symbols, "a"', ".balign 8", f".4byte {MAGIC:#x}, {len(table)}"]
    lines += [f".4byte {address:#x}" for address, _ in table]
    offset = 0
    for index, (_, name) in enumerate(table):
        if index % GROUP == 0:
            lines.append(f".4byte {offset:#x}")
        offset += len(name) + 1
    lines += [f'.asciz "{name}"' for _, name in table]
    lines += ['.section .relocations, "a"', ".balign 8"]
    lines += [f".8byte {word:#x}" for word in relocations(elf)]
    lines.append('.section .note.GNU-stack, "", %progbits')
    with open(output, "w") as assembly:
        assembly.write("\n".join(lines) + "\n")


main()
