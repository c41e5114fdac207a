#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""Make the bootable Image from kernel.elf and check it.

    image.py OBJCOPY NM UNNAMED_ELF KERNEL_ELF IMAGE

Checked are the arm64 header (Linux booting.rst), that the file ends where .bss begins, and that the
tables of names and relocations, which were made of the first link, are true of the second.
"""
import os
import struct
import subprocess
import sys

sys.dont_write_bytecode = True
import symbols  # noqa: E402


def differing(nm, unnamed, kernel):
    """What the tables made of `unnamed` say wrongly of `kernel`; None if they are right."""
    if symbols.functions(nm, unnamed) != symbols.functions(nm, kernel):
        return "functions"
    if symbols.relocations(unnamed) != symbols.relocations(kernel):
        return "relocations"
    return None


def raw(objcopy, elf, image):
    part = image + ".part"
    subprocess.run([objcopy, "-O", "binary", "-R", ".rela.dyn", elf, part], check=True)
    with open(part, "rb") as file:
        data = file.read()
    os.unlink(part)
    return data


def main():
    objcopy, nm, unnamed, kernel, image = sys.argv[1:6]
    moved = differing(nm, unnamed, kernel)
    if moved:
        sys.exit(f"image.py: {moved} lie elsewhere in {kernel} than in {unnamed}: its tables would be wrong. "
                 "Both must be linked of the same objects in the same order")
    data = raw(objcopy, kernel, image)
    if len(data) < 64 or data[56:60] != b"ARM\x64":
        sys.exit(f"image.py: {kernel} does not begin with an arm64 Image header (magic at byte 56)")
    stored = symbols.size_between(nm, kernel, "__image_start", "__stored_end")
    image_size, = struct.unpack_from("<Q", data, 16)
    if len(data) != stored or image_size < stored:
        sys.exit(f"image.py: {stored} bytes of {kernel} are stored, objcopy wrote {len(data)}, image_size is {image_size}")
    with open(image, "wb") as out:
        out.write(data)


main()
