# SPDX-License-Identifier: MIT
"""Run by gdb (test_aborts.py): the page that the program reads is moved to where the machine has nothing."""
import gdb

NOWHERE = 0x0B000000


def entry_of(space, address):
    """(where the entry of the last level lies, or of the one where the walk ends, its value)"""
    table = int(space["pagetable"]["root"])
    for shift in LEVEL_SHIFT:
        place = table + 8 * (address >> shift & 511)
        entry = physical(place)[0]
        if shift == LEVEL_SHIFT[-1] or not entry & 1:
            return place, entry
        table = entry & ADDRESS_MASK


def pages(space):
    """(address, where its entry lies, the entry) of every page that belongs to no file."""
    for area in tree_of(space["areas"], "vm_area", "node"):
        if not number(area["object"]):
            for page in range(int(area["start"]), int(area["end"]), 4096):
                place, entry = entry_of(space, page)
                if entry & 1:
                    yield page, place, entry


memory = gdb.selected_inferior()
sleeper = next(thread for thread in threads() if int(thread["vmspace"]))
for page, place, entry in pages(sleeper["vmspace"]):
    if bytes(memory.read_memory(LINEAR_BASE + (entry & ADDRESS_MASK), 12)) == b"page to move":
        memory.write_memory(LINEAR_BASE + place, (entry & ~ADDRESS_MASK | NOWHERE).to_bytes(8, "little"))
        print(f"moved {page:#x}")
