/* SPDX-License-Identifier: MIT */
/*
 * Prints MemTotal, then touches seven tenths of the memory that is available and checks that every
 * page kept what was written.
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

enum { PAGE = 4096 };

/* The value in kB of a line of /proc/meminfo, 0 if there is none. */
static size_t meminfo(const char *name)
{
    FILE *file = fopen("/proc/meminfo", "r");
    char line[128];
    size_t value = 0;

    if (!file)
        return 0;
    while (fgets(line, sizeof line, file)) {
        if (strncmp(line, name, strlen(name)) == 0 && line[strlen(name)] == ':')
            value = strtoul(line + strlen(name) + 1, NULL, 10);
    }
    fclose(file);
    return value;
}

int main(void)
{
    size_t total = meminfo("MemTotal"), available = meminfo("MemAvailable");
    size_t size = available * 1024 / 10 * 7 / PAGE * PAGE;

    printf("MemTotal: %zu kB\nMemAvailable: %zu kB\n", total, available);
    if (size == 0) {
        fprintf(stderr, "memory: /proc/meminfo tells no MemAvailable\n");
        return 1;
    }
    unsigned char *area =
        mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    if (area == MAP_FAILED) {
        perror("mmap");
        return 1;
    }
    for (size_t at = 0; at < size; at += PAGE)
        *(uint64_t *)(area + at) = at ^ 0x5a5a5a5a5a5a5a5aU;
    for (size_t at = 0; at < size; at += PAGE) {
        if (*(uint64_t *)(area + at) != (at ^ 0x5a5a5a5a5a5a5a5aU)) {
            fprintf(stderr, "memory: page at offset %#zx changed\n", at);
            return 1;
        }
    }
    printf("touched %zu bytes\n", size);
    return 0;
}
