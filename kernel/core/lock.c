/* SPDX-License-Identifier: MIT */
/*
 * Locks. A spinlock is one word taken by exchange and waited for with loads: with more virtual CPUs
 * than cores a fair queue would wait for vCPUs that do not run. A mutex is its owner's address,
 * taken by one exchange; an rwlock counts readers. Sleepers wait on the lock's queue.
 */
#include <arch/barrier.h>
#include <arch/irqflags.h>
#include <core/lock.h>
#include <core/panic.h>
#include <core/percpu.h>
#include <core/thread.h>
#include <core/wait.h>

/* --- spinlocks; the fast paths are in lock.h --- */

#ifdef CONFIG_DEBUG_CHECKS
void spin_check_taken(const struct spinlock *lock)
{
    struct cpu *cpu = this_cpu();

    for (uint32_t i = 0; i < cpu->held_count; i++) {
        if (cpu->held[i] == lock)
            panic("spinlock of rank %d taken twice on CPU %u", lock->rank, cpu->id);
        if (cpu->held[i]->rank > lock->rank && lock->rank != RANK_UNRANKED)
            panic("spinlock of rank %d taken while one of rank %d is held", lock->rank,
                  cpu->held[i]->rank);
    }
    spin_check_tried(lock);
}

void spin_check_tried(const struct spinlock *lock)
{
    struct cpu *cpu = this_cpu();

    ASSERT(cpu->held_count < ARRAY_SIZE(cpu->held));
    cpu->held[cpu->held_count++] = lock;
}

void spin_check_released(const struct spinlock *lock)
{
    struct cpu *cpu = this_cpu();

    for (uint32_t i = cpu->held_count; i-- > 0;) {
        if (cpu->held[i] != lock)
            continue;
        cpu->held[i] = cpu->held[--cpu->held_count];
        return;
    }
    panic("spinlock released that CPU %u does not hold", cpu->id);
}

bool spin_held(const struct spinlock *lock)
{
    struct cpu *cpu = this_cpu();

    for (uint32_t i = 0; i < cpu->held_count; i++) {
        if (cpu->held[i] == lock)
            return true;
    }
    return false;
}

/* A sleeping lock is about to be waited for. Readers of one lock nest, so equal ranks pass. */
static void sleeping_wanted(const void *lock, enum lock_rank rank)
{
    struct thread *thread = current();

    if (this_cpu()->held_count != 0 || thread->preempt_count != 0)
        panic("thread '%s' would sleep with a spinlock held or preemption off", thread->name);
    for (unsigned i = 0; i < thread->sleeping_count; i++) {
        if (thread->sleeping[i].rank > rank)
            panic("sleeping lock of rank %d wanted while one of rank %d is held", rank,
                  thread->sleeping[i].rank);
        if (thread->sleeping[i].lock == lock)
            panic("sleeping lock of rank %d wanted twice by thread '%s'", rank, thread->name);
    }
}

static void sleeping_taken(const void *lock, enum lock_rank rank)
{
    struct thread *thread = current();

    ASSERT(thread->sleeping_count < ARRAY_SIZE(thread->sleeping));
    thread->sleeping[thread->sleeping_count].lock = lock;
    thread->sleeping[thread->sleeping_count++].rank = rank;
}

/* A lock may be released by another thread than the one that took it: then there is no entry. */
static void sleeping_released(const void *lock)
{
    struct thread *thread = current();

    for (unsigned i = thread->sleeping_count; i-- > 0;) {
        if (thread->sleeping[i].lock == lock) {
            thread->sleeping[i] = thread->sleeping[--thread->sleeping_count];
            return;
        }
    }
}

void lock_check_user_access(void)
{
    struct thread *thread = current();

    if (thread->user_faults_disabled != 0)
        return;
    if (thread->preempt_count != 0)
        panic("thread '%s' touches its program's memory with preemption off", thread->name);
    for (unsigned i = 0; i < thread->sleeping_count; i++) {
        if (thread->sleeping[i].rank > RANK_FILE_TEXT)
            panic("thread '%s' touches its program's memory with a lock of rank %d held",
                  thread->name, thread->sleeping[i].rank);
    }
}
#else
static inline void sleeping_wanted(const void *lock, enum lock_rank rank)
{
    (void)lock;
    (void)rank;
}

static inline void sleeping_taken(const void *lock, enum lock_rank rank)
{
    (void)lock;
    (void)rank;
}

static inline void sleeping_released(const void *lock)
{
    (void)lock;
}
#endif

void spin_wait(struct spinlock *lock)
{
    do {
        wait_for_zero(&lock->locked);
    } while (!spin_take(lock));
}

void spin_lock_call(struct spinlock *lock)
{
    spin_lock(lock);
}

void spin_unlock_call(struct spinlock *lock)
{
    spin_unlock(lock);
}

reg_t spin_lock_irq_call(struct spinlock *lock)
{
    return spin_lock_irq(lock);
}

void spin_unlock_irq_call(struct spinlock *lock, reg_t flags)
{
    spin_unlock_irq(lock, flags);
}

/* --- mutexes --- */

#define MUTEX_WAITED 1L

void mutex_init(struct mutex *mutex, enum lock_rank rank)
{
    atomic64_set(&mutex->owner, 0);
    waitq_init(&mutex->waiters);
    mutex->rank = rank;
}

static bool mutex_take(struct mutex *mutex)
{
    return atomic64_cmpxchg(&mutex->owner, 0, (int64_t)current()) == 0;
}

bool mutex_trylock(struct mutex *mutex)
{
    bool taken = mutex_take(mutex);

    if (taken)
        sleeping_taken(mutex, mutex->rank);
    return taken;
}

/* Takes it, or marks that somebody waits and says no. */
static bool mutex_take_or_mark(struct mutex *mutex)
{
    int64_t seen = atomic64_read(&mutex->owner);

    for (;;) {
        int64_t wanted = seen == 0 ? ((int64_t)current() | MUTEX_WAITED) : (seen | MUTEX_WAITED);
        int64_t old = atomic64_cmpxchg(&mutex->owner, seen, wanted);

        if (old == seen)
            return seen == 0;
        seen = old;
    }
}

/* A short wait while the owner runs on another CPU: it is likely to finish before a switch would.
 */
static bool mutex_spin(struct mutex *mutex)
{
    for (unsigned turn = 0; turn < 200; turn++) {
        int64_t seen = atomic64_read(&mutex->owner);

        if (seen == 0 && mutex_take(mutex))
            return true;
        if ((seen & MUTEX_WAITED) != 0 || cpu_count() == 1)
            return false;
        cpu_relax();
    }
    return false;
}

void mutex_lock(struct mutex *mutex)
{
    sleeping_wanted(mutex, mutex->rank);
    if (!mutex_take(mutex) && !mutex_spin(mutex))
        wait_event_exclusive(&mutex->waiters, mutex_take_or_mark(mutex), WAIT_FOREVER,
                             WAIT_UNINTERRUPTIBLE);
    sleeping_taken(mutex, mutex->rank);
}

void mutex_unlock(struct mutex *mutex)
{
    sleeping_released(mutex);
    if (atomic64_cmpxchg(&mutex->owner, (int64_t)current(), 0) == (int64_t)current())
        return;
    atomic64_xchg(&mutex->owner, 0);
    waitq_wake(&mutex->waiters, 1, 0);
}

/* --- readers and writers --- */

#define RWLOCK_READER  1
#define RWLOCK_WRITER  0x20000000
#define RWLOCK_WAITING 0x40000000 /* somebody sleeps; a waiting writer holds readers back */
#define RWLOCK_HOLDERS (RWLOCK_WAITING - 1)

void rwlock_init(struct rwlock *lock, enum lock_rank rank)
{
    atomic_set(&lock->state, 0);
    waitq_init(&lock->waiters);
    lock->rank = rank;
}

static bool rwlock_try(struct rwlock *lock, int amount, int blockers)
{
    int seen = atomic_read(&lock->state);

    while ((seen & blockers) == 0) {
        int old = atomic_cmpxchg(&lock->state, seen, seen + amount);

        if (old == seen)
            return true;
        seen = old;
    }
    return false;
}

/* As rwlock_try(), but leaves the WAITING mark if it fails. `blockers` are holders only. */
static bool rwlock_take_or_mark(struct rwlock *lock, int amount, int blockers)
{
    int seen = atomic_read(&lock->state);

    for (;;) {
        bool free = (seen & blockers) == 0;
        int wanted = free ? seen + amount : (seen | RWLOCK_WAITING);
        int old = atomic_cmpxchg(&lock->state, seen, wanted);

        if (old == seen)
            return free;
        seen = old;
    }
}

/* The last holder to leave clears the mark and wakes all: they compete anew. */
static void rwlock_leave(struct rwlock *lock, int amount)
{
    sleeping_released(lock);
    int left = atomic_add_return(-amount, &lock->state);

    if (left == RWLOCK_WAITING) {
        atomic_fetch_and(~RWLOCK_WAITING, &lock->state);
        waitq_wake_all(&lock->waiters);
    }
}

void rwlock_read_lock(struct rwlock *lock)
{
    sleeping_wanted(lock, lock->rank);
    if (!rwlock_try(lock, RWLOCK_READER, RWLOCK_WRITER | RWLOCK_WAITING))
        wait_event(&lock->waiters,
                   rwlock_take_or_mark(lock, RWLOCK_READER, RWLOCK_WRITER | RWLOCK_WAITING),
                   WAIT_FOREVER, WAIT_UNINTERRUPTIBLE);
    sleeping_taken(lock, lock->rank);
}

void rwlock_read_unlock(struct rwlock *lock)
{
    rwlock_leave(lock, RWLOCK_READER);
}

void rwlock_write_lock(struct rwlock *lock)
{
    sleeping_wanted(lock, lock->rank);
    if (!rwlock_try(lock, RWLOCK_WRITER, RWLOCK_HOLDERS | RWLOCK_WAITING))
        wait_event(&lock->waiters, rwlock_take_or_mark(lock, RWLOCK_WRITER, RWLOCK_HOLDERS),
                   WAIT_FOREVER, WAIT_UNINTERRUPTIBLE);
    sleeping_taken(lock, lock->rank);
}

void rwlock_write_unlock(struct rwlock *lock)
{
    rwlock_leave(lock, RWLOCK_WRITER);
}
