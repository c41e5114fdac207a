/* SPDX-License-Identifier: MIT */
/* See support.h. One thread, so that a sleep either runs the test's hook or is interrupted. */
#include "support.h"

#include <stdlib.h>
#include <string.h>

#include <arch/uaccess.h>
#include <core/clock.h>
#include <core/defer.h>
#include <core/panic.h>
#include <core/timer.h>
#include <core/wait.h>
#include <file/async.h>
#include <file/file.h>
#include <lib/list.h>
#include <mm/page.h>

#define FRAMES 2048u

uintptr_t user_edge = UINTPTR_MAX, user_end = UINTPTR_MAX;
void (*while_asleep)(void), (*while_copying)(void);
int last_signal;
unsigned pages_in_use, wakes;

/* ---- user memory ---- */

static size_t reachable(vaddr_t at, size_t n)
{
    if (at >= user_end || at + n <= user_edge)
        return n;
    return at >= user_edge ? 0 : user_edge - at;
}

size_t copy_from_user_partial(void *to, vaddr_t from, size_t n)
{
    size_t can = reachable(from, n);

    memcpy(to, (const void *)from, can);
    return n - can;
}

size_t copy_to_user_partial(vaddr_t to, const void *from, size_t n)
{
    size_t can = reachable(to, n);

    if (while_copying != NULL)
        while_copying();
    memcpy((void *)to, from, can);
    return n - can;
}

size_t clear_user_partial(vaddr_t to, size_t n)
{
    size_t can = reachable(to, n);

    memset((void *)to, 0, can);
    return n - can;
}

int put_user32(vaddr_t to, uint32_t value)
{
    return copy_to_user_partial(to, &value, sizeof(value)) == 0 ? 0 : -EFAULT;
}

/* ---- frames ---- */

static char ram[FRAMES * 4096] __attribute__((aligned(4096)));
static char ram_pages[FRAMES * sizeof(struct page)] __attribute__((aligned(64)));
char *unit_ram = ram, *unit_ram_pages = ram_pages;
static bool is_used[FRAMES];

struct page *page_alloc(unsigned order, unsigned flags)
{
    assert_int_equal(order, 0);
    for (unsigned i = 0; i < FRAMES; i++) {
        if (is_used[i])
            continue;
        is_used[i] = true;
        pages_in_use++;
        memset(ram + i * 4096, flags & PAGE_ZERO ? 0 : 0xa5, 4096);
        return (struct page *)ram_pages + i;
    }
    return NULL;
}

void page_free(struct page *page, unsigned order)
{
    size_t i = (size_t)(page - (struct page *)ram_pages);

    assert_int_equal(order, 0);
    assert_true(is_used[i]);
    is_used[i] = false;
    pages_in_use--;
    memset(ram + i * 4096, 0x5a, 4096);
}

/* ---- waiting ---- */

bool waiter_wake_thread(struct waiter *waiter, unsigned events)
{
    (void)events;
    waiter->woken = true;
    wakes++;
    return true;
}

void waiter_init(struct waiter *waiter)
{
    *waiter = (struct waiter){.notify = waiter_wake_thread};
}

void waitq_add(struct waitq *queue, struct waiter *waiter)
{
    waiter->queue = queue;
    if (waiter->exclusive)
        list_add_tail(&queue->waiters, &waiter->node);
    else
        list_add(&queue->waiters, &waiter->node);
}

void waitq_remove(struct waiter *waiter)
{
    if (waiter->queue == NULL)
        return;
    list_del(&waiter->node);
    waiter->queue = NULL;
}

unsigned waitq_wake(struct waitq *queue, unsigned max, unsigned events)
{
    struct waiter *waiter, *next;
    unsigned count = 0;

    list_for_each_entry_safe (waiter, next, &queue->waiters, node) {
        bool exclusive = waiter->exclusive;

        if (exclusive && count >= max)
            break;
        if (waiter->notify(waiter, events) && exclusive)
            count++;
    }
    return count;
}

void thread_prepare_sleep(enum wait_how how)
{
    (void)how;
}

int thread_sleep(uint64_t deadline_ns)
{
    if (while_asleep == NULL)
        return deadline_ns == WAIT_FOREVER ? -ERESTARTSYS : -ETIMEDOUT;
    while_asleep();
    return 0;
}

void thread_cancel_sleep(void)
{
}

void thread_wake(struct thread *thread)
{
    (void)thread;
    wakes++;
}

/* ---- the rest ---- */

void defer_read_begin(void)
{
}

void defer_read_end(void)
{
}

void defer_free(struct deferred *deferred, void (*run)(struct deferred *deferred))
{
    run(deferred);
}

uint64_t file_size_limit(void)
{
    return 1000;
}

void file_signal(int signal)
{
    last_signal = signal;
}

void file_drop_path(struct file *file)
{
    file->inode = NULL;
}

/* ---- signals of files and watches on them: file/async.c and fs/notify.c are not here ---- */

uint32_t file_watches;

void file_tell(struct file *file, unsigned event)
{
    (void)file;
    (void)event;
}

void file_async_release(struct file *file)
{
    (void)file;
}

int file_async_set(struct file *file, int number, bool on)
{
    (void)file;
    (void)number;
    (void)on;
    return 0;
}
