/* SPDX-License-Identifier: MIT
 *
 * The manifest in memory, and its text (abi/manifest.h).
 */
#ifndef TOOL_MANIFEST_H
#define TOOL_MANIFEST_H

#include "buffer.h"

#include <abi/manifest.h>

struct manifest {
    char *exec;
    struct words args;
    struct words env;
    char *cwd;
    char *user; /* numeric, as the kernel wants it */
    char *hostname;
    char *name;
    unsigned memory_mib; /* 0: no wish */
    unsigned cpus;       /* 0: no wish */
    struct words packages;
    struct words choices;
    struct words notes;
};

void manifest_write(const struct manifest *manifest, struct buffer *text);

/* text is NUL-terminated and changed. 0, or -EINVAL when it is not a manifest of this version. */
int manifest_parse(struct manifest *manifest, char *text);

/* Sets NAME=VALUE, in place of an older one of that name; without '=' removes NAME. */
void environment_set(struct words *env, const char *setting);

/* Value of NAME, or NULL. */
const char *environment_get(const struct words *env, const char *name);

#endif
