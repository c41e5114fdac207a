// SPDX-License-Identifier: MIT
// The harness of the ABI checks. A check is a named function; it runs in-process, on the main
// thread, and prints "ok NAME" or "FAIL NAME: found X, expected Y". Checks never fork: Remora's
// first kernel has no fork. A check that crashes or hangs fails alone: fatal signals and a
// thirty-second alarm end it by siglongjmp. Signal handlers, the signal mask and the alarm are
// reset before each check, and each program starts in an empty folder of its own below /tmp.
//
//   CHECK(open_missing) { EXPECT_ERR(open("nothing", O_RDONLY), ENOENT); }
//
// A failed EXPECT returns from the function it stands in, so it is used in functions that return
// void.
#pragma once

#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/types.h>
#include <time.h>
#include <unistd.h>

#define PAGE          ((size_t)4096)
#define CHECK_LIMIT_S 30
#define ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))

// An address that is never mapped: below the lowest address a program may map.
static void *volatile check_bad_pointer __attribute__((unused)) = (void *)16;
#define BAD_POINTER check_bad_pointer

struct check {
    const char *name;
    void (*run)(void);
    int line;
};

#define CHECK(id)                                                               \
    static void check_##id(void);                                               \
    static const struct check entry_##id                                        \
        __attribute__((section("checks"), used)) = {#id, check_##id, __LINE__}; \
    static void check_##id(void)

extern const struct check __start_checks[], __stop_checks[];

static const char *check_name;
static bool check_bad, check_left_out;
static unsigned check_passed, check_failed, check_skipped;
static sigjmp_buf check_escape;

__attribute__((unused, format(printf, 2, 3))) static bool check_fail(int line, const char *format,
                                                                     ...)
{
    va_list args;
    if (!check_bad) {
        printf("FAIL %s: line %d: ", check_name, line);
        va_start(args, format);
        vprintf(format, args);
        va_end(args);
        printf("\n");
        fflush(stdout);
    }
    check_bad = true;
    return false;
}

#define EXPECT(condition)                                                                        \
    do {                                                                                         \
        if (!(condition)) {                                                                      \
            check_fail(__LINE__, "found %s false, expected true (errno %d)", #condition, errno); \
            return;                                                                              \
        }                                                                                        \
    } while (0)

#define EXPECT_EQ(found, expected)                                                                 \
    do {                                                                                           \
        long long found_ = (long long)(found), expected_ = (long long)(expected);                  \
        if (found_ != expected_) {                                                                 \
            check_fail(__LINE__, "%s: found %lld (0x%llx), expected %s = %lld (errno %d)", #found, \
                       found_, (unsigned long long)found_, #expected, expected_, errno);           \
            return;                                                                                \
        }                                                                                          \
    } while (0)

// The call succeeds: anything but -1 / MAP_FAILED.
#define EXPECT_OK(call)                                                                     \
    do {                                                                                    \
        errno = 0;                                                                          \
        if ((long)(call) == -1) {                                                           \
            check_fail(__LINE__, "%s: found errno %d (%s), expected success", #call, errno, \
                       strerror(errno));                                                    \
            return;                                                                         \
        }                                                                                   \
    } while (0)

// The call returns -1 with this errno.
#define EXPECT_ERR(call, error)                                                                  \
    do {                                                                                         \
        errno = 0;                                                                               \
        long result_ = (long)(call);                                                             \
        int found_error_ = errno;                                                                \
        if (result_ != -1 || found_error_ != (error)) {                                          \
            check_fail(__LINE__, "%s: found %ld errno %d, expected -1 errno %s", #call, result_, \
                       found_error_, #error);                                                    \
            return;                                                                              \
        }                                                                                        \
    } while (0)

#define EXPECT_STR(found, expected)                                                               \
    do {                                                                                          \
        const char *found_ = (found), *expected_ = (expected);                                    \
        if (strcmp(found_, expected_)) {                                                          \
            check_fail(__LINE__, "%s: found \"%s\", expected \"%s\"", #found, found_, expected_); \
            return;                                                                               \
        }                                                                                         \
    } while (0)

#define SKIP(why)                                 \
    do {                                          \
        printf("skip %s: %s\n", check_name, why); \
        check_left_out = true;                    \
        return;                                   \
    } while (0)

static void check_crashed(int signal_number, siginfo_t *info, void *context)
{
    (void)context;
    if (signal_number == SIGALRM)
        check_fail(0, "found it still running after %d s, expected an end", CHECK_LIMIT_S);
    else
        check_fail(0, "found signal %d code %d address %p, expected none", signal_number,
                   info->si_code, info->si_addr);
    siglongjmp(check_escape, 1);
}

static void check_reset_signals(void)
{
    static char stack[65536];
    stack_t alternate = {.ss_sp = stack, .ss_size = sizeof stack};
    struct sigaction fatal = {.sa_sigaction = check_crashed, .sa_flags = SA_SIGINFO | SA_ONSTACK};
    struct itimerval off = {0};
    sigset_t none;

    setitimer(ITIMER_REAL, &off, NULL);
    sigaltstack(&alternate, NULL);
    for (int number = 1; number < 65; number++) {
        if (number < 32 || number > 33) {
            signal(number, SIG_IGN); // drops what is pending
            signal(number, SIG_DFL);
        }
    }
    static const int deadly[] = {SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGTRAP, SIGSYS, SIGALRM};
    for (unsigned i = 0; i < ARRAY_SIZE(deadly); i++)
        sigaction(deadly[i], &fatal, NULL);
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
}

static void check_one(const struct check *check)
{
    struct itimerval limit = {.it_value = {.tv_sec = CHECK_LIMIT_S}};
    check_name = check->name;
    check_bad = check_left_out = false;
    check_reset_signals();
    setitimer(ITIMER_REAL, &limit, NULL);
    errno = 0;
    if (sigsetjmp(check_escape, 1) == 0)
        check->run();
    if (check_bad)
        check_failed++;
    else if (check_left_out)
        check_skipped++;
    else
        check_passed++;
    if (!check_bad && !check_left_out)
        printf("ok %s\n", check_name);
    fflush(stdout);
}

static bool check_wanted(const char *name, int argc, char **argv)
{
    for (int i = 1; i < argc; i++)
        if (!strcmp(argv[i], name))
            return true;
    return argc < 2;
}

// The linker keeps no order among the entries: they run in the order of their lines.
static int check_compare(const void *a, const void *b)
{
    return ((const struct check *)a)->line - ((const struct check *)b)->line;
}

// A program with a main of its own defines CHECK_NO_MAIN and calls check_main from it.
__attribute__((unused)) static int check_main(int argc, char **argv)
{
    char folder[] = "/tmp/check.XXXXXX";
    mkdir("/tmp", 01777);
    if (!mkdtemp(folder) || chdir(folder))
        printf("note: found no place for files below /tmp (errno %d)\n", errno);
    unsigned count = (unsigned)(__stop_checks - __start_checks);
    struct check *sorted = malloc(count * sizeof *sorted);
    memcpy(sorted, __start_checks, count * sizeof *sorted);
    qsort(sorted, count, sizeof *sorted, check_compare);
    for (struct check *check = sorted; check < sorted + count; check++)
        if (check_wanted(check->name, argc, argv))
            check_one(check);
    check_reset_signals();
    printf("%u ok, %u failed, %u skipped\n", check_passed, check_failed, check_skipped);
    fflush(stdout);
    return check_failed ? 1 : 0;
}

#ifndef CHECK_NO_MAIN
int main(int argc, char **argv)
{
    return check_main(argc, argv);
}
#endif
