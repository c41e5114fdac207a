/* SPDX-License-Identifier: MIT */
/* Writes a file until the file system is full, says so, and shows that the space comes back. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* Bytes that fit into a new file before a write fails; the error in *error. */
static long long fill(const char *path, int *error)
{
    static char block[1 << 16];
    long long total = 0;
    int file = open(path, O_CREAT | O_WRONLY | O_TRUNC, 0600);

    if (file < 0) {
        *error = errno;
        return -1;
    }
    for (;;) {
        ssize_t count = write(file, block, sizeof block);

        if (count <= 0) {
            *error = count < 0 ? errno : 0;
            break;
        }
        total += count;
    }
    close(file);
    unlink(path);
    return total;
}

int main(int argc, char **argv)
{
    const char *path = argc > 1 ? argv[1] : "/fill";
    int first_error = 0, second_error = 0;
    long long first = fill(path, &first_error), second = fill(path, &second_error);

    printf("first: %lld bytes, %s\n", first, strerror(first_error));
    printf("second: %lld bytes, %s\n", second, strerror(second_error));
    return first > 0 && second > first / 2 && first_error == ENOSPC && second_error == ENOSPC ? 0
                                                                                              : 1;
}
