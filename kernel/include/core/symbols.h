/* SPDX-License-Identifier: MIT */
/* Names of kernel addresses, from the table that the link puts into the image. */
#ifndef CORE_SYMBOLS_H
#define CORE_SYMBOLS_H

#include <lib/types.h>

/*
 * The function or object that holds `address`: copies its name to `name` (always terminated) and
 * sets *offset. False if the address is not the kernel's. Any context, no lock.
 */
bool symbol_lookup(vaddr_t address, char *name, size_t size, size_t *offset);

#endif
