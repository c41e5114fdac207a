# SPDX-License-Identifier: MIT
"""Run by gdb (test_guard.py): what an idle guest's registers, page tables and threads say, as one line of JSON.

`$forge` is set to 1 to put the unsigned return address into the topmost frame record of the sleeping program,
as an overwritten stack would have it.
"""
import json

import gdb


def register(name):
    try:
        return int(gdb.selected_frame().read_register(name)) & (1 << 64) - 1
    except ValueError:
        return None


def key():
    """APIAKey as the CPU holds it."""
    return [register("APIAKEYLO_EL1"), register("APIAKEYHI_EL1")]


def pair(value):
    return [int(value[0]), int(value[1])]


def cpus():
    """Of every CPU: its key, its control register, its tables for programs, its state, and the key of the thread that it runs."""
    found = []
    for cpu in sorted(gdb.selected_inferior().threads(), key=lambda thread: thread.num):
        cpu.switch()
        found.append({"key": key(), "sctlr": register("SCTLR"), "kernel": register("pc") >> 63 == 1,
                      "tables": register("TTBR0_EL1"), "pstate": register("cpsr"),
                      "thread_key": pair(current()["context"]["kernel_key"])})
    return found


def sleeping_program():
    return next(thread for thread in threads() if int(thread["vmspace"]) and number(thread) not in running())


def leaf(space, address):
    """The entry that translates a program's address, 0 where there is none."""
    table = int(space["pagetable"]["root"])
    for shift in LEVEL_SHIFT:
        entry = physical(table + 8 * (address >> shift & 511))[0]
        if shift == LEVEL_SHIFT[-1] or entry & 3 != 3:
            return entry if entry & 1 else 0
        table = entry & ADDRESS_MASK


def executable(space):
    """(name, entries that are there) of the areas of code."""
    for area in tree_of(space["areas"], "vm_area", "node"):
        if int(area["prot"]) & 4:
            pages = range(int(area["start"]), int(area["end"]), 4096)
            name = area["name"].string() if number(area["name"]) else ""
            yield name, [entry for entry in (leaf(space, page) for page in pages) if entry]


def at_program(thread):
    """Goes on until the program is back from its system call: key and control register there."""
    frame, keys = int(thread["stack"]) + stack_size - 288, pair(thread["context"]["keys"]["key"][0])
    gdb.execute(f"thbreak *{int.from_bytes(gdb.selected_inferior().read_memory(frame + 256, 8), 'little'):#x}")
    gdb.execute("continue")
    return {"key": key(), "sctlr": register("SCTLR"), "program_key": keys}


def forge(thread):
    """The record of the innermost C function: its return address loses the signature. Both are told."""
    memory, record = gdb.selected_inferior(), int(thread["context"]["fp"]) & (1 << 64) - 1
    signed = int.from_bytes(bytes(memory.read_memory(record + 8, 8)), "little")
    memory.write_memory(record + 8, stripped(signed).to_bytes(8, "little"))
    return [signed, stripped(signed)]


stack_size = 1 << 14
sleeper = sleeping_program()
state = {
    "cpus": cpus(),
    "thread_keys": [pair(thread["context"]["kernel_key"]) for thread in threads()],
    "map": gdb.execute("remora-map", to_string=True).splitlines(),
    "program_code": list(executable(sleeper["vmspace"])),
    "identity": int(gdb.parse_and_eval("boot_entry.image + (unsigned long)&idmap_root_table - (unsigned long)&__image_start")),
    "text": [int(gdb.parse_and_eval(f"(unsigned long)&{name}")) for name in ("__image_start", "__text_end")],
}
if int(gdb.parse_and_eval("$forge")):
    state["forged"] = forge(sleeper)
else:
    state["program"] = at_program(sleeper)
print("STATE " + json.dumps(state))
