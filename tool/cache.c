/* SPDX-License-Identifier: MIT
 *
 * Where the cache is, what it holds, and throwing it away.
 */
#include "cache.h"

#include <errno.h>
#include <fcntl.h>
#include <fts.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "buffer.h"
#include "message.h"

static char *cache_path(void)
{
    const char *cache = getenv("XDG_CACHE_HOME");
    const char *home = getenv("HOME");

    if (cache && cache[0] == '/')
        return text_format("%s/remora", cache);
    if (home && home[0] == '/')
        return text_format("%s/.cache/remora", home);
    return NULL;
}

int make_folders(const char *path)
{
    char *copy = text_copy(path);
    int result = 0;

    for (char *slash = copy + 1; result == 0; slash++) {
        slash = strchr(slash, '/');
        if (slash)
            *slash = '\0';
        if (mkdir(copy, 0777) < 0 && errno != EEXIST) {
            int error = errno;

            if (error != EROFS || access(copy, F_OK) < 0)
                result = -error;
        }
        if (slash == NULL)
            break;
        *slash = '/';
    }
    free(copy);
    return result;
}

char *cache_folder(const char *name)
{
    char *cache = cache_path();
    char *path;
    int error;

    if (cache == NULL) {
        message_error("neither XDG_CACHE_HOME nor HOME is set; set one to say where the cache is");
        return NULL;
    }
    path = *name ? text_format("%s/%s", cache, name) : text_copy(cache);
    free(cache);
    error = make_folders(path);
    if (error == 0 && access(path, W_OK | X_OK) < 0)
        error = -errno;
    if (error == 0)
        return path;
    message_error("the cache %s cannot be written: %s; set XDG_CACHE_HOME to a folder that can",
                  path, strerror(-error));
    free(path);
    return NULL;
}

int cache_spool(void)
{
    char *folder = cache_folder("run"), *path;
    int fd;

    if (folder == NULL)
        return -1;
    path = text_format("%s/unpack.XXXXXX", folder);
    fd = mkostemp(path, O_CLOEXEC);
    if (fd < 0)
        message_error("%s: %s", path, strerror(errno));
    else
        unlink(path);
    free(folder);
    free(path);
    return fd;
}

bool cache_has_room(uint64_t bytes)
{
    char *cache = cache_path();
    struct statvfs info;
    bool known = cache && statvfs(cache, &info) == 0;

    free(cache);
    return !known || (uint64_t)info.f_bavail * info.f_frsize >= bytes;
}

/* "12 MiB are free in FOLDER" for messages. */
char *cache_room(void)
{
    char *cache = cache_path(), *text = NULL;
    struct statvfs info;

    if (cache && statvfs(cache, &info) == 0)
        text = text_format("%llu MiB are free in %s",
                           (unsigned long long)info.f_bavail * info.f_frsize >> 20, cache);
    free(cache);
    return text ? text : text_copy("see `df`");
}

static uint64_t folder_size(const char *path, unsigned *files)
{
    char *roots[] = {(char *)path, NULL};
    FTS *walk = fts_open(roots, FTS_PHYSICAL | FTS_NOCHDIR, NULL);
    uint64_t total = 0;
    FTSENT *entry;

    *files = 0;
    while (walk && (entry = fts_read(walk)))
        if (entry->fts_info == FTS_F) {
            total += (uint64_t)entry->fts_statp->st_size;
            ++*files;
        }
    if (walk)
        fts_close(walk);
    return total;
}

static const char *const folders[][2] = {
    {"apt", "packages and their lists"},
    {"images", "images of packages"},
    {"closures", "which packages a name needs"},
    {"run", "images of running programs"},
};

int cache_list(void)
{
    char *cache = cache_path();

    if (cache == NULL)
        return message_error("neither XDG_CACHE_HOME nor HOME is set");
    printf("%s\n", cache);
    for (size_t i = 0; i < sizeof(folders) / sizeof(folders[0]); i++) {
        char *path = text_format("%s/%s", cache, folders[i][0]);
        unsigned files;
        uint64_t size = folder_size(path, &files);

        printf("  %-9s %8.1f MiB %6u files  %s\n", folders[i][0], (double)size / (1 << 20), files,
               folders[i][1]);
        free(path);
    }
    free(cache);
    return 0;
}

static int remove_folder(const char *path)
{
    char *roots[] = {(char *)path, NULL};
    FTS *walk = fts_open(roots, FTS_PHYSICAL | FTS_NOCHDIR, NULL);
    FTSENT *entry;
    int status = 0;

    while (walk && (entry = fts_read(walk))) {
        if (entry->fts_info == FTS_D || entry->fts_info == FTS_NS)
            continue;
        if (remove(entry->fts_path) < 0 && errno != ENOENT)
            status = message_error("%s: %s", entry->fts_path, strerror(errno));
    }
    if (walk)
        fts_close(walk);
    return status;
}

int cache_prune(void)
{
    char *cache = cache_path();
    unsigned files;
    uint64_t size;
    int status = 0;

    if (cache == NULL)
        return message_error("neither XDG_CACHE_HOME nor HOME is set");
    size = folder_size(cache, &files);
    for (size_t i = 0; i < sizeof(folders) / sizeof(folders[0]); i++) {
        char *path = text_format("%s/%s", cache, folders[i][0]);
        int part = remove_folder(path);

        status = part ? part : status;
        free(path);
    }
    if (status == 0)
        printf("%s: %u files, %.1f MiB removed\n", cache, files, (double)size / (1 << 20));
    free(cache);
    return status;
}
