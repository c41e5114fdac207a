/* SPDX-License-Identifier: MIT */
/* kernel/core/wait.c and wait_event(): who is told, in which order, and that no wake is lost. */
#include <unit.h>

#include <sleeper.h>
#include <string.h>

#include <core/thread.h>
#include <core/wait.h>
#include <lib/compiler.h>

static struct waitq queue;
static bool condition;

static int set_up(void **state)
{
    (void)state;
    waitq_init(&queue);
    sleeper_reset();
    condition = false;
    return 0;
}

/* ---- waiters that only count ---- */

static unsigned told, last_events;
static char order[16];

struct counted {
    struct waiter waiter;
    char name;
    bool refuses;
};

static bool count(struct waiter *waiter, unsigned events)
{
    struct counted *counted = container_of(waiter, struct counted, waiter);

    order[told++] = counted->name;
    last_events = events;
    return !counted->refuses;
}

static void add(struct counted *counted, char name, bool exclusive)
{
    waiter_init(&counted->waiter);
    counted->waiter.notify = count;
    counted->waiter.exclusive = exclusive;
    counted->name = name;
    waitq_add(&queue, &counted->waiter);
}

static void expect_told(const char *names, unsigned max)
{
    told = 0;
    memset(order, 0, sizeof(order));
    (void)waitq_wake(&queue, max, 0x41);
    assert_string_equal(order, names);
}

static void exclusive_waiters_stand_behind(void **state)
{
    struct counted a = {0}, b = {0}, c = {0}, d = {0};

    (void)state;
    add(&a, 'a', true);
    add(&b, 'b', false);
    add(&c, 'c', true);
    add(&d, 'd', false);
    expect_told("db", 0);
    expect_told("dba", 1);
    assert_int_equal(last_events, 0x41);
    expect_told("dbac", 5);
    a.refuses = true;
    expect_told("dbac", 1); /* who refuses does not count */
    waitq_remove(&b.waiter);
    waitq_remove(&b.waiter); /* on no queue: fine */
    expect_told("dac", 1);
    waitq_remove(&a.waiter);
    waitq_remove(&c.waiter);
    waitq_remove(&d.waiter);
    assert_false(waitq_active(&queue));
    expect_told("", 3);
}

static void a_queue_of_zeroes_is_empty(void **state)
{
    struct waitq zeroed = WAITQ_INIT;
    struct waiter waiter;

    (void)state;
    assert_false(waitq_active(&zeroed));
    assert_int_equal(waitq_wake(&zeroed, 1, 0), 0);
    waiter_init(&waiter);
    waitq_add(&zeroed, &waiter);
    assert_true(waitq_active(&zeroed));
    waitq_remove(&waiter);
}

/* ---- wait_event ---- */

static void a_condition_that_holds_needs_no_sleep(void **state)
{
    (void)state;
    condition = true;
    sleeper.ends_with = -ERESTARTSYS;
    assert_int_equal(wait_event(&queue, condition, 5, WAIT_INTERRUPTIBLE), 0);
    assert_int_equal(sleeper.sleeps, 0);
}

static void come_true(void)
{
    condition = true;
    waitq_wake_all(&queue);
}

static void a_wake_ends_the_sleep(void **state)
{
    (void)state;
    sleeper.meanwhile = come_true;
    assert_int_equal(wait_event(&queue, condition, 5, WAIT_INTERRUPTIBLE), 0);
    assert_int_equal(sleeper.sleeps, 1);
    assert_false(waitq_active(&queue));
    assert_false(sleeper.is_asleep);
}

static void wake_thrice(void)
{
    condition = sleeper.sleeps == 3;
    waitq_wake_all(&queue);
}

static void a_wake_for_nothing_sleeps_on(void **state)
{
    (void)state;
    sleeper.meanwhile = wake_thrice;
    assert_int_equal(wait_event(&queue, condition, 5, WAIT_INTERRUPTIBLE), 0);
    assert_int_equal(sleeper.sleeps, 3);
}

static void errors_end_the_wait(void **state)
{
    (void)state;
    assert_int_equal(wait_event(&queue, condition, 5, WAIT_INTERRUPTIBLE), -ETIMEDOUT);
    sleeper.ends_with = -ERESTARTSYS;
    assert_int_equal(wait_event(&queue, condition, 5, WAIT_INTERRUPTIBLE), -ERESTARTSYS);
    assert_int_equal(sleeper.sleeps, 2);
    assert_false(waitq_active(&queue));
}

static void come_true_silently(void)
{
    condition = true;
}

static void a_condition_wins_over_an_error(void **state)
{
    (void)state;
    sleeper.meanwhile = come_true_silently;
    assert_int_equal(wait_event(&queue, condition, 5, WAIT_INTERRUPTIBLE), 0);
}

/* The wake comes between the test of the condition and the sleep. */
static bool test_then_wake(void)
{
    bool was = condition;

    if (!was)
        come_true();
    return was;
}

static void a_wake_before_the_sleep_is_not_lost(void **state)
{
    (void)state;
    sleeper.meanwhile = NULL;
    assert_int_equal(wait_event(&queue, test_then_wake(), 5, WAIT_INTERRUPTIBLE), 0);
    assert_int_equal(wait_event_exclusive(&queue, test_then_wake(), 5, WAIT_INTERRUPTIBLE), 0);
    assert_int_equal(sleeper.sleeps, 0);
}

/* ---- exclusive waits ---- */

static void wake_one(void)
{
    waitq_wake(&queue, 1, 0);
}

static struct counted next;
static unsigned looked;

/* Looked at a third time, after the sleep failed: a wake comes just then, for one of the two. */
static bool wake_comes_late(void)
{
    if (++looked == 3) {
        add(&next, 'n', true);
        wake_one();
        assert_int_equal(told, 0); /* it went to the one who is about to leave */
    }
    return false;
}

/* The wake was for one waiter; who leaves without using it hands it to the next. */
static void an_unused_wake_is_passed_on(void **state)
{
    (void)state;
    told = looked = 0;
    sleeper.ends_with = -ERESTARTSYS;
    assert_int_equal(wait_event_exclusive(&queue, wake_comes_late(), 5, WAIT_INTERRUPTIBLE),
                     -ERESTARTSYS);
    assert_int_equal(looked, 3);
    assert_int_equal(told, 1);
    waitq_remove(&next.waiter);
}

static void a_used_wake_takes_the_waiter_off(void **state)
{
    unsigned tests = 0;

    (void)state;
    sleeper.meanwhile = wake_one;
    assert_int_equal(wait_event_exclusive(&queue, ++tests > 3, 5, WAIT_INTERRUPTIBLE), 0);
    assert_false(waitq_active(&queue));
    assert_true(sleeper.sleeps >= 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(exclusive_waiters_stand_behind, set_up),
        cmocka_unit_test_setup(a_queue_of_zeroes_is_empty, set_up),
        cmocka_unit_test_setup(a_condition_that_holds_needs_no_sleep, set_up),
        cmocka_unit_test_setup(a_wake_ends_the_sleep, set_up),
        cmocka_unit_test_setup(a_wake_for_nothing_sleeps_on, set_up),
        cmocka_unit_test_setup(errors_end_the_wait, set_up),
        cmocka_unit_test_setup(a_condition_wins_over_an_error, set_up),
        cmocka_unit_test_setup(a_wake_before_the_sleep_is_not_lost, set_up),
        cmocka_unit_test_setup(an_unused_wake_is_passed_on, set_up),
        cmocka_unit_test_setup(a_used_wake_takes_the_waiter_off, set_up),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
