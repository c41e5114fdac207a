/* SPDX-License-Identifier: MIT */
/*
 * Backtraces of the kernel. Frame records are only followed within kernel stacks, upwards, so that
 * a damaged chain ends the walk and not the machine.
 */
#include <arch/backtrace.h>
#include <arch/memory_map.h>
#include <arch/offsets.h>
#include <arch/pointer_auth.h>
#include <arch/trap.h>
#include <core/log.h>
#include <core/panic.h>
#include <lib/align.h>
#include <lib/printf.h>

#define DEPTH_MAX 32

/* Stacks lie in the kernel window or in the image, in the lower half of twice their size. */
static bool record_readable(vaddr_t fp)
{
    bool mapped = (fp >= KWINDOW_BASE && fp < KWINDOW_BASE + KWINDOW_SIZE) ||
                  (fp >= IMAGE_BASE && fp < IMAGE_BASE + IMAGE_SLIDE_MAX);

    return mapped && (fp & 15) == 0 && (fp & STACK_SIZE) == 0;
}

size_t backtrace_collect(vaddr_t fp, vaddr_t *address, size_t count)
{
    size_t found = 0;

    while (found < count && record_readable(fp)) {
        const vaddr_t *record = (const vaddr_t *)fp;

        if (record[1] == 0)
            break;
        address[found++] = pac_strip(record[1]);
        if (record[0] <= fp || align_down(record[0], STACK_SIZE) != align_down(fp, STACK_SIZE))
            break;
        fp = record[0];
    }
    return found;
}

static void print_place(vaddr_t address)
{
    size_t offset;
    char name[SYMBOL_SIZE];

    if (symbol_name(address, name, &offset))
        log_error("  %016lx %s+%#zx", address, name, offset);
    else
        log_error("  %016lx ?", address);
}

static void print_chain(vaddr_t fp)
{
    vaddr_t address[DEPTH_MAX];
    size_t count = backtrace_collect(fp, address, DEPTH_MAX);

    for (size_t i = 0; i < count; i++)
        print_place(address[i] - 4);
}

void backtrace_frame(const struct trapframe *frame)
{
    log_error("backtrace:");
    print_place(frame->pc);
    print_chain(frame->x[29]);
}

void backtrace_print(void)
{
    log_error("backtrace:");
    print_chain((vaddr_t)__builtin_frame_address(0));
}
