/* SPDX-License-Identifier: MIT */
/* The first program: greets, prints its arguments, and ends with the status that EXIT_STATUS names.
 */
#include <stdio.h>
#include <stdlib.h>

int main(int argc, char **argv)
{
    const char *status = getenv("EXIT_STATUS");

    printf("hello, world");
    for (int i = 1; i < argc; i++)
        printf(" %s", argv[i]);
    printf("\n");
    return status ? atoi(status) : 0;
}
