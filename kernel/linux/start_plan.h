/* SPDX-License-Identifier: MIT
 *
 * What the first program is to be, put together from the manifest and bootargs.
 */
#ifndef LINUX_START_PLAN_H
#define LINUX_START_PLAN_H

#include <lib/types.h>

struct string_list {
    char **item;
    unsigned count, capacity;
};

#define PLAN_GROUPS_MAX 64

struct start_plan {
    char *file; /* to execute; NULL if nothing says what */
    struct string_list args, env;
    char *cwd, *hostname;
    uint32_t uid, gid;
    uint32_t groups[PLAN_GROUPS_MAX];
    unsigned group_count;
};

/* Fills a zeroed plan. 0, -ENOMEM, or what reading the manifest gave (a missing one is no error).
 */
int start_plan_read(struct start_plan *plan);
void start_plan_free(struct start_plan *plan); /* and the plan itself */

/* The value of an environment variable of the plan, or NULL. */
const char *start_plan_env(const struct start_plan *plan, const char *name);

/* What the firmware passed, "" if nothing. */
const char *start_plan_boot_arguments(void);

/* The pure parts, for tests: text of a manifest (changed while it is read), words of bootargs. */
int start_plan_manifest(struct start_plan *plan, char *text);
int start_plan_bootargs(struct start_plan *plan, const char *bootargs);

#endif
