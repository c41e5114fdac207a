// SPDX-License-Identifier: MIT
// Signals: sigaction, masks, pending, queues, siginfo, kill and its relatives, sigsuspend, sigwait.
#include "check.h"
#include <sys/wait.h>

static volatile int count, last_number, last_code, last_value, last_pid;
static volatile sig_atomic_t order[16];

static void on_signal(int number)
{
    order[count & 15] = number;
    count++;
    last_number = number;
}

static void on_info(int number, siginfo_t *info, void *context)
{
    (void)context;
    count++;
    last_number = number;
    last_code = info->si_code;
    last_value = info->si_value.sival_int;
    last_pid = info->si_pid;
}

static void handle(int number, int flags)
{
    struct sigaction action = {.sa_flags = flags};
    if (flags & SA_SIGINFO)
        action.sa_sigaction = on_info;
    else
        action.sa_handler = on_signal;
    sigaction(number, &action, NULL);
    count = last_number = last_code = last_value = 0;
}

static void block(int how, int number)
{
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, number);
    sigprocmask(how, &set, NULL);
}

static bool pending(int number)
{
    sigset_t set;
    sigpending(&set);
    return sigismember(&set, number);
}

CHECK(signal_raise_runs_handler)
{
    handle(SIGUSR1, 0);
    EXPECT_OK(raise(SIGUSR1));
    EXPECT_EQ(count, 1);
    EXPECT_EQ(last_number, SIGUSR1);
}

CHECK(signal_kill_self)
{
    handle(SIGUSR2, SA_SIGINFO);
    EXPECT_OK(kill(getpid(), SIGUSR2));
    EXPECT_EQ(count, 1);
    EXPECT_EQ(last_code, SI_USER);
    EXPECT_EQ(last_pid, getpid());
}

CHECK(signal_tgkill_code)
{
    handle(SIGUSR1, SA_SIGINFO);
    EXPECT_OK(syscall(SYS_tgkill, getpid(), gettid(), SIGUSR1));
    EXPECT_EQ(last_code, SI_TKILL);
    EXPECT_EQ(last_pid, getpid());
}

CHECK(signal_sigqueue_value)
{
    handle(SIGRTMIN, SA_SIGINFO);
    EXPECT_OK(sigqueue(getpid(), SIGRTMIN, (union sigval){.sival_int = 4711}));
    EXPECT_EQ(last_value, 4711);
    EXPECT_EQ(last_code, SI_QUEUE);
}

CHECK(signal_kill_errors)
{
    EXPECT_ERR(kill(getpid(), 65), EINVAL);
    EXPECT_ERR(kill(getpid(), -1), EINVAL);
    EXPECT_ERR(kill(999999, 0), ESRCH);
    EXPECT_OK(kill(getpid(), 0));
    EXPECT_ERR(syscall(SYS_tgkill, getpid(), 999999, SIGUSR1), ESRCH);
    EXPECT_ERR(syscall(SYS_tgkill, -1, gettid(), SIGUSR1), EINVAL);
    EXPECT_ERR(syscall(SYS_tkill, 0, SIGUSR1), EINVAL);
}

CHECK(signal_sigaction_errors)
{
    struct sigaction action = {.sa_handler = SIG_IGN};
    EXPECT_ERR(syscall(SYS_rt_sigaction, SIGKILL, &action, NULL, 8), EINVAL);
    EXPECT_ERR(syscall(SYS_rt_sigaction, SIGSTOP, &action, NULL, 8), EINVAL);
    EXPECT_ERR(syscall(SYS_rt_sigaction, 0, &action, NULL, 8), EINVAL);
    EXPECT_ERR(syscall(SYS_rt_sigaction, 65, &action, NULL, 8), EINVAL);
    EXPECT_ERR(syscall(SYS_rt_sigaction, SIGUSR1, &action, NULL, 16), EINVAL);
    EXPECT_ERR(syscall(SYS_rt_sigaction, SIGUSR1, BAD_POINTER, NULL, 8), EFAULT);
    EXPECT_OK(syscall(SYS_rt_sigaction, SIGKILL, NULL, NULL, 8));
}

CHECK(signal_sigaction_returns_the_old_one)
{
    struct sigaction old;
    handle(SIGUSR1, SA_RESTART);
    EXPECT_OK(sigaction(SIGUSR1, NULL, &old));
    EXPECT_EQ((long)old.sa_handler, (long)on_signal);
    EXPECT_EQ(old.sa_flags & SA_RESTART, SA_RESTART);
    signal(SIGUSR1, SIG_IGN);
    EXPECT_OK(sigaction(SIGUSR1, NULL, &old));
    EXPECT_EQ((long)old.sa_handler, (long)SIG_IGN);
}

CHECK(signal_blocked_stays_pending)
{
    handle(SIGUSR1, 0);
    block(SIG_BLOCK, SIGUSR1);
    raise(SIGUSR1);
    EXPECT_EQ(count, 0);
    EXPECT_EQ(pending(SIGUSR1), true);
    block(SIG_UNBLOCK, SIGUSR1);
    EXPECT_EQ(count, 1);
    EXPECT_EQ(pending(SIGUSR1), false);
}

CHECK(signal_standard_ones_do_not_queue)
{
    handle(SIGUSR1, 0);
    block(SIG_BLOCK, SIGUSR1);
    for (int i = 0; i < 5; i++)
        raise(SIGUSR1);
    block(SIG_UNBLOCK, SIGUSR1);
    EXPECT_EQ(count, 1);
}

CHECK(signal_realtime_ones_queue)
{
    handle(SIGRTMIN + 1, SA_SIGINFO);
    block(SIG_BLOCK, SIGRTMIN + 1);
    for (int i = 0; i < 5; i++)
        sigqueue(getpid(), SIGRTMIN + 1, (union sigval){.sival_int = i});
    block(SIG_UNBLOCK, SIGRTMIN + 1);
    EXPECT_EQ(count, 5);
    EXPECT_EQ(last_value, 4);
}

CHECK(signal_pending_several_lowest_number_first)
{
    // All frames are built before the first handler runs, so the lowest number's handler runs last.
    sigset_t set, old;
    handle(SIGUSR1, 0);
    handle(SIGUSR2, 0);
    handle(SIGHUP, 0);
    sigemptyset(&set);
    sigaddset(&set, SIGUSR1);
    sigaddset(&set, SIGUSR2);
    sigaddset(&set, SIGHUP);
    sigprocmask(SIG_BLOCK, &set, &old);
    raise(SIGUSR2);
    raise(SIGHUP);
    raise(SIGUSR1);
    sigprocmask(SIG_SETMASK, &old, NULL);
    EXPECT_EQ(count, 3);
    EXPECT_EQ(order[0], SIGUSR2);
    EXPECT_EQ(order[1], SIGUSR1);
    EXPECT_EQ(order[2], SIGHUP);
}

CHECK(signal_ignored_is_dropped_unless_blocked)
{
    signal(SIGUSR1, SIG_IGN);
    EXPECT_OK(raise(SIGUSR1));
    EXPECT_EQ(pending(SIGUSR1), false);
    block(SIG_BLOCK, SIGUSR1);
    raise(SIGUSR1);
    EXPECT_EQ(pending(SIGUSR1), true);
    block(SIG_UNBLOCK, SIGUSR1);
    EXPECT_EQ(pending(SIGUSR1), false);
}

CHECK(signal_ignoring_discards_pending)
{
    handle(SIGUSR1, 0);
    block(SIG_BLOCK, SIGUSR1);
    raise(SIGUSR1);
    EXPECT_EQ(pending(SIGUSR1), true);
    signal(SIGUSR1, SIG_IGN);
    EXPECT_EQ(pending(SIGUSR1), false);
}

CHECK(signal_default_ignore)
{
    EXPECT_OK(raise(SIGCHLD));
    EXPECT_OK(raise(SIGURG));
    EXPECT_OK(raise(SIGWINCH));
    EXPECT_OK(raise(SIGCONT));
}

CHECK(signal_resethand)
{
    struct sigaction old;
    handle(SIGUSR1, SA_RESETHAND);
    raise(SIGUSR1);
    EXPECT_EQ(count, 1);
    sigaction(SIGUSR1, NULL, &old);
    EXPECT_EQ((long)old.sa_handler, (long)SIG_DFL);
}

static volatile bool nested_blocked, other_blocked;

static void look_at_mask(int number)
{
    sigset_t now;
    sigprocmask(SIG_BLOCK, NULL, &now);
    nested_blocked = sigismember(&now, number);
    other_blocked = sigismember(&now, SIGUSR2);
    count++;
}

CHECK(signal_mask_in_handler)
{
    struct sigaction action = {.sa_handler = look_at_mask};
    sigset_t after;
    sigemptyset(&action.sa_mask);
    sigaddset(&action.sa_mask, SIGUSR2);
    sigaction(SIGUSR1, &action, NULL);
    raise(SIGUSR1);
    EXPECT_EQ(nested_blocked, true);
    EXPECT_EQ(other_blocked, true);
    sigprocmask(SIG_BLOCK, NULL, &after);
    EXPECT_EQ(sigismember(&after, SIGUSR1), 0);
    EXPECT_EQ(sigismember(&after, SIGUSR2), 0);
}

CHECK(signal_nodefer)
{
    struct sigaction action = {.sa_handler = look_at_mask, .sa_flags = SA_NODEFER};
    sigaction(SIGUSR1, &action, NULL);
    raise(SIGUSR1);
    EXPECT_EQ(nested_blocked, false);
}

static void raise_again(int number)
{
    if (++count < 3)
        raise(number);
}

CHECK(signal_nodefer_nests)
{
    struct sigaction action = {.sa_handler = raise_again, .sa_flags = SA_NODEFER};
    count = 0;
    sigaction(SIGUSR1, &action, NULL);
    raise(SIGUSR1);
    EXPECT_EQ(count, 3);
}

CHECK(signal_kill_and_stop_cannot_be_blocked)
{
    sigset_t all, now;
    sigfillset(&all);
    EXPECT_OK(sigprocmask(SIG_BLOCK, &all, NULL));
    sigprocmask(SIG_BLOCK, NULL, &now);
    EXPECT_EQ(sigismember(&now, SIGKILL), 0);
    EXPECT_EQ(sigismember(&now, SIGSTOP), 0);
    EXPECT_EQ(sigismember(&now, SIGTERM), 1);
}

CHECK(signal_procmask_errors)
{
    uint64_t set = 0;
    EXPECT_ERR(syscall(SYS_rt_sigprocmask, 9, &set, NULL, 8), EINVAL);
    EXPECT_ERR(syscall(SYS_rt_sigprocmask, SIG_BLOCK, &set, NULL, 4), EINVAL);
    EXPECT_ERR(syscall(SYS_rt_sigprocmask, SIG_BLOCK, BAD_POINTER, NULL, 8), EFAULT);
    EXPECT_ERR(syscall(SYS_rt_sigprocmask, SIG_BLOCK, NULL, BAD_POINTER, 8), EFAULT);
    EXPECT_OK(syscall(SYS_rt_sigprocmask, 9, NULL, &set, 8));
    EXPECT_ERR(syscall(SYS_rt_sigpending, BAD_POINTER, 8), EFAULT);
}

CHECK(signal_suspend_returns_after_handler)
{
    sigset_t none;
    handle(SIGUSR1, 0);
    block(SIG_BLOCK, SIGUSR1);
    raise(SIGUSR1);
    sigemptyset(&none);
    EXPECT_ERR(sigsuspend(&none), EINTR);
    EXPECT_EQ(count, 1);
    sigprocmask(SIG_BLOCK, NULL, &none);
    EXPECT_EQ(sigismember(&none, SIGUSR1), 1);
}

CHECK(signal_timedwait_takes_pending)
{
    sigset_t set;
    siginfo_t info;
    struct timespec soon = {0, 10000000};
    handle(SIGUSR1, 0);
    sigemptyset(&set);
    sigaddset(&set, SIGUSR1);
    sigprocmask(SIG_BLOCK, &set, NULL);
    raise(SIGUSR1);
    EXPECT_EQ(sigtimedwait(&set, &info, &soon), SIGUSR1);
    EXPECT_EQ(info.si_signo, SIGUSR1);
    EXPECT_EQ(info.si_pid, getpid());
    EXPECT_EQ(count, 0);
    EXPECT_ERR(sigtimedwait(&set, &info, &soon), EAGAIN);
    struct timespec bad = {0, 2000000000};
    EXPECT_ERR(sigtimedwait(&set, &info, &bad), EINVAL);
    EXPECT_ERR(syscall(SYS_rt_sigtimedwait, BAD_POINTER, NULL, NULL, 8), EFAULT);
}

CHECK(signal_timedwait_interrupted_by_another)
{
    sigset_t set;
    struct itimerval timer = {.it_value = {.tv_usec = 20000}};
    handle(SIGALRM, 0);
    sigemptyset(&set);
    sigaddset(&set, SIGUSR1);
    sigprocmask(SIG_BLOCK, &set, NULL);
    setitimer(ITIMER_REAL, &timer, NULL);
    EXPECT_ERR(sigwaitinfo(&set, NULL), EINTR);
    EXPECT_EQ(count, 1);
}

CHECK(signal_handler_keeps_errno_of_the_program)
{
    handle(SIGUSR1, 0);
    errno = 55;
    raise(SIGUSR1);
    EXPECT_EQ(errno, 55);
}

CHECK(signal_sigpipe)
{
    int fds[2];
    handle(SIGPIPE, SA_SIGINFO);
    EXPECT_OK(pipe(fds));
    close(fds[0]);
    EXPECT_ERR(write(fds[1], "x", 1), EPIPE);
    EXPECT_EQ(count, 1);
    signal(SIGPIPE, SIG_IGN);
    EXPECT_ERR(write(fds[1], "x", 1), EPIPE);
    close(fds[1]);
}

CHECK(signal_rt_sigqueueinfo_codes)
{
    siginfo_t info = {.si_code = SI_QUEUE};
    handle(SIGUSR1, SA_SIGINFO);
    info.si_value.sival_int = 9;
    EXPECT_OK(syscall(SYS_rt_sigqueueinfo, getpid(), SIGUSR1, &info));
    EXPECT_EQ(last_value, 9);
    EXPECT_OK(syscall(SYS_rt_tgsigqueueinfo, getpid(), gettid(), SIGUSR1, &info));
    EXPECT_EQ(count, 2);
    EXPECT_ERR(syscall(SYS_rt_sigqueueinfo, getpid(), SIGUSR1, BAD_POINTER), EFAULT);
}

static void *kill_main(void *main_thread)
{
    usleep(20000);
    pthread_kill(*(pthread_t *)main_thread, SIGUSR1);
    return NULL;
}

CHECK(signal_from_another_thread_interrupts_pause)
{
    pthread_t self = pthread_self(), other;
    handle(SIGUSR1, 0);
    EXPECT_EQ(pthread_create(&other, NULL, kill_main, &self), 0);
    EXPECT_ERR(pause(), EINTR);
    EXPECT_EQ(count, 1);
    pthread_join(other, NULL);
}

static volatile int handled_by;

static void note_thread(int number)
{
    (void)number;
    handled_by = gettid();
}

static void *wait_for_signal(void *seen)
{
    block(SIG_UNBLOCK, SIGUSR2);
    for (int i = 0; i < 400 && !handled_by; i++)
        usleep(5000);
    *(int *)seen = gettid();
    return NULL;
}

CHECK(signal_to_process_goes_to_a_thread_that_takes_it)
{
    struct sigaction action = {.sa_handler = note_thread};
    pthread_t other;
    int other_id = 0;
    handled_by = 0;
    sigaction(SIGUSR2, &action, NULL);
    block(SIG_BLOCK, SIGUSR2);
    EXPECT_EQ(pthread_create(&other, NULL, wait_for_signal, &other_id), 0);
    usleep(20000);
    kill(getpid(), SIGUSR2);
    pthread_join(other, NULL);
    EXPECT_EQ(handled_by, other_id);
    EXPECT(other_id != gettid());
}

CHECK(signal_default_terminate_is_not_taken_while_blocked)
{
    block(SIG_BLOCK, SIGTERM);
    raise(SIGTERM);
    EXPECT_EQ(pending(SIGTERM), true);
    signal(SIGTERM, SIG_IGN);
    EXPECT_EQ(pending(SIGTERM), false);
}
