// SPDX-License-Identifier: MIT
// Ends in the way its first argument says, so that the status can be looked at from outside:
// tests/linux/ends lists the ways and what they give. machine-off and machine-restart are for
// tests/system/test_power.py.
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

static void *exit_process(void *status)
{
    exit((int)(long)status);
}

static void *fault(void *unused)
{
    (void)unused;
    *(volatile int *)0 = 1;
    return NULL;
}

static void *exit_last(void *unused)
{
    (void)unused;
    usleep(50000);
    syscall(SYS_exit, 33);
    return NULL;
}

static void at_exit(void)
{
    write(1, "at exit\n", 8);
}

static int end_by_thread(const char *how)
{
    pthread_t thread;
    if (!strcmp(how, "thread-exit"))
        pthread_create(&thread, NULL, exit_process, (void *)21);
    else if (!strcmp(how, "thread-fault"))
        pthread_create(&thread, NULL, fault, NULL);
    else if (!strcmp(how, "last-thread")) {
        pthread_create(&thread, NULL, exit_last, NULL);
        syscall(SYS_exit, 22);
    } else
        return 99;
    for (;;)
        pause();
}

static int end_by_signal(const char *name)
{
    static const struct {
        const char *name;
        int number;
    } signals[] = {{"term", SIGTERM},  {"kill", SIGKILL},  {"int", SIGINT},   {"pipe", SIGPIPE},
                   {"abort", SIGABRT}, {"alarm", SIGALRM}, {"usr1", SIGUSR1}, {"rt", 34},
                   {"quit", SIGQUIT},  {"xcpu", SIGXCPU}};
    for (unsigned i = 0; i < sizeof signals / sizeof signals[0]; i++)
        if (!strcmp(name, signals[i].name))
            kill(getpid(), signals[i].number);
    return 98;
}

static int end_by_fault(const char *kind)
{
    if (!strcmp(kind, "segv"))
        *(volatile int *)0 = 1;
    if (!strcmp(kind, "ill"))
        __asm__ volatile("udf #0");
    if (!strcmp(kind, "trap"))
        __asm__ volatile("brk #1");
    if (!strcmp(kind, "bus")) {
        int fd = open("/tmp/empty", O_RDWR | O_CREAT, 0600);
        char *p = mmap(NULL, 4096, PROT_READ, MAP_SHARED, fd, 0);
        (void)*(volatile char *)p;
    }
    if (!strcmp(kind, "ignored")) { // a fault that is ignored or blocked kills all the same
        signal(SIGSEGV, SIG_IGN);
        *(volatile int *)0 = 1;
    }
    if (!strcmp(kind, "overflow")) {
        char *p = __builtin_frame_address(0);
        for (;;)
            *(volatile char *)(p -= 4096) = 1;
    }
    return 97;
}

// The machine's end, not only the program's.
static int end_machine(const char *how)
{
    sleep(1); // the host sees what was printed
    syscall(SYS_reboot, 0xfee1dead, 672274793, !strcmp(how, "restart") ? 0x01234567 : 0x4321fedc,
            NULL);
    return 98;
}

int main(int argc, char **argv)
{
    const char *how = argc > 1 ? argv[1] : "";
    printf("ending: %s\n", how);
    fflush(stdout);
    if (!strcmp(how, "return"))
        return 7;
    if (!strcmp(how, "exit")) {
        atexit(at_exit);
        exit(300);
    }
    if (!strcmp(how, "_exit")) {
        atexit(at_exit);
        _exit(255);
    }
    if (!strncmp(how, "signal-", 7))
        return end_by_signal(how + 7);
    if (!strncmp(how, "fault-", 6))
        return end_by_fault(how + 6);
    if (!strncmp(how, "machine-", 8))
        return end_machine(how + 8);
    return end_by_thread(how);
}
