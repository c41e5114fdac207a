/* SPDX-License-Identifier: MIT */
/* Reads a page again and again; tells the SIGBUS that comes when nothing answers, and goes on. For
 * test_aborts.py. */
#define _GNU_SOURCE
#include <setjmp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

static sigjmp_buf back;

static void on_bus_error(int number, siginfo_t *info, void *context)
{
    (void)number;
    (void)context;
    printf("SIGBUS code %d at %p\n", info->si_code, info->si_addr);
    siglongjmp(back, 1);
}

int main(void)
{
    struct sigaction action = {.sa_sigaction = on_bus_error, .sa_flags = SA_SIGINFO};
    char *page = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    sigaction(SIGBUS, &action, NULL);
    strcpy(page, "page to move");
    printf("mapped %p\n", page);
    fflush(stdout);
    for (int i = 0; i < 500 && sigsetjmp(back, 1) == 0; i++) {
        usleep(10000);
        /* Taken from the TLB, so that the entry counts that is in the table. */
        mprotect(page, 4096, PROT_NONE);
        mprotect(page, 4096, PROT_READ);
        (void)*(volatile char *)page;
    }
    printf("and on\n");
    fflush(stdout);
    _exit(0);
}
