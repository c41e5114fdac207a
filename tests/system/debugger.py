# SPDX-License-Identifier: MIT
"""gdb looks at a guest, with scripts/gdb/remora.py, while its program sleeps."""
import os
import subprocess
import time

from conftest import TOP
from guest import Machine, boot


def look(build, path, machine, *commands, seconds=8, program=None, ready=b"idle"):
    """Boots the idle program on the machine of a line; (what gdb's commands printed, how the guest ended).

    The program sleeps for `seconds`, time enough for gdb to start on a busy host.
    The commands run once, with all CPUs stopped and the symbols where the kernel is, when the program has
    printed `ready`. `path` is a socket to make.
    """
    machine, texts = Machine.parse("debugger " + machine), []

    def attach(reader):
        if ready in reader.program and not texts:
            time.sleep(0.3)
            words = [f"target remote {path}", "remora-slide", *commands, "detach"]
            gdb = ["gdb-multiarch", "-nx", "-batch", "-x", os.path.join(TOP, "scripts/gdb/remora.py"), build.elf]
            ended = subprocess.run(gdb + [part for word in words for part in ("-ex", word)], capture_output=True,
                                   text=True, timeout=60, stdin=subprocess.DEVNULL)
            texts.append(ended.stdout + ended.stderr)
        return bool(reader.of_type("X")) and not machine.powers_off()

    words = [program] if program else [build.program("idle"), str(seconds)]
    result = boot(build.image(*words), machine, timeout=90, stop=attach,
                  extra=["-gdb", f"unix:{path},server=on,wait=off"])
    assert texts, result
    return texts[0], result
