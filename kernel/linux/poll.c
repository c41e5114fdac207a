/* SPDX-License-Identifier: MIT */
/* ppoll and pselect6 (select_tut(2), poll(2)); file/poll.c has the waiting. */
#include <file/poll.h>
#include <lib/compiler.h>
#include <lib/minmax.h>
#include <lib/string.h>
#include <linux/signal.h>
#include <linux/syscalls.h>
#include <mm/slab.h>

#include "deadline.h"
#include "files.h"

struct abi64_pollfd {
    int32_t fd;
    int16_t events, revents;
};
_Static_assert(sizeof(struct abi64_pollfd) == 8, "struct pollfd");

/* Entries of one call, with the files they hold. */
struct poll_call {
    struct poll_entry *entries;
    struct fd *files;
    unsigned count;
    struct poll_entry inline_entries[8];
    struct fd inline_files[8];
};

static int call_init(struct poll_call *call, unsigned count)
{
    call->count = count;
    call->entries = call->inline_entries;
    call->files = call->inline_files;
    if (count <= ARRAY_SIZE(call->inline_entries))
        return 0;
    call->entries = kmalloc_array(count, sizeof(*call->entries) + sizeof(*call->files));
    call->files = (struct fd *)(call->entries + count);
    return call->entries != NULL ? 0 : -ENOMEM;
}

/* Entry i watches descriptor fd; none if it is negative. False: there is no such descriptor. */
static bool call_set(struct poll_call *call, unsigned i, int fd, unsigned events)
{
    struct fd found = {NULL, false};

    if (fd >= 0)
        found = fd_get(current_files(), (unsigned)fd);
    if (found.file != NULL && (found.file->access & FILE_PATH)) {
        fd_put(found);
        found = (struct fd){NULL, false};
    }
    call->files[i] = found;
    call->entries[i] = (struct poll_entry){.file = found.file,
                                           .events = events,
                                           .revents = fd >= 0 && found.file == NULL ? POLLNVAL : 0};
    return fd < 0 || found.file != NULL;
}

static void call_free(struct poll_call *call, unsigned used)
{
    for (unsigned i = 0; i < used; i++)
        fd_put(call->files[i]);
    if (call->entries != call->inline_entries)
        kfree(call->entries);
}

/* ---- ppoll ---- */

static long write_revents(const struct poll_call *call, vaddr_t user)
{
    for (unsigned i = 0; i < call->count; i++) {
        int16_t revents = (int16_t)call->entries[i].revents;
        vaddr_t at =
            user + i * sizeof(struct abi64_pollfd) + offsetof(struct abi64_pollfd, revents);

        if (copy_to_user(at, &revents, sizeof(revents)) != 0)
            return -EFAULT;
    }
    return 0;
}

static long do_poll(vaddr_t user, unsigned count, uint64_t deadline_ns)
{
    struct poll_call call;
    long result, error;
    unsigned i;

    if (count > fd_limit())
        return -EINVAL;
    if (call_init(&call, count) != 0)
        return -ENOMEM;
    for (i = 0; i < count; i++) {
        struct abi64_pollfd from;

        if (copy_from_user(&from, user + i * sizeof(from), sizeof(from)) != 0) {
            call_free(&call, i);
            return -EFAULT;
        }
        (void)call_set(&call, i, from.fd, (uint16_t)from.events);
    }
    result = poll_wait(call.entries, count, deadline_ns);
    error = write_revents(&call, user);
    call_free(&call, count);
    return error != 0 ? error : result;
}

/* -EINTR becomes a restart only where no handler ran: the time-out was written back. */
static long finish(long result, vaddr_t mask, vaddr_t timeout, uint64_t deadline_ns)
{
    if (deadline_ns != 0)
        deadline_to_user(timeout, deadline_ns);
    if (result == -EINTR)
        result = -ERESTARTNOHAND;
    return mask != 0 ? signal_mask_restore(result) : result;
}

long sys_ppoll(const reg_t arg[6])
{
    uint64_t deadline_ns;
    long result = deadline_from_user(arg[2], &deadline_ns);

    if (result == 0)
        result = signal_mask_temporary(arg[3], arg[4]);
    if (result != 0)
        return result;
    result = do_poll(arg[0], (unsigned)arg[1], deadline_ns);
    return finish(result, arg[3], arg[2], deadline_ns);
}

/* ---- pselect6 ---- */

#define SELECT_READ   (POLLRDNORM | POLLRDBAND | POLLIN | POLLHUP | POLLERR)
#define SELECT_WRITE  (POLLWRBAND | POLLWRNORM | POLLOUT | POLLERR)
#define SELECT_EXCEPT POLLPRI
#define WORD_BITS     64u

enum { SET_READ, SET_WRITE, SET_EXCEPT, SETS };

static const unsigned set_events[SETS] = {SELECT_READ, SELECT_WRITE, SELECT_EXCEPT};

struct select_sets {
    uint64_t *words[SETS]; /* NULL: not given */
    unsigned word_count;
    uint64_t memory[];
};

static struct select_sets *sets_from_user(const vaddr_t user[SETS], unsigned fds, int *error)
{
    unsigned word_count = (fds + WORD_BITS - 1) / WORD_BITS;
    struct select_sets *sets = kzalloc(sizeof(*sets) + SETS * word_count * sizeof(uint64_t));

    *error = -ENOMEM;
    if (sets == NULL)
        return NULL;
    sets->word_count = word_count;
    for (unsigned s = 0; s < SETS; s++) {
        if (user[s] == 0)
            continue;
        sets->words[s] = sets->memory + s * word_count;
        if (copy_from_user(sets->words[s], user[s], word_count * sizeof(uint64_t)) != 0) {
            *error = -EFAULT;
            kfree(sets);
            return NULL;
        }
    }
    *error = 0;
    return sets;
}

static unsigned events_of(const struct select_sets *sets, unsigned fd)
{
    unsigned events = 0;

    for (unsigned s = 0; s < SETS; s++) {
        if (sets->words[s] != NULL && (sets->words[s][fd / WORD_BITS] >> (fd % WORD_BITS)) & 1)
            events |= set_events[s];
    }
    return events;
}

/* An entry for each descriptor in a set. `numbers` has room for all. -EBADF: one is not open. */
static int sets_to_entries(const struct select_sets *sets, unsigned fds, struct poll_call *call,
                           unsigned *numbers)
{
    unsigned used = 0;

    call->count = 0;
    for (unsigned fd = 0; fd < fds; fd++) {
        unsigned events = events_of(sets, fd);

        if (events == 0)
            continue;
        numbers[used] = fd;
        if (!call_set(call, used++, (int)fd, events)) {
            call->count = used;
            return -EBADF;
        }
    }
    call->count = used;
    return 0;
}

/* The sets become what is ready; returns the number of bits. */
static long entries_to_sets(struct select_sets *sets, const struct poll_call *call,
                            const unsigned *numbers)
{
    long bits = 0;

    for (unsigned s = 0; s < SETS; s++) {
        uint64_t *words = sets->words[s];

        for (unsigned i = 0; words != NULL && i < call->count; i++) {
            unsigned fd = numbers[i];
            uint64_t bit = 1ull << (fd % WORD_BITS);

            if (!(words[fd / WORD_BITS] & bit))
                continue;
            if (call->entries[i].revents & set_events[s])
                bits++;
            else
                words[fd / WORD_BITS] &= ~bit;
        }
    }
    return bits;
}

static int sets_to_user(const struct select_sets *sets, const vaddr_t user[SETS], unsigned fds)
{
    for (unsigned s = 0; s < SETS; s++) {
        if (sets->words[s] != NULL &&
            copy_to_user(user[s], sets->words[s], (fds + WORD_BITS - 1) / WORD_BITS * 8) != 0)
            return -EFAULT;
    }
    return 0;
}

/* Bits beyond the size of the table cannot be open descriptors and are not looked at. */
static long select_sets(struct select_sets *sets, unsigned fds, uint64_t deadline_ns)
{
    unsigned *numbers = kmalloc_array(fds != 0 ? fds : 1, sizeof(*numbers));
    struct poll_call call;
    long result;

    if (numbers == NULL)
        return -ENOMEM;
    result = call_init(&call, fds);
    if (result == 0) {
        result = sets_to_entries(sets, fds, &call, numbers);
        if (result == 0)
            result = poll_wait(call.entries, call.count, deadline_ns);
        if (result >= 0)
            result = entries_to_sets(sets, &call, numbers);
        call_free(&call, call.count);
    }
    kfree(numbers);
    return result;
}

static long do_select(int count, const vaddr_t user[SETS], uint64_t deadline_ns)
{
    unsigned size = READ_ONCE(current_files()->slots)->size;
    struct select_sets *sets;
    unsigned fds;
    long result;
    int error;

    if (count < 0)
        return -EINVAL;
    fds = min((unsigned)count, size);
    sets = sets_from_user(user, fds, &error);
    if (sets == NULL)
        return error;
    result = select_sets(sets, fds, deadline_ns);
    if (result >= 0 && sets_to_user(sets, user, fds) != 0)
        result = -EFAULT;
    kfree(sets);
    return result;
}

long sys_pselect6(const reg_t arg[6])
{
    const vaddr_t user[SETS] = {arg[1], arg[2], arg[3]};
    uint64_t mask[2] = {0, 0}; /* address and size of the signal set */
    uint64_t deadline_ns;
    long result = deadline_from_user(arg[4], &deadline_ns);

    if (result == 0 && arg[5] != 0)
        result = copy_from_user(mask, arg[5], sizeof(mask));
    if (result == 0)
        result = signal_mask_temporary(mask[0], mask[1]);
    if (result != 0)
        return result;
    result = do_select((int)arg[0], user, deadline_ns);
    return finish(result, mask[0], arg[4], deadline_ns);
}
