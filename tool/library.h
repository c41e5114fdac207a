/* SPDX-License-Identifier: MIT
 *
 * Which shared libraries an ELF file needs, and where in a root they are: the search of ld.so(8).
 */
#ifndef TOOL_LIBRARY_H
#define TOOL_LIBRARY_H

#include "buffer.h"
#include "elf.h"
#include "tree.h"

/* Path in the tree of a library that the file at `path` needs; owned by the caller; NULL: missing.
 * env may name LD_LIBRARY_PATH; NULL: no environment. */
char *library_find(const struct tree *tree, const char *soname, const char *path,
                   const struct elf *elf, const struct words *env);

/* True if a loader is musl's, which is the C library as well: libc.so needs no file of its own. */
bool library_is_musl(const char *interpreter);
bool library_is_loader(const char *interpreter, const char *soname);

/* The Debian package that is likely to hold a library or loader; owned by the caller. */
char *library_package(const char *name);

/* Checks an ELF program at path (data: its bytes): machine, wholeness, interpreter and libraries,
 * the libraries' own as well. Reports each thing that is missing; 0, 126 or 127. */
int library_check(const struct tree *tree, const char *path, const void *data, size_t size,
                  const struct words *env);

/* Lists all names that are missing for the program at path, as "<soname> (for <path>)". */
void library_missing(const struct tree *tree, const char *path, const void *data, size_t size,
                     const struct words *env, struct words *missing);

#endif
