/* SPDX-License-Identifier: MIT */
/*
 * A machine for the tests of mm: RAM as an array, the kernel's own page tables and frame allocator
 * on it, and an MMU in software whose TLB forgets only what it is told to, so that a stale
 * translation shows as wrong contents.
 */
#ifndef UNIT_MM_MACHINE_H
#define UNIT_MM_MACHINE_H

#include <unit.h>

#include <mm/page.h>
#include <mm/vmspace.h>

#define MACHINE_PAGES 8192u

void machine_start(void);
void machine_stop(void);
uint64_t machine_free_pages(void);

/*
 * An access of the program to the byte at addr: through the TLB, else the tables; faults are taken
 * to vm_fault. Returns 0 with *byte the place in RAM, or the error of vm_fault.
 */
int cpu_access(struct vmspace *vs, vaddr_t addr, unsigned access, uint8_t **byte);

#endif
