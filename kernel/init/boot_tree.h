/* SPDX-License-Identifier: MIT */
/* From the entry's registers to a device tree that is read, and what the first steps take from it.
 */
#ifndef INIT_BOOT_TREE_H
#define INIT_BOOT_TREE_H

struct dt_boot;

/* Finds the tree (x0, else the base of the GiB that the image lies in) and reads it; without one
 * it says so on the UART of QEMU's virt machine and stops. */
void boot_tree_find(void);

/* Early console, from stdout-path or the first UART that a driver knows. */
void boot_tree_console(const struct dt_boot *boot);

/* Gives RAM to the memory system: the banks, less the image, its root, the tree, and reservations.
 */
int boot_tree_memory(struct dt_boot *boot);

/* Moves the tree out of the boot mappings, so that only its own memory is kept. */
void boot_tree_keep(void);

#endif
