/* SPDX-License-Identifier: MIT
 *
 * Areas that map a file own a reference to it; the owner of such an area is a struct file.
 */
#ifndef LINUX_MAP_OWNER_H
#define LINUX_MAP_OWNER_H

#include <mm/vmspace.h>

extern const struct vm_owner_ops map_owner_ops;

#endif
