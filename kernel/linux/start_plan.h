/* SPDX-License-Identifier: MIT
 *
 * What the first program is to be, put together from the manifest and bootargs.
 */
#ifndef LINUX_START_PLAN_H
#define LINUX_START_PLAN_H

#include <lib/types.h>

#define PLAN_GROUPS_MAX 64

/* What both of them may say, each with its value; but for the first two the last one counts. */
enum plan_key { PLAN_ARG, PLAN_ENV, PLAN_FILE, PLAN_CWD, PLAN_HOSTNAME, PLAN_USER, PLAN_KEYS };

struct plan_entry {
    enum plan_key key; /* PLAN_KEYS: taken back */
    char *value;
};

struct start_plan {
    struct plan_entry *entry; /* in the order in which they were said */
    unsigned count, capacity;
    const char *value[PLAN_KEYS]; /* what was said of each key last, NULL: nothing */
    char *manifest, *bootargs;    /* the texts that the values lie in */
    uint32_t uid, gid;
    uint32_t groups[PLAN_GROUPS_MAX];
    unsigned group_count;
};

/* Fills a zeroed plan. 0, -ENOMEM, or what reading the manifest gave (a missing one is no error).
 */
int start_plan_read(struct start_plan *plan);
void start_plan_free(struct start_plan *plan); /* and the plan itself */

/* The value that counts, NULL: nothing was said. */
static inline const char *start_plan_value(const struct start_plan *plan, enum plan_key key)
{
    return plan->value[key];
}

/* The file to execute, else the first argument; NULL: nothing says what to run. */
const char *start_plan_file(const struct start_plan *plan);

/* The value of an environment variable of the plan, or NULL. */
const char *start_plan_env(const struct start_plan *plan, const char *name);

/* The pure part, for tests: takes both over, which are allocated; a NULL says nothing. */
int start_plan_parse(struct start_plan *plan, char *manifest, char *bootargs);

#endif
