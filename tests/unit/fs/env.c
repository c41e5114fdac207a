/* SPDX-License-Identifier: MIT */
/* The rest of the kernel as kernel/fs sees it on the host, and helpers of its tests. */
#include "env.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <arch/uaccess.h>
#include <core/clock.h>
#include <core/defer.h>
#include <core/wait.h>
#include <device/rng.h>
#include <file/async.h>
#include <file/epoll.h>
#include <file/file.h>
#include <file/pipe.h>
#include <fs/context.h>
#include <fs/mount.h>
#include <fs/open.h>
#include <lib/errno.h>

static const struct cred *acting = &cred_root;

const struct cred *cred_current(void)
{
    return acting;
}

void env_act_as(const struct cred *cred)
{
    acting = cred;
}

struct fs_context *fs_current(void)
{
    return &fs_init_context;
}

/* Nobody else runs, so what is given back can go at once. */
void defer_read_begin(void)
{
}

void defer_read_end(void)
{
}

void defer_free(struct deferred *deferred, void (*run)(struct deferred *deferred))
{
    run(deferred);
}

uint64_t clock_realtime_ns(void)
{
    static uint64_t ns = 1700000000ull * NS_PER_SECOND;

    return ns += 1000;
}

unsigned waitq_wake(struct waitq *queue, unsigned max, unsigned events)
{
    (void)queue;
    (void)max;
    (void)events;
    return 0;
}

/* A sleep ends at once, as if a signal came. */
void waiter_init(struct waiter *waiter)
{
    memset(waiter, 0, sizeof(*waiter));
}

void waitq_add(struct waitq *queue, struct waiter *waiter)
{
    waiter->queue = queue;
}

void waitq_remove(struct waiter *waiter)
{
    waiter->queue = NULL;
}

void thread_prepare_sleep(enum wait_how how)
{
    (void)how;
}

int thread_sleep(uint64_t deadline_ns)
{
    (void)deadline_ns;
    return -ERESTARTSYS;
}

void thread_cancel_sleep(void)
{
}

void rng_bytes(void *to, size_t size)
{
    memset(to, 0x5a, size);
}

void file_async_release(struct file *file)
{
    (void)file;
}

int file_async_set(struct file *file, int number, bool on)
{
    (void)file;
    (void)number;
    (void)on;
    return 0;
}

void epoll_file_released(struct file *file)
{
    (void)file;
}

int fifo_open(struct pipe **slot, struct file *file)
{
    (void)slot;
    (void)file;
    return -ENXIO;
}

uint64_t file_size_limit(void)
{
    return UINT64_MAX;
}

void file_signal(int signal)
{
    (void)signal;
}

size_t copy_to_user_partial(vaddr_t to, const void *from, size_t size)
{
    memcpy((void *)to, from, size);
    return 0;
}

size_t copy_from_user_partial(void *to, vaddr_t from, size_t size)
{
    memcpy(to, (const void *)from, size);
    return 0;
}

size_t clear_user_partial(vaddr_t to, size_t size)
{
    memset((void *)to, 0, size);
    return 0;
}

void env_start(const void *image, size_t size)
{
    static bool started;
    int error;

    assert_false(started);
    started = true;
    env_pages_init();
    fs_init();
    if (image != NULL)
        error = fs_mount_root((paddr_t)(uintptr_t)image, size, 0);
    else
        error = fs_mount_empty_root(0);
    assert_int_equal(error, 0);
    assert_int_equal(fs_mount_system(), 0);
}

void *env_make_image(const char *directory, const char *options, size_t *size)
{
    char name[] = "/tmp/erofs-XXXXXX", command[4096];
    int fd = mkstemp(name);
    FILE *file;
    void *image;

    assert_true(fd >= 0);
    snprintf(command, sizeof(command),
             "mkfs.erofs --quiet -T0 -U 00000000-0000-0000-0000-000000000000 %s %s %s >/dev/null",
             options, name, directory);
    if (system(command) != 0)
        skip();
    file = fdopen(fd, "rb");
    fseek(file, 0, SEEK_END);
    *size = (size_t)ftell(file);
    rewind(file);
    image = aligned_alloc(4096, (*size + 4095) & ~4095ul);
    assert_int_equal(fread(image, 1, *size, file), *size);
    fclose(file);
    unlink(name);
    return image;
}

int env_open(const char *name, unsigned flags, uint32_t mode, struct file **out)
{
    struct open_request request = {.flags = flags, .mode = mode};

    return fs_open(NULL, name, &request, out);
}

ssize_t env_write(const char *name, uint64_t position, const void *data, size_t size)
{
    struct file *file;
    ssize_t result = env_open(name, O_WRONLY | O_CREAT, 0644, &file);

    if (result != 0)
        return result;
    result = file_write_kernel(file, data, size, position);
    file_unref(file);
    return result;
}

ssize_t env_read(const char *name, uint64_t position, void *data, size_t size)
{
    struct file *file;
    ssize_t result = env_open(name, O_RDONLY, 0, &file);

    if (result != 0)
        return result;
    result = file_read_kernel(file, data, size, position);
    file_unref(file);
    return result;
}

int env_stat(const char *name, struct inode_stat *stat)
{
    struct path path;
    int error = path_lookup(NULL, name, 0, &path);

    if (error != 0)
        return error;
    error = fs_stat(&path, stat);
    path_unref(&path);
    return error;
}

int env_truncate(const char *name, uint64_t size)
{
    struct path path;
    int error = path_lookup(NULL, name, LOOKUP_FOLLOW, &path);

    if (error != 0)
        return error;
    error = fs_truncate(&path, size);
    path_unref(&path);
    return error;
}

ssize_t env_readlink(const char *name, char *buffer, size_t size)
{
    struct path path;
    ssize_t result = path_lookup(NULL, name, 0, &path);

    if (result != 0)
        return result;
    result = fs_readlink(&path, buffer, size);
    path_unref(&path);
    return result;
}

/* Takes three entries at a time, so that positions are put to the test. */
struct listing {
    struct dir_sink sink;
    char (*names)[256];
    size_t count, taken;
};

static bool take(struct dir_sink *sink, const char *name, size_t len, uint64_t ino, unsigned type,
                 uint64_t next)
{
    struct listing *listing = container_of(sink, struct listing, sink);

    (void)ino;
    (void)type;
    (void)next;
    if (listing->taken == 3)
        return false;
    memcpy(listing->names[listing->count], name, len);
    listing->names[listing->count][len] = '\0';
    listing->count++;
    listing->taken++;
    return true;
}

static int by_name(const void *a, const void *b)
{
    return strcmp(a, b);
}

int env_list(const char *name, char *buffer, size_t size)
{
    struct listing listing = {{take}, calloc(4096, 256), 0, 0};
    struct file *file;
    int error = env_open(name, O_RDONLY | O_DIRECTORY, 0, &file);
    size_t used = 0;

    if (error == 0) {
        do {
            listing.taken = 0;
            error = file->ops->readdir(file, &listing.sink);
        } while (error == 0 && listing.taken > 0);
        file_unref(file);
    }
    qsort(listing.names, listing.count, 256, by_name);
    buffer[0] = '\0';
    for (size_t i = 0; i < listing.count; i++)
        used += (size_t)snprintf(buffer + used, size - used, "%s\n", listing.names[i]);
    free(listing.names);
    return error;
}

/* What stays mounted is no leak, and the array of struct page is not looked through. */
const char *__asan_default_options(void);
const char *__asan_default_options(void)
{
    return "detect_leaks=0";
}

/* The host has no disks. */
void disks_register(void)
{
}
