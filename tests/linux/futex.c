// SPDX-License-Identifier: MIT
// futex(2): wait, wake, requeue, bitsets, timeouts, wake-op, shared ones, priority inheritance;
// robust lists.
#include "check.h"
#include <linux/futex.h>

static long futex(void *word, int op, unsigned value, const void *timeout, void *word2,
                  unsigned value3)
{
    return syscall(SYS_futex, word, op, value, timeout, word2, value3);
}

static volatile int woken;

struct wait_args {
    int *word;
    int op;
    unsigned bits;
    long result;
    int error;
};

static void *waiter(void *data)
{
    struct wait_args *args = data;
    errno = 0;
    args->result = futex(args->word, args->op, 0, NULL, NULL, args->bits);
    args->error = errno;
    __atomic_add_fetch(&woken, 1, __ATOMIC_SEQ_CST);
    return NULL;
}

static void start_waiters(pthread_t *threads, struct wait_args *args, int n)
{
    woken = 0;
    for (int i = 0; i < n; i++)
        pthread_create(&threads[i], NULL, waiter, &args[i]);
    usleep(60000); // so that all of them sleep
}

CHECK(futex_wait_value_differs)
{
    int word = 5;
    EXPECT_ERR(futex(&word, FUTEX_WAIT, 6, NULL, NULL, 0), EAGAIN);
    EXPECT_ERR(futex(&word, FUTEX_WAIT_PRIVATE, 6, NULL, NULL, 0), EAGAIN);
}

CHECK(futex_wake_nobody)
{
    int word = 0;
    EXPECT_EQ(futex(&word, FUTEX_WAKE_PRIVATE, 10, NULL, NULL, 0), 0);
}

CHECK(futex_wait_times_out)
{
    int word = 0;
    struct timespec timeout = {0, 30000000}, start, end;
    clock_gettime(CLOCK_MONOTONIC, &start);
    EXPECT_ERR(futex(&word, FUTEX_WAIT_PRIVATE, 0, &timeout, NULL, 0), ETIMEDOUT);
    clock_gettime(CLOCK_MONOTONIC, &end);
    long ns = (end.tv_sec - start.tv_sec) * 1000000000 + end.tv_nsec - start.tv_nsec;
    EXPECT(ns >= 30000000);
}

CHECK(futex_wait_bad_arguments)
{
    int words[2] = {0};
    struct timespec bad = {0, 1000000000}, negative = {-1, 0};
    EXPECT_ERR(futex((char *)words + 1, FUTEX_WAIT_PRIVATE, 0, NULL, NULL, 0), EINVAL);
    EXPECT_ERR(futex(BAD_POINTER, FUTEX_WAIT_PRIVATE, 0, NULL, NULL, 0), EFAULT);
    EXPECT_ERR(futex(words, FUTEX_WAIT_PRIVATE, 0, &bad, NULL, 0), EINVAL);
    EXPECT_ERR(futex(words, FUTEX_WAIT_PRIVATE, 0, &negative, NULL, 0), EINVAL);
    EXPECT_ERR(futex(words, FUTEX_WAIT_PRIVATE, 0, BAD_POINTER, NULL, 0), EFAULT);
    EXPECT_ERR(futex(words, FUTEX_WAIT_BITSET_PRIVATE, 0, NULL, NULL, 0), EINVAL);
    EXPECT_ERR(futex(words, FUTEX_WAKE_BITSET_PRIVATE, 1, NULL, NULL, 0), EINVAL);
    EXPECT_ERR(futex(words, 77, 0, NULL, NULL, 0), ENOSYS);
}

CHECK(futex_wake_one_of_three)
{
    static int word;
    struct wait_args args[3];
    pthread_t threads[3];
    for (int i = 0; i < 3; i++)
        args[i] = (struct wait_args){&word, FUTEX_WAIT_PRIVATE, 0, 0, 0};
    start_waiters(threads, args, 3);
    EXPECT_EQ(futex(&word, FUTEX_WAKE_PRIVATE, 1, NULL, NULL, 0), 1);
    usleep(30000);
    EXPECT_EQ(woken, 1);
    EXPECT_EQ(futex(&word, FUTEX_WAKE_PRIVATE, INT_MAX, NULL, NULL, 0), 2);
    for (int i = 0; i < 3; i++) {
        pthread_join(threads[i], NULL);
        EXPECT_EQ(args[i].result, 0);
    }
}

CHECK(futex_bitset_selects)
{
    static int word;
    struct wait_args args[2] = {{&word, FUTEX_WAIT_BITSET_PRIVATE, 1, 0, 0},
                                {&word, FUTEX_WAIT_BITSET_PRIVATE, 2, 0, 0}};
    pthread_t threads[2];
    start_waiters(threads, args, 2);
    EXPECT_EQ(futex(&word, FUTEX_WAKE_BITSET_PRIVATE, 10, NULL, NULL, 4), 0);
    EXPECT_EQ(futex(&word, FUTEX_WAKE_BITSET_PRIVATE, 10, NULL, NULL, 2), 1);
    pthread_join(threads[1], NULL);
    EXPECT_EQ(woken, 1);
    EXPECT_EQ(futex(&word, FUTEX_WAKE_PRIVATE, 10, NULL, NULL, 0), 1);
    pthread_join(threads[0], NULL);
}

CHECK(futex_wait_bitset_absolute_timeout)
{
    int word = 0;
    struct timespec end;
    clock_gettime(CLOCK_MONOTONIC, &end);
    EXPECT_ERR(futex(&word, FUTEX_WAIT_BITSET_PRIVATE, 0, &end, NULL, FUTEX_BITSET_MATCH_ANY),
               ETIMEDOUT);
    clock_gettime(CLOCK_REALTIME, &end);
    int op = FUTEX_WAIT_BITSET_PRIVATE | FUTEX_CLOCK_REALTIME;
    EXPECT_ERR(futex(&word, op, 0, &end, NULL, FUTEX_BITSET_MATCH_ANY), ETIMEDOUT);
}

CHECK(futex_requeue)
{
    static int from, to;
    struct wait_args args[3];
    pthread_t threads[3];
    for (int i = 0; i < 3; i++)
        args[i] = (struct wait_args){&from, FUTEX_WAIT_PRIVATE, 0, 0, 0};
    start_waiters(threads, args, 3);
    EXPECT_EQ(futex(&from, FUTEX_REQUEUE_PRIVATE, 1, (void *)2, &to, 0), 3);
    EXPECT_EQ(futex(&from, FUTEX_WAKE_PRIVATE, 10, NULL, NULL, 0), 0);
    EXPECT_EQ(futex(&to, FUTEX_WAKE_PRIVATE, 10, NULL, NULL, 0), 2);
    for (int i = 0; i < 3; i++)
        pthread_join(threads[i], NULL);
}

CHECK(futex_cmp_requeue_compares)
{
    static int from, to;
    EXPECT_ERR(futex(&from, FUTEX_CMP_REQUEUE_PRIVATE, 1, (void *)2, &to, 1), EAGAIN);
    EXPECT_EQ(futex(&from, FUTEX_CMP_REQUEUE_PRIVATE, 1, (void *)2, &to, 0), 0);
}

CHECK(futex_wake_op)
{
    static int first, second;
    second = 7;
    // second += 3; wake a second-word waiter if the old value was 7.
    unsigned op = FUTEX_OP(FUTEX_OP_ADD, 3, FUTEX_OP_CMP_EQ, 7);
    EXPECT_EQ(futex(&first, FUTEX_WAKE_OP_PRIVATE, 1, (void *)1, &second, op), 0);
    EXPECT_EQ(second, 10);
    op = FUTEX_OP(FUTEX_OP_SET, 1, FUTEX_OP_CMP_EQ, 0);
    futex(&first, FUTEX_WAKE_OP_PRIVATE, 1, (void *)1, &second, op);
    EXPECT_EQ(second, 1);
    op = FUTEX_OP(FUTEX_OP_OR, 6, FUTEX_OP_CMP_EQ, 0);
    futex(&first, FUTEX_WAKE_OP_PRIVATE, 1, (void *)1, &second, op);
    EXPECT_EQ(second, 7);
    op = FUTEX_OP(FUTEX_OP_ANDN, 2, FUTEX_OP_CMP_EQ, 0);
    futex(&first, FUTEX_WAKE_OP_PRIVATE, 1, (void *)1, &second, op);
    EXPECT_EQ(second, 5);
    op = FUTEX_OP(FUTEX_OP_XOR, 4, FUTEX_OP_CMP_EQ, 0);
    futex(&first, FUTEX_WAKE_OP_PRIVATE, 1, (void *)1, &second, op);
    EXPECT_EQ(second, 1);
}

CHECK(futex_shared_through_two_mappings)
{
    int fd = open("futex", O_RDWR | O_CREAT | O_TRUNC, 0600);
    ftruncate(fd, (off_t)PAGE);
    int *a = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    int *b = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    struct wait_args args = {a, FUTEX_WAIT, 0, 0, 0};
    pthread_t thread;
    start_waiters(&thread, &args, 1);
    EXPECT_EQ(futex(b, FUTEX_WAKE, 1, NULL, NULL, 0), 1);
    pthread_join(thread, NULL);
    munmap(a, PAGE);
    munmap(b, PAGE);
    close(fd);
}

CHECK(futex_shared_op_on_private_memory)
{
    static int word;
    struct wait_args args = {&word, FUTEX_WAIT, 0, 0, 0};
    pthread_t thread;
    start_waiters(&thread, &args, 1);
    EXPECT_EQ(futex(&word, FUTEX_WAKE, 1, NULL, NULL, 0), 1);
    pthread_join(thread, NULL);
}

CHECK(futex_untouched_page)
{
    int *word = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    struct timespec timeout = {0, 1000000};
    EXPECT_ERR(futex(word, FUTEX_WAIT_PRIVATE, 0, &timeout, NULL, 0), ETIMEDOUT);
    munmap(word, PAGE);
}

CHECK(futex_priority_inheritance_mutex)
{
    pthread_mutexattr_t attributes;
    pthread_mutex_t mutex;
    pthread_mutexattr_init(&attributes);
    pthread_mutexattr_setprotocol(&attributes, PTHREAD_PRIO_INHERIT);
    if (pthread_mutex_init(&mutex, &attributes))
        SKIP("no priority inheritance");
    EXPECT_EQ(pthread_mutex_lock(&mutex), 0);
    EXPECT_EQ(pthread_mutex_trylock(&mutex), EBUSY);
    EXPECT_EQ(pthread_mutex_unlock(&mutex), 0);
}

static int contended;
static pthread_mutex_t contended_mutex = PTHREAD_MUTEX_INITIALIZER;

static void *contend(void *unused)
{
    (void)unused;
    for (int i = 0; i < 5000; i++) {
        pthread_mutex_lock(&contended_mutex);
        contended++;
        pthread_mutex_unlock(&contended_mutex);
    }
    return NULL;
}

CHECK(futex_contended_mutex)
{
    pthread_t threads[4];
    contended = 0;
    for (int i = 0; i < 4; i++)
        EXPECT_EQ(pthread_create(&threads[i], NULL, contend, NULL), 0);
    for (int i = 0; i < 4; i++)
        pthread_join(threads[i], NULL);
    EXPECT_EQ(contended, 20000);
}

static pthread_mutex_t turn_mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t turn_changed = PTHREAD_COND_INITIALIZER;
static int turn;

static void *answer(void *unused)
{
    (void)unused;
    for (int i = 0; i < 500; i++) {
        pthread_mutex_lock(&turn_mutex);
        while (turn != 1)
            pthread_cond_wait(&turn_changed, &turn_mutex);
        turn = 0;
        pthread_cond_signal(&turn_changed);
        pthread_mutex_unlock(&turn_mutex);
    }
    return NULL;
}

CHECK(futex_condition_variables)
{
    pthread_t thread;
    EXPECT_EQ(pthread_create(&thread, NULL, answer, NULL), 0);
    for (int i = 0; i < 500; i++) {
        pthread_mutex_lock(&turn_mutex);
        turn = 1;
        pthread_cond_signal(&turn_changed);
        while (turn != 0)
            pthread_cond_wait(&turn_changed, &turn_mutex);
        pthread_mutex_unlock(&turn_mutex);
    }
    pthread_join(thread, NULL);
}

CHECK(futex_condition_timeout)
{
    struct timespec end;
    clock_gettime(CLOCK_REALTIME, &end);
    end.tv_nsec += 20000000;
    if (end.tv_nsec >= 1000000000) {
        end.tv_sec++;
        end.tv_nsec -= 1000000000;
    }
    pthread_mutex_lock(&turn_mutex);
    int result = 0;
    while (!result)
        result = pthread_cond_timedwait(&turn_changed, &turn_mutex, &end);
    pthread_mutex_unlock(&turn_mutex);
    EXPECT_EQ(result, ETIMEDOUT);
}

// Robust lists: the kernel marks the lock of a thread that ended without unlocking it.
static pthread_mutex_t robust;

static void *die_holding(void *unused)
{
    (void)unused;
    pthread_mutex_lock(&robust);
    return NULL;
}

CHECK(robust_mutex_owner_dies)
{
    pthread_mutexattr_t attributes;
    pthread_t thread;
    pthread_mutexattr_init(&attributes);
    pthread_mutexattr_setrobust(&attributes, PTHREAD_MUTEX_ROBUST);
    pthread_mutex_init(&robust, &attributes);
    EXPECT_EQ(pthread_create(&thread, NULL, die_holding, NULL), 0);
    pthread_join(thread, NULL);
    EXPECT_EQ(pthread_mutex_lock(&robust), EOWNERDEAD);
    EXPECT_EQ(pthread_mutex_consistent(&robust), 0);
    EXPECT_EQ(pthread_mutex_unlock(&robust), 0);
}

// The word of a lock whose owner ends without unlocking it, as it is for who waited.
static unsigned left_word;

static void *end_holding(void *holds)
{
    if (futex(&left_word, FUTEX_LOCK_PI, 0, NULL, NULL, 0) == 0)
        __atomic_store_n((int *)holds, 1, __ATOMIC_SEQ_CST);
    usleep(150000); // the others wait by then
    return NULL;
}

static void *take_over(void *unused)
{
    (void)unused;
    if (futex(&left_word, FUTEX_LOCK_PI, 0, NULL, NULL, 0) != 0)
        return (void *)1L;
    unsigned mine = (unsigned)syscall(SYS_gettid);
    long wrong = (left_word & FUTEX_TID_MASK) != mine ? 2 : 0;
    if (__atomic_add_fetch(&woken, 1, __ATOMIC_SEQ_CST) == 1 && !(left_word & FUTEX_OWNER_DIED))
        wrong |= 4; // the first heir is told
    usleep(10000);
    if (futex(&left_word, FUTEX_UNLOCK_PI, 0, NULL, NULL, 0) != 0)
        wrong |= 8;
    return (void *)wrong;
}

CHECK(futex_pi_owner_dies)
{
    pthread_t owner, heirs[3];
    int holds = 0;
    void *wrong;
    woken = 0;
    left_word = 0;
    pthread_create(&owner, NULL, end_holding, &holds);
    while (!__atomic_load_n(&holds, __ATOMIC_SEQ_CST))
        usleep(1000);
    for (int i = 0; i < 3; i++)
        pthread_create(&heirs[i], NULL, take_over, NULL);
    pthread_join(owner, NULL);
    for (int i = 0; i < 3; i++) {
        pthread_join(heirs[i], &wrong);
        EXPECT_EQ((long)wrong, 0);
    }
    EXPECT_EQ(woken, 3);
}

CHECK(robust_list_calls)
{
    struct robust_list_head *head;
    size_t length;
    EXPECT_OK(syscall(SYS_get_robust_list, 0, &head, &length));
    EXPECT(head != NULL);
    EXPECT_EQ(length, sizeof *head);
    EXPECT_OK(syscall(SYS_set_robust_list, head, length));
    EXPECT_ERR(syscall(SYS_set_robust_list, head, length + 1), EINVAL);
    EXPECT_ERR(syscall(SYS_get_robust_list, 999999, &head, &length), ESRCH);
    EXPECT_ERR(syscall(SYS_get_robust_list, 0, BAD_POINTER, &length), EFAULT);
}
