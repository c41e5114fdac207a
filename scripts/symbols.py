#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""Write the kernel's tables of function names and of relocations as assembly, for the second link.

    symbols.py NM KERNEL_ELF OUTPUT

Names, section .symbols, found between __symbols_start and __symbols_end, decoded by kernel/core/symbols.c:

    u32 magic 0x32595352 ("RSY2"), little-endian
    u8  pair[256][2]        what a byte of a name stands for: itself where both are it, else these two bytes' texts
    entries, ascending:     how far the function starts behind the one before, in words of 4 bytes, in groups of
                            7 bits, the lowest first, bit 7 set in all but the last; the bytes of its name; 0
    0, 0                    the end

Relocations, section .relocations, are .rela.dyn in the form of SHT_RELR, which early_map.c applies: what
is relocated holds its link address already.
"""
import collections
import struct
import subprocess
import sys

MAGIC = 0x32595352
NAME_MAX = 63  # SYMBOL_SIZE of lib/printf.h, less the NUL
DEPTH_MAX = 24  # pairs within pairs, as the kernel follows them
R_AARCH64_RELATIVE = 1027


def listing(nm, elf):
    """(address, kind, name) of every symbol, by address."""
    text = subprocess.run([nm, "-n", elf], check=True, capture_output=True, text=True).stdout
    lines = (line.split() for line in text.splitlines())
    return [(int(fields[0], 16), fields[1], fields[2]) for fields in lines if len(fields) == 3]


def size_between(nm, elf, first, last):
    places = {name: address for address, _, name in listing(nm, elf)}
    for name in (first, last):
        if name not in places:
            sys.exit(f"symbols.py: {elf} has no symbol {name}; kernel.lds.S defines it")
    return places[last] - places[first]


def functions(nm, elf):
    """(offset from __image_start, name) of every function."""
    base = None
    found = {}
    for address, kind, name in listing(nm, elf):
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
    return [(address - base, rank[2][:NAME_MAX]) for address, rank in sorted(found.items()) if address >= base]


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


def replace(text, pair, code):
    """The bytes of `text` with each `pair`, from the left, made one."""
    at = 0
    while at < len(text) - 1:
        if (text[at], text[at + 1]) == pair:
            text[at:at + 2] = [code]
        at += 1


def shorten(names):
    """(pairs, names): the commonest pair of neighbours becomes a byte that no name has, until none is free."""
    texts = [list(name.encode()) for name in names]
    used = {byte for text in texts for byte in text}
    pairs = [(byte, byte) for byte in range(256)]
    depth = dict.fromkeys(used, 0)
    for code in range(1, 256):
        if code in used:
            continue
        seen = collections.Counter()
        for text in texts:
            seen.update(zip(text, text[1:]))
        fits = [(-count, pair) for pair, count in seen.items()
                if max(depth[pair[0]], depth[pair[1]]) < DEPTH_MAX]
        if not fits or min(fits)[0] > -4:
            break
        pairs[code] = min(fits)[1]
        depth[code] = 1 + max(depth[byte] for byte in pairs[code])
        for text in texts:
            replace(text, pairs[code], code)
    return pairs, [bytes(text) for text in texts]


def entries(table, names):
    last = 0
    for (address, _), name in zip(table, names):
        if address % 4:
            sys.exit(f"symbols.py: a function at {address:#x}, which is no multiple of 4")
        words, last = (address - last) // 4, address
        while words >= 128:
            yield bytes([words & 127 | 128])
            words >>= 7
        yield bytes([words]) + name + b"\0"
    yield b"\0\0"


def symbols(table):
    """The bytes of section .symbols."""
    pairs, names = shorten([name for _, name in table])
    return struct.pack("<I", MAGIC) + bytes(byte for pair in pairs for byte in pair) + b"".join(entries(table, names))


def main():
    nm, elf, output = sys.argv[1:4]
    text = symbols(functions(nm, elf))
    lines = ['.section .symbols, "a"', ".balign 4"]
    lines += [".byte " + ",".join(map(str, text[at:at + 32])) for at in range(0, len(text), 32)]
    lines += ['.section .relocations, "a"', ".balign 8"]
    lines += [f".8byte {word:#x}" for word in relocations(elf)]
    lines.append('.section .note.GNU-stack, "", %progbits')
    with open(output, "w") as assembly:
        assembly.write("\n".join(lines) + "\n")


if __name__ == "__main__":
    main()
