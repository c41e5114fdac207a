#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""Write the numbers of the system calls that the kernel's table answers, as items of a C array."""
import re
import sys

with open(sys.argv[1], encoding="utf-8") as table, open(sys.argv[2], "w", encoding="utf-8") as out:
    for name in re.findall(r"^\s*\[(__NR_\w+)\]\s*=", table.read(), re.M):
        out.write(f"{name},\n")
