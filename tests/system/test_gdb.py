# SPDX-License-Identifier: MIT
"""`make gdb`: it stops in the kernel with symbols, and its commands tell threads, areas, page tables."""
import os
import re
import subprocess

from conftest import TOP

SCRIPT = """
thbreak sys_clock_nanosleep
continue
remora-threads
remora-backtrace reclaim
remora-areas
remora-walk 0x400000
remora-map
"""


def test_commands(build, tmp_path):
    image = build.image(build.program("idle"), "100")
    script = tmp_path / "script"
    script.write_text(SCRIPT)
    # One CPU: when it stops no thread runs but the program.
    result = subprocess.run([os.path.join(TOP, "scripts/gdb/start"), build.folder, image], capture_output=True,
                            text=True, timeout=120, stdin=subprocess.DEVNULL,
                            env=dict(os.environ, CPUS="1", GDB_ARGS=f"-batch -x {script}"))
    text = result.stdout + result.stderr
    assert result.returncode == 0 and "Error" not in text, text
    assert "kernel_main ()" in text, text
    assert re.search(r"^\* 0x\w+ +\d runnable +idle +running$", text, re.M), text
    assert re.search(r"^   thread_sleep \+ \d+$", text, re.M), text
    assert "r-xp" in text and "[stack]" in text, text
    assert re.search(r"^0x400000 is physical 0x[4-5]\w+$", text, re.M), text
    writable = [line for line in text.splitlines() if re.match(r"ffff.* kernel rw", line)]
    assert writable and not [line for line in writable if "x-kernel" in line], text
