/* SPDX-License-Identifier: MIT
 *
 * Debian packages by apt, in a private state: the system's sources and keys, lists and packages in
 * the cache, architecture arm64. apt verifies signatures and digests; nothing of the system is
 * changed.
 */
#ifndef TOOL_APT_H
#define TOOL_APT_H

#include <stdbool.h>

#include "buffer.h"

struct package {
    char *name;
    char *version;
    char *architecture;
    char *file; /* the .deb in the cache */
    char digest[65];
};

struct closure {
    struct package *package; /* sorted by name */
    size_t count;
};

void closure_free(struct closure *closure);

/* Finds and downloads the packages that `names` (NAME or NAME=VERSION) need, themselves included.
 * offline: only what was downloaded before. Reports. */
int apt_fetch(const struct words *names, bool offline, struct closure *closure);

/* A lock file: lines "<name> <version> <architecture> <sha256>", the first "remora-lock=1 <names>".
 * closure_read gives -ENOENT if there is none; both report other errors. */
int closure_write(const struct closure *closure, const char *names, const char *path);
int closure_read(struct closure *closure, const char *names, const char *path);

#endif
