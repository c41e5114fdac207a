# SPDX-License-Identifier: MIT
"""Programs of Debian, unmodified: programs.txt in Remora and under Debian's kernel, compared."""
import functools
import os
import shlex
import sys
from dataclasses import dataclass

import pytest

from guest import Machine, boot

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "oracle"))
import debian  # noqa: E402
import oracle  # noqa: E402


@dataclass(frozen=True)
class Program:
    name: str
    package: str
    argv: tuple
    stdin: bytes
    long: bool


def programs():
    with open(os.path.join(os.path.dirname(__file__), "programs.txt"), encoding="utf-8") as lines:
        for line in lines:
            if not line.strip() or line.startswith("#"):
                continue
            name, package, rest = (part.strip() for part in line.split("|", 2))
            argv, _, stdin = rest.rpartition("|")
            text = stdin.strip(" \n").replace("\\n", "\n").replace("\\t", "\t").encode()
            yield Program(name.lstrip("+"), package, tuple(shlex.split(argv)), text, not name.startswith("+"))


PROGRAMS = list(programs())


def full_path(root, argv):
    """Both kernels get the program's whole path, so that argv[0] is the same."""
    for folder in ("/usr/bin", "/bin", "/usr/sbin", "/sbin"):
        if os.path.exists(f"{root}{folder}/{argv[0]}") or os.path.islink(f"{root}{folder}/{argv[0]}"):
            return [f"{folder}/{argv[0]}", *argv[1:]]
    raise FileNotFoundError(f"{argv[0]} in {root}")


@functools.lru_cache(maxsize=None)
def under_linux(package, long):
    """Results by name of all lines of a package, in one boot of Debian's kernel."""
    chosen = [program for program in PROGRAMS if program.package == package and program.long == long]
    root = debian.unpack(package, [package])
    os.makedirs(os.path.join(root, "tmp"), exist_ok=True)
    files, runs = {f"/{package}": root}, []
    for program in chosen:
        stdin = os.path.join(debian.CACHE, f"stdin-{os.getpid()}-{program.name}")
        with open(stdin, "wb") as out:
            out.write(program.stdin)
        files[f"/t/{program.name}"] = stdin
        runs.append(oracle.Run(program.name, full_path(root, program.argv), root=f"/{package}", stdin=f"/t/{program.name}"))
    try:
        return oracle.boot(runs, files, memory=1024, cpus=2)
    finally:
        for program in chosen:
            os.unlink(files[f"/t/{program.name}"])


def encoded(word):
    """Percent-encoding of abi/bootargs.h."""
    return "".join(chr(byte) if 0x21 <= byte <= 0x7E and chr(byte) not in "%,\"" else f"%{byte:02X}"
                   for byte in word.encode())


@pytest.mark.parametrize("program", [
    pytest.param(program, id=program.name, marks=[pytest.mark.long] if program.long else [])
    for program in PROGRAMS])
def test_program(build, program):
    image = build.image(f"deb:{program.package}", program.argv[0])
    argv = full_path(debian.unpack(program.package, [program.package]), program.argv)
    words = "remora.args=" + ",".join(map(encoded, argv))
    machine = Machine.parse("programs cpu=cortex-a72 gic=3 memory=512 cpus=2")
    result = boot(image, machine, arguments=words, stdin=program.stdin, timeout=180)
    expected = under_linux(program.package, program.long)[program.name]
    assert result.output == expected.out, f"Linux printed:\n{expected.out.decode(errors='replace')}\n{result}"
    assert result.error == expected.err, f"Linux's error:\n{expected.err.decode(errors='replace')}\n{result}"
    assert ("exit", result.status) == (expected.kind, expected.status), f"Linux: {expected.kind} {expected.status}\n{result}"
