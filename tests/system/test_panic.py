# SPDX-License-Identifier: MIT
"""A fault in the kernel prints registers and a backtrace with names that match the symbols."""
import re
import subprocess

from guest import Machine, boot


def symbols(build):
    """address -> names, from nm."""
    listing = subprocess.run(["aarch64-linux-gnu-nm", build.elf], capture_output=True, text=True, check=True).stdout
    return {fields[2]: int(fields[0], 16) for fields in map(str.split, listing.splitlines()) if len(fields) == 3}


def test_symbol_table_matches_nm(build):
    """Every function that nm names is in the table of the image, at its address."""
    names = symbols(build)
    with open(build.kernel, "rb") as image:
        data = image.read()
    start = names["__symbols_start"] - names["__image_start"]
    magic, count = (int.from_bytes(data[start + at:start + at + 4], "little") for at in (0, 4))
    assert magic == 0x4D595352 and count > 100
    addresses = [int.from_bytes(data[start + 8 + 4 * i:start + 12 + 4 * i], "little") for i in range(count)]
    assert addresses == sorted(addresses)
    text = data[start + 8 + 4 * count + 4 * ((count + 15) // 16):].split(b"\0")[:count]
    base = names["__image_start"]
    for address, name in zip(addresses, text):
        assert names[name.decode()] - base == address or name.decode() in names


def test_kernel_image_size(build):
    """The kernel without a root is at most 700 KiB."""
    import os
    assert os.path.getsize(build.kernel) <= 700 * 1024


def test_kernel_fault(build):
    """remora.fault= makes the kernel fault on purpose once it is up."""
    result = boot(build.image(build.program("hello")), Machine(), arguments="remora.fault=null", timeout=30,
                  stop=lambda reader: b"panic" in reader.program + b"".join(reader.of_type("L")))
    text = (result.output + result.log).decode(errors="replace")
    assert re.search(r"x0\s*[:=]?\s*(0x)?[0-9a-f]+", text), text
    names = symbols(build)
    trace = re.findall(r"(\w+)\+0x[0-9a-f]+", text)
    assert len(trace) >= 3 and all(name in names for name in trace), text
