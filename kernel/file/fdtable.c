/* SPDX-License-Identifier: MIT */
/* Descriptor tables; see file/fdtable.h for who may do what without the lock. */
#include <arch/barrier.h>
#include <core/panic.h>
#include <file/fdtable.h>
#include <lib/bitmap.h>
#include <lib/compiler.h>
#include <lib/errno.h>
#include <lib/minmax.h>
#include <lib/string.h>
#include <mm/slab.h>

#define FIRST_SLOTS 64u
#define SLOTS_MAX   (1u << 20) /* Linux's sysctl fs.nr_open */

SLAB_CACHE(table_cache, struct fd_table);

/*
 * A table with one user is changed by its one thread only; others at most look (fd_get_file(),
 * fd_next()), for which the stores are ordered. Then the lock is not needed.
 */
static inline bool table_lock(struct fd_table *table)
{
    if (fd_table_is_private(table))
        return false;
    spin_lock(&table->lock);
    return true;
}

static inline void table_unlock(struct fd_table *table, bool is_locked)
{
    if (is_locked)
        spin_unlock(&table->lock);
}

/* Slots and both bitmaps in one allocation, all empty. */
static struct fd_slots *slots_alloc(unsigned size)
{
    size_t bytes = sizeof(struct fd_slots) + size * sizeof(struct file *) + 2 * (size / 8);
    struct fd_slots *slots = kzalloc(bytes);

    if (slots == NULL)
        return NULL;
    slots->size = size;
    slots->open = (unsigned long *)&slots->slot[size];
    slots->cloexec = slots->open + size / BITS_PER_LONG;
    return slots;
}

static void slots_free(struct deferred *deferred)
{
    kfree(container_of(deferred, struct fd_slots, free));
}

static void slots_copy(struct fd_slots *to, const struct fd_slots *from)
{
    memcpy(to->slot, from->slot, from->size * sizeof(struct file *));
    memcpy(to->open, from->open, from->size / 8);
    memcpy(to->cloexec, from->cloexec, from->size / 8);
}

static struct fd_table *table_alloc(unsigned size)
{
    struct fd_table *table = slab_alloc(&table_cache);

    if (table == NULL)
        return NULL;
    table->slots = slots_alloc(size);
    if (table->slots == NULL) {
        slab_free(&table_cache, table);
        return NULL;
    }
    atomic_set(&table->users, 1);
    spin_init(&table->lock, RANK_FDTABLE);
    table->next = 0;
    return table;
}

struct fd_table *fd_table_create(void)
{
    return table_alloc(FIRST_SLOTS);
}

/* Every slot of `from` that has a file, with a reference; reserved ones stay empty. */
static void copy_open_locked(struct fd_table *to, const struct fd_table *from)
{
    unsigned number;

    bitmap_for_each_set (number, from->slots->open, from->slots->size) {
        struct file *file = from->slots->slot[number];

        if (file == NULL)
            continue;
        file_ref(file);
        to->slots->slot[number] = file;
        bitmap_set(to->slots->open, number);
        if (bitmap_test(from->slots->cloexec, number))
            bitmap_set(to->slots->cloexec, number);
    }
}

__cold struct fd_table *fd_table_copy(struct fd_table *from)
{
    for (;;) {
        unsigned size = READ_ONCE(from->slots)->size;
        struct fd_table *to = table_alloc(size);
        bool fits;

        if (to == NULL)
            return NULL;
        spin_lock(&from->lock);
        fits = from->slots->size <= size;
        if (fits)
            copy_open_locked(to, from);
        spin_unlock(&from->lock);
        if (fits)
            return to;
        fd_table_unref(to); /* it grew meanwhile */
    }
}

static int file_close(struct file *file, const void *owner)
{
    int error = file->ops->flush != NULL ? file->ops->flush(file, owner) : 0;

    file_unref(file);
    return error;
}

void fd_table_unref(struct fd_table *table)
{
    struct fd_slots *slots;
    unsigned number;

    if (!atomic_dec_and_test(&table->users))
        return;
    slots = table->slots;
    bitmap_for_each_set (number, slots->open, slots->size) {
        struct file *file = slots->slot[number];

        if (file != NULL)
            file_close(file, table);
    }
    kfree(slots);
    slab_free(&table_cache, table);
}

/*
 * A file's memory may be that of another file by the time its count was raised (file_create()
 * reuses it), so the slot is looked at again.
 */
struct file *fd_get_file(struct fd_table *table, unsigned number)
{
    for (;;) {
        struct fd_slots *slots;
        struct file *file, *now;
        bool has_ref;

        defer_read_begin();
        slots = READ_ONCE(table->slots);
        file = number < slots->size ? READ_ONCE(slots->slot[number]) : NULL;
        has_ref = file != NULL && file_try_ref(file);
        slots = READ_ONCE(table->slots);
        now = file != NULL ? READ_ONCE(slots->slot[number]) : NULL;
        defer_read_end();
        if (file == NULL || (has_ref && now == file))
            return file;
        if (has_ref)
            file_unref(file);
    }
}

struct fd fd_get_shared(struct fd_table *table, unsigned number)
{
    struct file *file = fd_get_file(table, number);

    return (struct fd){file, file != NULL};
}

/* Make room for `number`; the lock is dropped and taken again. 0 or -ENOMEM. */
static __cold int grow_locked(struct fd_table *table, unsigned number, bool *is_locked)
{
    struct fd_slots *old = table->slots;
    unsigned size = old->size;
    struct fd_slots *slots;

    while (size <= number)
        size *= 2;
    table_unlock(table, *is_locked);
    slots = slots_alloc(size);
    *is_locked = table_lock(table);
    if (slots == NULL)
        return -ENOMEM;
    old = table->slots;
    if (old->size >= size) {
        kfree(slots);
        return 0;
    }
    slots_copy(slots, old);
    smp_store_release(&table->slots, slots); /* pairs with the dependent loads of fd_get_file() */
    defer_free(&old->free, slots_free);
    return 0;
}

/* Mark `number` used; it is within the slots. */
static void take_locked(struct fd_table *table, unsigned number, bool cloexec)
{
    struct fd_slots *slots = table->slots;

    bitmap_set(slots->open, number);
    if (cloexec)
        bitmap_set(slots->cloexec, number);
    else
        bitmap_clear(slots->cloexec, number);
}

static void give_locked(struct fd_table *table, unsigned number)
{
    bitmap_clear(table->slots->open, number);
    table->next = min(table->next, number);
}

static int reserve_locked(struct fd_table *table, unsigned min_number, unsigned limit, bool cloexec,
                          bool *is_locked)
{
    unsigned first, number;

    limit = min(limit, SLOTS_MAX);
    for (;;) {
        first = max(min_number, table->next);
        number = (unsigned)bitmap_find_clear(table->slots->open, table->slots->size,
                                             min(first, table->slots->size));
        number = max(number, first);
        if (number >= limit)
            return -EMFILE;
        if (number < table->slots->size)
            break;
        if (grow_locked(table, number, is_locked) != 0)
            return -ENOMEM;
    }
    take_locked(table, number, cloexec);
    if (min_number <= table->next)
        table->next = number + 1;
    return (int)number;
}

int fd_reserve(struct fd_table *table, unsigned min_number, unsigned limit, bool cloexec)
{
    int number;

    if (min_number >= limit)
        return min_number == 0 ? -EMFILE : -EINVAL;
    bool is_locked = table_lock(table);
    number = reserve_locked(table, min_number, limit, cloexec, &is_locked);
    table_unlock(table, is_locked);
    return number;
}

void fd_install(struct fd_table *table, unsigned number, struct file *file)
{
    bool is_locked = table_lock(table);
    ASSERT(table->slots->slot[number] == NULL);
    smp_store_release(&table->slots->slot[number], file);
    table_unlock(table, is_locked);
}

void fd_cancel(struct fd_table *table, unsigned number)
{
    bool is_locked = table_lock(table);
    give_locked(table, number);
    table_unlock(table, is_locked);
}

int fd_add(struct fd_table *table, struct file *file, unsigned limit, bool cloexec)
{
    int number;

    bool is_locked = table_lock(table);
    number = reserve_locked(table, 0, limit, cloexec, &is_locked);
    if (number >= 0)
        smp_store_release(&table->slots->slot[number], file);
    table_unlock(table, is_locked);
    return number;
}

void fd_append(struct fd_table *table, unsigned number, struct file *file)
{
    take_locked(table, number, false);
    table->slots->slot[number] = file;
    table->next = number + 1;
}

static struct file *remove_locked(struct fd_table *table, unsigned number)
{
    struct file *file = number < table->slots->size ? table->slots->slot[number] : NULL;

    if (file != NULL) {
        WRITE_ONCE(table->slots->slot[number], NULL);
        give_locked(table, number);
    }
    return file;
}

int fd_close(struct fd_table *table, unsigned number)
{
    struct file *file;

    bool is_locked = table_lock(table);
    file = remove_locked(table, number);
    table_unlock(table, is_locked);
    return file != NULL ? file_close(file, table) : -EBADF;
}

__cold int fd_close_range(struct fd_table *table, unsigned first, unsigned last, bool set_cloexec)
{
    unsigned number = first;

    bool is_locked = table_lock(table);
    for (;; number++) {
        number = (unsigned)bitmap_find_set(table->slots->open, table->slots->size,
                                           min(number, table->slots->size));
        if (number >= table->slots->size || number > last)
            break;
        if (set_cloexec) {
            bitmap_set(table->slots->cloexec, number);
        } else {
            struct file *file = remove_locked(table, number);

            table_unlock(table, is_locked);
            if (file != NULL)
                file_close(file, table);
            is_locked = table_lock(table);
        }
    }
    table_unlock(table, is_locked);
    return 0;
}

__cold int fd_replace(struct fd_table *table, unsigned to, struct file *file, unsigned limit,
                      bool cloexec)
{
    struct file *old;

    if (to >= limit || to >= SLOTS_MAX)
        return -EBADF;
    bool is_locked = table_lock(table);
    if (to >= table->slots->size && grow_locked(table, to, &is_locked) != 0) {
        table_unlock(table, is_locked);
        return -EMFILE; /* as Linux answers an array that cannot grow */
    }
    old = table->slots->slot[to];
    if (old == NULL && bitmap_test(table->slots->open, to)) {
        table_unlock(table, is_locked);
        return -EBUSY; /* reserved by an open in another thread */
    }
    file_ref(file);
    take_locked(table, to, cloexec);
    smp_store_release(&table->slots->slot[to], file);
    table_unlock(table, is_locked);
    if (old != NULL)
        file_close(old, table);
    return (int)to;
}

void fd_close_on_exec(struct fd_table *table)
{
    struct fd_slots *slots = table->slots;
    unsigned number;

    bitmap_for_each_set (number, slots->cloexec, slots->size) {
        if (bitmap_test(slots->open, number))
            fd_close(table, number);
    }
}

int fd_get_cloexec(struct fd_table *table, unsigned number)
{
    int result = -EBADF;

    spin_lock(&table->lock);
    if (number < table->slots->size && table->slots->slot[number] != NULL)
        result = bitmap_test(table->slots->cloexec, number);
    spin_unlock(&table->lock);
    return result;
}

int fd_set_cloexec(struct fd_table *table, unsigned number, bool on)
{
    int result = -EBADF;

    bool is_locked = table_lock(table);
    if (number < table->slots->size && table->slots->slot[number] != NULL) {
        take_locked(table, number, on);
        result = 0;
    }
    table_unlock(table, is_locked);
    return result;
}

int fd_next(struct fd_table *table, unsigned from)
{
    int result = -1;

    spin_lock(&table->lock);
    for (; from < table->slots->size; from++) {
        from = (unsigned)bitmap_find_set(table->slots->open, table->slots->size, from);
        if (from < table->slots->size && table->slots->slot[from] != NULL) {
            result = (int)from;
            break;
        }
    }
    spin_unlock(&table->lock);
    return result;
}
