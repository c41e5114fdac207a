/* SPDX-License-Identifier: MIT */
/* Says that it is there, then sleeps for the seconds of its argument: what an idle guest costs. */
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

int main(int argc, char **argv)
{
    printf("idle\n");
    fflush(stdout);
    sleep(argc > 1 ? (unsigned)atoi(argv[1]) : 10);
    return 0;
}
