/* SPDX-License-Identifier: MIT */
/* kernel/core/timer.c on one CPU, with a clock and a clock event that the test moves. */
#include <unit.h>

#include <stdlib.h>

#include <core/clock.h>
#include <core/clockevent.h>
#include <core/percpu.h>
#include <core/timer.h>
#include <lib/compiler.h>

static uint64_t now_ns, event_ns; /* UINT64_MAX: the clock event is off */
static unsigned events_set, slices_ended;

uint64_t clock_monotonic_ns(void)
{
    return now_ns;
}

uint64_t clock_ns_to_count(uint64_t ns)
{
    return ns;
}

void clock_set_frequency(uint64_t frequency_hz);
void clock_set_frequency(uint64_t frequency_hz)
{
    (void)frequency_hz;
}

void sched_slice_ended(void);
void sched_slice_ended(void)
{
    slices_ended++;
}

static void event_set(uint64_t count)
{
    event_ns = count;
    events_set++;
}

static void event_stop(void)
{
    event_ns = UINT64_MAX;
}

static const struct clockevent_ops event_ops = {.set = event_set, .stop = event_stop};

/* Time passes, and the interrupt comes whenever the clock event says so. */
static void run_to(uint64_t ns)
{
    while (event_ns <= ns) {
        now_ns = event_ns > now_ns ? event_ns : now_ns;
        event_ns = UINT64_MAX;
        timer_interrupt();
    }
    now_ns = ns;
}

static int set_up(void **state)
{
    (void)state;
    now_ns = 1000;
    event_ns = UINT64_MAX;
    events_set = slices_ended = 0;
    timer_init_cpu(&unit_cpu);
    clockevent_register(&event_ops, 1);
    return 0;
}

/* A timer that remembers when it fired, and may start itself again. */
struct noted {
    struct timer timer;
    uint64_t fired_ns, period_ns;
    unsigned count;
};

static void note(struct timer *timer)
{
    struct noted *noted = container_of(timer, struct noted, timer);

    noted->fired_ns = now_ns;
    noted->count++;
    if (noted->period_ns != 0)
        timer_start(timer, now_ns + noted->period_ns);
}

static void fires_in_order_and_on_time(void **state)
{
    enum { COUNT = 200 };
    struct noted noted[COUNT];
    uint64_t deadline[COUNT];

    (void)state;
    srand(1);
    for (unsigned i = 0; i < COUNT; i++) {
        noted[i] = (struct noted){0};
        timer_init(&noted[i].timer, note);
        deadline[i] = 1000 + (uint64_t)(rand() % 5000);
        timer_start(&noted[i].timer, deadline[i]);
    }
    run_to(10000);
    for (unsigned i = 0; i < COUNT; i++) {
        assert_int_equal(noted[i].count, 1);
        assert_int_equal(noted[i].fired_ns, deadline[i]);
    }
    assert_int_equal(event_ns, UINT64_MAX); /* nothing left: the clock event is off */
}

static void a_deadline_in_the_past_fires_at_once(void **state)
{
    struct noted noted = {0};

    (void)state;
    timer_init(&noted.timer, note);
    timer_start(&noted.timer, 10);
    run_to(1000);
    assert_int_equal(noted.count, 1);
    assert_int_equal(noted.fired_ns, 1000);
}

static void the_last_start_counts(void **state)
{
    struct noted noted = {0};

    (void)state;
    timer_init(&noted.timer, note);
    timer_start(&noted.timer, 2000);
    timer_start(&noted.timer, 5000);
    run_to(4000); /* the event of the first start finds nothing to do */
    assert_int_equal(noted.count, 0);
    timer_start(&noted.timer, 4500);
    run_to(9000);
    assert_int_equal(noted.count, 1);
    assert_int_equal(noted.fired_ns, 4500);
}

static void a_cancelled_timer_does_not_fire(void **state)
{
    struct noted a = {0}, b = {0};

    (void)state;
    timer_init(&a.timer, note);
    timer_init(&b.timer, note);
    assert_false(timer_cancel(&a.timer));
    timer_start(&a.timer, 2000);
    timer_start(&b.timer, 3000);
    assert_true(timer_cancel(&a.timer));
    assert_false(timer_cancel(&a.timer));
    run_to(9000);
    assert_int_equal(a.count, 0);
    assert_int_equal(b.count, 1);
    assert_int_equal(b.fired_ns, 3000);
    timer_start(&a.timer, 9500); /* it can be used again */
    run_to(10000);
    assert_int_equal(a.count, 1);
}

static void a_timer_may_start_itself(void **state)
{
    struct noted noted = {.period_ns = 100};

    (void)state;
    timer_init(&noted.timer, note);
    timer_start(&noted.timer, 1100);
    run_to(2099);
    assert_int_equal(noted.count, 10);
    assert_true(timer_cancel(&noted.timer));
}

static void the_end_of_a_slice_is_an_event_too(void **state)
{
    struct noted noted = {0};

    (void)state;
    timer_init(&noted.timer, note);
    timer_start(&noted.timer, 3000);
    timer_set_slice_end(2000);
    assert_int_equal(event_ns, 2000);
    run_to(2500);
    assert_int_equal(slices_ended, 1);
    assert_int_equal(noted.count, 0);
    assert_int_equal(event_ns, 3000);
    timer_set_slice_end(UINT64_MAX);
    run_to(9000);
    assert_int_equal(slices_ended, 1);
    assert_int_equal(noted.count, 1);
}

/* An event that has become too early is left standing; one that is too late is not. */
static void the_clock_event_is_set_lazily(void **state)
{
    struct noted early = {0}, late = {0};

    (void)state;
    timer_init(&early.timer, note);
    timer_init(&late.timer, note);
    timer_start(&late.timer, 5000);
    assert_int_equal(events_set, 1);
    timer_start(&early.timer, 2000);
    assert_int_equal(events_set, 2);
    timer_cancel(&early.timer);
    assert_int_equal(event_ns, 2000);
    run_to(2000);
    assert_int_equal(event_ns, 5000);
    run_to(5000);
    assert_int_equal(late.count, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(fires_in_order_and_on_time, set_up),
        cmocka_unit_test_setup(a_deadline_in_the_past_fires_at_once, set_up),
        cmocka_unit_test_setup(the_last_start_counts, set_up),
        cmocka_unit_test_setup(a_cancelled_timer_does_not_fire, set_up),
        cmocka_unit_test_setup(a_timer_may_start_itself, set_up),
        cmocka_unit_test_setup(the_end_of_a_slice_is_an_event_too, set_up),
        cmocka_unit_test_setup(the_clock_event_is_set_lazily, set_up),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
