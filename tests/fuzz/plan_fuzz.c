/* SPDX-License-Identifier: MIT */
/*
 * Manifest and bootargs: whatever they say, every value of the plan is a string inside the text
 * that it came from. The input is the manifest, a NUL, and the bootargs.
 */
#include <stdlib.h>
#include <string.h>

#include <mm/slab.h>

#include "kernel/linux/start_plan.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must_lie_in(const char *value, const char *text, size_t size)
{
    if (text && value >= text && value < text + size &&
        memchr(value, 0, size - (size_t)(value - text)))
        return;
    abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *all = malloc(size + 1);
    size_t first, second;
    struct start_plan *plan = kzalloc(sizeof(*plan));

    memcpy(all, data, size);
    all[size] = 0;
    first = strlen(all) + 1;
    second = first <= size ? strlen(all + first) + 1 : 0;
    start_plan_parse(plan, first > 1 ? kstrdup(all) : NULL, second ? kstrdup(all + first) : NULL);
    for (unsigned i = 0; i < plan->count; i++) {
        const char *value = plan->entry[i].value;

        if (second && value >= plan->bootargs && value < plan->bootargs + second)
            must_lie_in(value, plan->bootargs, second);
        else
            must_lie_in(value, plan->manifest, first);
    }
    for (enum plan_key key = 0; key < PLAN_KEYS; key++)
        (void)start_plan_value(plan, key);
    (void)start_plan_file(plan);
    (void)start_plan_env(plan, "PATH");
    start_plan_free(plan);
    free(all);
    return 0;
}
