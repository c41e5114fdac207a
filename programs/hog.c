/* SPDX-License-Identifier: MIT */
/* Touches memory without end; what a guest does when it has none left. */
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>

int main(void)
{
    enum { STEP = 1 << 20 };

    for (;;) {
        void *area = mmap(NULL, STEP, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

        if (area == MAP_FAILED) {
            perror("mmap");
            return 1;
        }
        memset(area, 1, STEP);
    }
}
