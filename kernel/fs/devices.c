/* SPDX-License-Identifier: MIT */
/* The devices that are nothing but memory: null, zero, full, random, urandom; see mem(4), full(4),
 * random(4). And the links in /dev that programs expect. */
#include <device/rng.h>
#include <file/file.h>
#include <file/pseudo.h>
#include <lib/errno.h>
#include <lib/minmax.h>
#include <lib/string.h>

#include "fs.h"

static ssize_t null_read(struct file *file, struct io *io)
{
    (void)file;
    (void)io;
    return 0;
}

static ssize_t sink_write(struct file *file, struct io *io)
{
    size_t length = io->left;

    (void)file;
    io_skip(io, length);
    return (ssize_t)length;
}

static ssize_t zero_read(struct file *file, struct io *io)
{
    (void)file;
    return io_zero(io, io->left);
}

static ssize_t full_write(struct file *file, struct io *io)
{
    (void)file;
    return io->left == 0 ? 0 : -ENOSPC;
}

/* Private mappings of /dev/zero are anonymous memory; shared ones get an object of their own. */
static struct vm_object *zero_object(struct file *file)
{
    (void)file;
    return object_create_shared();
}

static ssize_t random_read(struct file *file, struct io *io)
{
    uint8_t bytes[256];
    size_t start = io->done;
    ssize_t moved = 0;

    (void)file;
    while (io->left > 0) {
        size_t piece = min(io->left, sizeof(bytes));

        rng_bytes(bytes, piece);
        moved = io_copy_to(io, bytes, piece);
        if (moved < (ssize_t)piece)
            break;
    }
    memzero_explicit(bytes, sizeof(bytes));
    return io->done > start || moved >= 0 ? (ssize_t)(io->done - start) : moved;
}

static int64_t no_seek(struct file *file, int64_t offset, int whence)
{
    (void)file;
    (void)offset;
    (void)whence;
    return 0;
}

static const struct file_ops null_ops = {
    .flags = FILE_OPS_NOPOS, .read = null_read, .write = sink_write, .seek = no_seek};
static const struct file_ops zero_ops = {.flags = FILE_OPS_NOPOS,
                                         .read = zero_read,
                                         .write = sink_write,
                                         .seek = no_seek,
                                         .object = zero_object};
static const struct file_ops full_ops = {
    .flags = FILE_OPS_NOPOS, .read = zero_read, .write = full_write, .seek = no_seek};
static const struct file_ops random_ops = {
    .flags = FILE_OPS_NOPOS, .read = random_read, .write = sink_write, .seek = no_seek};

void devices_register(void)
{
    static const struct {
        const char *name;
        struct char_device device;
    } devices[] = {
        {"null", {.ops = &null_ops, .major = 1, .minor = 3}},
        {"zero", {.ops = &zero_ops, .major = 1, .minor = 5}},
        {"full", {.ops = &full_ops, .major = 1, .minor = 7}},
        {"random", {.ops = &random_ops, .major = 1, .minor = 8}},
        {"urandom", {.ops = &random_ops, .major = 1, .minor = 9}},
    };

    for (size_t i = 0; i < ARRAY_SIZE(devices); i++)
        dev_register(devices[i].name, 0666, &devices[i].device);
    pseudo_register_link(PSEUDO_DEV, "fd", "/proc/self/fd");
    pseudo_register_link(PSEUDO_DEV, "stdin", "/proc/self/fd/0");
    pseudo_register_link(PSEUDO_DEV, "stdout", "/proc/self/fd/1");
    pseudo_register_link(PSEUDO_DEV, "stderr", "/proc/self/fd/2");
    pseudo_register_dir(PSEUDO_DEV, "shm");
    pseudo_register_dir(PSEUDO_DEV, "pts");
}
