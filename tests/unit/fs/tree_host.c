/* SPDX-License-Identifier: MIT */
/* The operations of tree_test.c, as Linux does them: 0 or -errno. */
#include "tree_host.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

const char *const names[6] = {"a", "b", "c", "d", "long-name-of-a-file", "e"};
const unsigned rename_flags[7] = {0, 0, 0, 0, 1, 2, 2};
const unsigned falloc_modes[4] = {0, 1, 3, 16};

static int minus(long result)
{
    return result < 0 ? -errno : 0;
}

/* Writes a piece somewhere; the contents follow from n. */
size_t contents(unsigned n, char *data, uint64_t *position)
{
    size_t length = 1 + n % 9000;

    memset(data, 'A' + (int)(n % 26), length);
    *position = (n / 26) % 20000;
    return length;
}

int host_stat(const char *path, struct host_stat *out)
{
    struct stat stat;
    int error = minus(lstat(path, &stat));

    *out = (struct host_stat){stat.st_mode, (uint32_t)stat.st_nlink, (uint64_t)stat.st_size};
    return error;
}

ssize_t host_readlink(const char *path, char *buffer, size_t size)
{
    return readlink(path, buffer, size);
}

void host_umask(unsigned mask)
{
    umask(mask);
}

char *host_mkdtemp(char *name)
{
    return mkdtemp(name);
}

static int by_name(const void *a, const void *b)
{
    return strcmp(a, b);
}

void host_list_names(const char *path, char *text)
{
    char found[2000][256];
    DIR *dir = opendir(path);
    struct dirent *entry;
    unsigned count = 0;

    if (dir == NULL)
        abort();
    while ((entry = readdir(dir)) != NULL)
        snprintf(found[count++], 256, "%s", entry->d_name);
    closedir(dir);
    qsort(found, count, 256, by_name);
    text[0] = '\0';
    for (unsigned i = 0; i < count; i++) {
        strcat(text, found[i]);
        strcat(text, "\n");
    }
}

int host_mkdir(const char *a, const char *b, unsigned n)
{
    (void)b;
    return minus(mkdir(a, n & 1 ? 0755 : 01777));
}

int host_rmdir(const char *a, const char *b, unsigned n)
{
    (void)b;
    (void)n;
    return minus(rmdir(a));
}

int host_unlink(const char *a, const char *b, unsigned n)
{
    (void)b;
    (void)n;
    return minus(unlink(a));
}

int host_link(const char *a, const char *b, unsigned n)
{
    (void)n;
    return minus(link(a, b));
}

int host_symlink(const char *a, const char *b, unsigned n)
{
    (void)b;
    return minus(symlink(names[n % 6], a));
}

int host_rename(const char *a, const char *b, unsigned n)
{
    return minus(syscall(SYS_renameat2, AT_FDCWD, a, AT_FDCWD, b, rename_flags[n % 7]));
}

static const int flags[] = {1 | 0100, 1 | 0100 | 0200, 1, 1 | 0100 | 01000, 2 | 02000};

int host_write(const char *a, const char *b, unsigned n)
{
    char data[9001];
    uint64_t position;
    size_t length = contents(n, data, &position);
    int fd = open(a, flags[n % 5], 0640);
    int result;

    (void)b;
    if (fd < 0)
        return -errno;
    result = minus(pwrite(fd, data, length, (off_t)position));
    close(fd);
    return result;
}

int host_truncate(const char *a, const char *b, unsigned n)
{
    (void)b;
    return minus(truncate(a, n % 30000));
}

int host_fallocate(const char *a, const char *b, unsigned n)
{
    int fd = open(a, 2);
    int result;

    (void)b;
    if (fd < 0)
        return -errno;
    result = minus(syscall(SYS_fallocate, fd, falloc_modes[n % 3], (off_t)(n % 17000),
                           (off_t)(1 + n % 12345)));
    close(fd);
    return result;
}

int host_chmod(const char *a, const char *b, unsigned n)
{
    (void)b;
    return minus(chmod(a, 0700 | (n & 0077)));
}

int host_list(const char *a, const char *b, unsigned n)
{
    int fd = open(a, O_RDONLY | 0200000);

    (void)b;
    (void)n;
    if (fd < 0)
        return -errno;
    close(fd);
    return 0;
}
