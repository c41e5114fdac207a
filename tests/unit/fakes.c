/* SPDX-License-Identifier: MIT */
/*
 * What kernel code under test calls and the host has otherwise: locks that check that they are held
 * and given back, memory from malloc so that ASan watches it, the log on standard error, a panic
 * that ends the test.
 */
#include <unit.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <arch/irqflags.h>
#include <arch/thread.h>
#include <core/lock.h>
#include <core/log.h>
#include <core/panic.h>
#include <core/percpu.h>
#include <lib/printf.h>
#include <mm/slab.h>

_Thread_local bool unit_irqs_masked;
struct thread *unit_current;
struct cpu unit_cpu;
struct cpumask cpu_online_mask = {{1}};

bool symbol_name(vaddr_t address, char name[SYMBOL_SIZE], size_t *offset)
{
    *offset = 4;
    strcpy(name, "known");
    return address == 0x1234;
}

char unit_log[512];

void log_message(enum log_level level, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    vsnprintf(unit_log, sizeof unit_log, format, args);
    va_end(args);
    if (level > LOG_WARN || getenv("UNIT_LOG") == NULL)
        return;
    va_start(args, format);
    vfprintf(stderr, format, args);
    va_end(args);
    fputc('\n', stderr);
}

_Noreturn void panic(const char *format, ...)
{
    va_list args;

    va_start(args, format);
    vfprintf(stderr, format, args);
    va_end(args);
    fputc('\n', stderr);
    mock_assert(0, "panic", __FILE__, __LINE__);
    abort();
}

void spin_init(struct spinlock *lock, enum lock_rank rank)
{
    lock->locked = 0;
    lock->rank = rank;
}

void spin_lock(struct spinlock *lock)
{
    ASSERT(lock->locked == 0);
    lock->locked = 1;
}

bool spin_trylock(struct spinlock *lock)
{
    if (lock->locked != 0)
        return false;
    lock->locked = 1;
    return true;
}

void spin_unlock(struct spinlock *lock)
{
    ASSERT(lock->locked == 1);
    lock->locked = 0;
}

reg_t spin_lock_irq(struct spinlock *lock)
{
    reg_t flags = irq_save();
    spin_lock(lock);
    return flags;
}

void spin_unlock_irq(struct spinlock *lock, reg_t flags)
{
    spin_unlock(lock);
    irq_restore(flags);
}

bool spin_held(const struct spinlock *lock)
{
    return lock->locked != 0;
}

void mutex_init(struct mutex *mutex, enum lock_rank rank)
{
    atomic64_set(&mutex->owner, 0);
    mutex->rank = rank;
}

void mutex_lock(struct mutex *mutex)
{
    ASSERT(atomic64_read(&mutex->owner) == 0);
    atomic64_set(&mutex->owner, 1);
}

bool mutex_trylock(struct mutex *mutex)
{
    return atomic64_cmpxchg(&mutex->owner, 0, 1) == 0;
}

void mutex_unlock(struct mutex *mutex)
{
    ASSERT(atomic64_read(&mutex->owner) == 1);
    atomic64_set(&mutex->owner, 0);
}

/* Readers count up from 0, the writer is -1. */
void rwlock_init(struct rwlock *lock, enum lock_rank rank)
{
    atomic_set(&lock->state, 0);
    lock->rank = rank;
}

void rwlock_read_lock(struct rwlock *lock)
{
    ASSERT(atomic_read(&lock->state) >= 0);
    atomic_inc(&lock->state);
}

void rwlock_read_unlock(struct rwlock *lock)
{
    ASSERT(atomic_read(&lock->state) > 0);
    atomic_dec(&lock->state);
}

void rwlock_write_lock(struct rwlock *lock)
{
    ASSERT(atomic_read(&lock->state) == 0);
    atomic_set(&lock->state, -1);
}

void rwlock_write_unlock(struct rwlock *lock)
{
    ASSERT(atomic_read(&lock->state) == -1);
    atomic_set(&lock->state, 0);
}

void *kmalloc(size_t size)
{
    return malloc(size);
}

void *kzalloc(size_t size)
{
    return calloc(1, size);
}

void *kmalloc_array(size_t count, size_t size)
{
    return size != 0 && count > SIZE_MAX / size ? NULL : malloc(count * size);
}

void *kzalloc_array(size_t count, size_t size)
{
    return calloc(count, size);
}

void *krealloc(void *old, size_t size)
{
    return realloc(old, size);
}

void kfree(void *block)
{
    free(block);
}

char *kstrdup(const char *string)
{
    return strdup(string);
}

void *kmemdup(const void *data, size_t size)
{
    void *copy = malloc(size);
    return copy == NULL ? NULL : memcpy(copy, data, size);
}

void *slab_alloc(struct slab_cache *cache)
{
    return malloc(cache->size);
}

void *slab_zalloc(struct slab_cache *cache)
{
    return calloc(1, cache->size);
}

void slab_free(struct slab_cache *cache, void *object)
{
    (void)cache;
    free(object);
}
