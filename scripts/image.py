#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""Make the bootable Image from kernel.elf and check its arm64 header (Linux booting.rst).

    image.py OBJCOPY KERNEL_ELF IMAGE

The file must be exactly as long as image_size says: loaders reserve only what the file holds, so
.bss is stored. Padding at the very end that objcopy leaves out is put back.
"""
import os
import struct
import subprocess
import sys


def main():
    objcopy, elf, image = sys.argv[1:4]
    part = image + ".part"
    subprocess.run([objcopy, "-O", "binary", "-R", ".rela.dyn", elf, part], check=True)
    with open(part, "rb") as raw:
        data = raw.read()
    os.unlink(part)
    if len(data) < 64 or data[56:60] != b"ARM\x64":
        sys.exit(f"image.py: {elf} does not begin with an arm64 Image header (magic at byte 56)")
    image_size, = struct.unpack_from("<Q", data, 16)
    if not 0 <= image_size - len(data) < 65536:
        sys.exit(f"image.py: header says image_size {image_size}, objcopy wrote {len(data)} bytes")
    with open(image, "wb") as out:
        out.write(data.ljust(image_size, b"\0"))


main()
