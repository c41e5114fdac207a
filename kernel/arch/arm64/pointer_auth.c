/* SPDX-License-Identifier: MIT */
/*
 * Keys lie in the thread's context: the program's, and IA for its time in the kernel. vectors.S
 * exchanges the two IA keys, switch.S loads the rest. A thread that is interrupted between the two
 * steps of a change is given the new keys when it comes back.
 */
#include <arch/alternative.h>
#include <arch/features.h>
#include <arch/irqflags.h>
#include <arch/pointer_auth.h>
#include <arch/registers.h>
#include <core/thread.h>
#include <lib/compiler.h>
#include <lib/string.h>

void pac_load(const struct context *context);

#define PAC_PROGRAM 1U /* in pac_enabled: the thread has a program, even if it uses no key */

static const reg_t enable_bit[] = {SCTLR_ENIA, SCTLR_ENIB, SCTLR_ENDA, SCTLR_ENDB};

static void load(void)
{
    reg_t flags = irq_save();

    pac_load(&current()->context);
    irq_restore(flags);
}

void pac_new_kernel_key(struct context *context)
{
    if (!cpu_has(CAP_PAUTH))
        return;
    context->kernel_key[0] = thread_secret();
    context->kernel_key[1] = thread_secret();
}

void pac_set_keys(unsigned which, const struct pac_keys *fresh)
{
    struct pac_keys *keys = &current()->context.keys;

    for (unsigned i = 0; i < PAC_KEYS; i++) {
        if (which >> i & 1)
            memcpy(keys->key[i], fresh->key[i], sizeof(keys->key[i]));
    }
    load();
}

void pac_set_enabled(unsigned which)
{
    reg_t bits = PAC_PROGRAM;

    for (unsigned i = 0; i < ARRAY_SIZE(enable_bit); i++)
        bits |= which >> i & 1 ? enable_bit[i] : 0;
    current()->context.pac_enabled = bits;
    load();
}

unsigned pac_enabled(void)
{
    unsigned which = 0;

    for (unsigned i = 0; i < ARRAY_SIZE(enable_bit); i++)
        which |= current()->context.pac_enabled & enable_bit[i] ? 1U << i : 0;
    return which;
}

void pac_inherit(struct thread *child)
{
    const struct context *parent = &current()->context;

    if (!cpu_has(CAP_PAUTH))
        return;
    child->context.keys = parent->keys;
    child->context.pac_enabled = parent->pac_enabled;
}
