// SPDX-License-Identifier: MIT
// For test_balloon.py: tells what memory it sees, five times a second; `report` first takes 200 MB
// and gives them back, `hungry` takes 48 MB once little is left.
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

static char *take(size_t size)
{
    char *memory = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    memset(memory, 0x5a, size);
    return memory;
}

static long available(void)
{
    char text[2048] = "", *found;
    int fd = open("/proc/meminfo", O_RDONLY);
    read(fd, text, sizeof text - 1);
    close(fd);
    found = strstr(text, "MemAvailable:");
    return found ? atol(found + 13) : -1;
}

int main(int argc, char **argv)
{
    const char *mode = argc > 1 ? argv[1] : "";
    int little = 0;
    setbuf(stdout, NULL);
    if (strcmp(mode, "report") == 0) {
        char *memory = take(200 << 20);
        for (int i = 0; i < 10; i++, usleep(200000))
            puts("touched");
        munmap(memory, 200 << 20);
    }
    for (int i = 0; i < 400; i++, usleep(200000)) {
        long kilobytes = available();
        printf("available %ld\n", kilobytes);
        if (strcmp(mode, "hungry") == 0 && kilobytes < 24 << 10 && ++little == 10) {
            char *memory = take(48 << 20);
            for (size_t at = 0; at < 48 << 20; at += 4096) {
                if (memory[at] != 0x5a)
                    return 1;
            }
            puts("fed");
        }
    }
    return 0;
}
