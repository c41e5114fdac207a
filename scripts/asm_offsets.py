#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""Turn the compiled arch/arm64/asm_offsets.c into a header of numbers for assembly.

The C file emits lines `->NAME value` through inline assembly:
    #define DEFINE(name, value) __asm__ volatile("\\n.ascii \\"->" #name " %0\\"" : : "i"(value))
"""
import re
import sys


def main():
    source, output = sys.argv[1:3]
    lines = ["/* Generated from kernel/arch/arm64/asm_offsets.c. */", "#pragma once"]
    with open(source) as assembly:
        for match in re.finditer(r'->(\w+) [$#]?(-?\d+)', assembly.read()):
            lines.append(f"#define {match[1]} {match[2]}")
    with open(output, "w") as header:
        header.write("\n".join(lines) + "\n")


main()
