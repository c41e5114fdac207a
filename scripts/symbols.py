#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""Write the kernel's table of function names as assembly, for section .symbols.

    symbols.py NM KERNEL_ELF OUTPUT

Layout, all little-endian, found between __symbols_start and __symbols_end and read by
kernel/core/symbols.c:

    u32 magic 0x4d595352 ("RSYM")
    u32 count
    u32 address[count]      offset from __image_start, ascending
    u32 name[(count + 15) / 16]   offset of every 16th name from the start of the names
    names                   NUL-terminated, in the order of the addresses
"""
import subprocess
import sys

MAGIC = 0x4D595352
GROUP = 16


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
    lines.append('.section .note.GNU-stack, "", %progbits')
    with open(output, "w") as assembly:
        assembly.write("\n".join(lines) + "\n")


main()
