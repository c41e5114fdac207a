/* SPDX-License-Identifier: MIT */
/* Where the root file system is. */
#ifndef INIT_ROOT_H
#define INIT_ROOT_H

#include <mm/memory.h>

struct dt_boot;

/* The root appended to the image, by the image's header; size 0: none. Before memory_init(). */
struct memory_range root_appended(void);

/* Mounts the root: the disk that root= names, else from the image, else from the initrd; without
 * one, says so and ends the machine. */
void root_mount(const struct dt_boot *boot);

/* volumes.c: mounts the host's shares; one that cannot be ends the machine. */
void volumes_mount(void);

#endif
