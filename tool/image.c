/* SPDX-License-Identifier: MIT
 *
 * Reading and writing boot images.
 */
#include "image.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "erofs.h"
#include "message.h"
#include "sha256.h"

#define KERNEL_SIZE_MAX (64u << 20)

static bool read_headers(struct image *image)
{
    return pread(image->fd, &image->header, sizeof(image->header), 0) ==
               (ssize_t)sizeof(image->header) &&
           image->header.magic == IMAGE_MAGIC;
}

bool image_probe(const char *path)
{
    struct image image = {.fd = open(path, O_RDONLY | O_CLOEXEC)};
    bool result = image.fd >= 0 && read_headers(&image);

    if (image.fd >= 0)
        close(image.fd);
    return result;
}

static int check_remora_header(const struct image *image)
{
    const struct image_remora_header *remora = &image->remora;

    if (remora->magic != IMAGE_REMORA_MAGIC)
        return message_error("%s: an arm64 Image, but not Remora's; build one with `make`",
                             image->path);
    if (remora->version != IMAGE_REMORA_VERSION || remora->header_size != sizeof(*remora))
        return message_error("%s: image header version %u, this command knows %u; build kernel and "
                             "command from the same source",
                             image->path, remora->version, IMAGE_REMORA_VERSION);
    if (remora->kernel_size > KERNEL_SIZE_MAX)
        return message_error("%s: damaged: a kernel of %llu bytes; build it again", image->path,
                             (unsigned long long)remora->kernel_size);
    if (remora->root_offset == 0)
        return 0;
    if (remora->root_offset % IMAGE_ROOT_ALIGN || remora->root_offset > image->size ||
        remora->root_size > image->size - remora->root_offset)
        return message_error(
            "%s: damaged: its root should be %llu bytes at %llu, the file has %llu "
            "bytes; build it again",
            image->path, (unsigned long long)remora->root_size,
            (unsigned long long)remora->root_offset, (unsigned long long)image->size);
    return 0;
}

int image_open(struct image *image, const char *path)
{
    struct stat info;
    int status;

    *image = (struct image){.fd = open(path, O_RDONLY | O_CLOEXEC), .path = text_copy(path)};
    if (image->fd < 0 || fstat(image->fd, &info) < 0) {
        status = message_error("%s: %s", path, strerror(errno));
    } else {
        image->size = (uint64_t)info.st_size;
        if (!S_ISREG(info.st_mode) || !read_headers(image)) {
            status = message_error("%s: neither an image of `remora build` nor a kernel Image; for "
                                   "programs and packages there is `remora check`",
                                   path);
        } else {
            if (pread(image->fd, &image->remora, sizeof(image->remora), IMAGE_REMORA_OFFSET) !=
                (ssize_t)sizeof(image->remora))
                image->remora = (struct image_remora_header){0};
            status = check_remora_header(image);
        }
    }
    if (status)
        image_close(image);
    return status;
}

void image_close(struct image *image)
{
    if (image->fd >= 0)
        close(image->fd);
    free(image->path);
    *image = (struct image){.fd = -1};
}

int image_verify_root(const struct image *image)
{
    uint8_t digest[SHA256_SIZE];
    int error = sha256_file(image->fd, image->remora.root_offset, image->remora.root_size, digest);

    if (error)
        return message_error("%s: reading the root: %s", image->path, strerror(-error));
    if (memcmp(digest, image->remora.root_digest, SHA256_SIZE) != 0)
        return message_error("%s: the root image is corrupt (its digest differs); build it again, "
                             "or copy it again from where it is whole",
                             image->path);
    return 0;
}

int image_read_root(const struct image *image, struct tree *tree)
{
    const char *why;
    int error =
        erofs_read(tree, image->fd, image->remora.root_offset, image->remora.root_size, &why);

    if (error == -EBADMSG)
        return message_error("%s: the root image is corrupt: %s; build it again", image->path, why);
    if (error)
        return message_error("%s: reading the root: %s", image->path, strerror(-error));
    return 0;
}

/* --- Writing -----------------------------------------------------------------------------------
 */

static int write_failed(const char *name)
{
    return message_error("%s: cannot be written: %s", name, strerror(errno));
}

static int copy_bytes(int from, uint64_t offset, uint64_t length, int to, uint64_t at,
                      const char *name)
{
    static char part[1 << 18];

    for (uint64_t done = 0; done < length;) {
        size_t want = length - done < sizeof(part) ? (size_t)(length - done) : sizeof(part);
        ssize_t got = pread(from, part, want, (off_t)(offset + done));

        if (got <= 0)
            return message_error("%s: what goes into it cannot be read: %s", name,
                                 got < 0 ? strerror(errno) : "it ends too early");
        if (pwrite(to, part, (size_t)got, (off_t)(at + done)) != got)
            return write_failed(name);
        done += (uint64_t)got;
    }
    return 0;
}

/* What the file holds of the kernel: .bss is not stored, unless a root lies behind it. */
static uint64_t kernel_length(const struct image *kernel)
{
    uint64_t length = kernel->remora.kernel_size;

    return length && length <= kernel->size ? length : kernel->size;
}

/* Behind the kernel's .bss. */
static uint64_t place_of_root(const struct image *kernel)
{
    uint64_t end = kernel->remora.kernel_size ? kernel->remora.kernel_size : kernel->size;

    return (end + IMAGE_ROOT_ALIGN - 1) / IMAGE_ROOT_ALIGN * IMAGE_ROOT_ALIGN;
}

/* The kernel with headers that name the root, if it has one. */
static int write_kernel(const struct image *kernel, uint64_t root_size, const uint8_t *digest,
                        int fd, const char *name)
{
    struct image_remora_header remora = kernel->remora;
    struct image_header header = kernel->header;
    int status = copy_bytes(kernel->fd, 0, kernel_length(kernel), fd, 0, name);

    if (status)
        return status;
    remora.root_offset = root_size ? place_of_root(kernel) : 0;
    remora.root_size = root_size;
    memset(remora.root_digest, 0, sizeof(remora.root_digest));
    if (root_size)
        memcpy(remora.root_digest, digest, sizeof(remora.root_digest));
    header.image_size = place_of_root(kernel) + root_size;
    if (pwrite(fd, &header, sizeof(header), 0) != (ssize_t)sizeof(header) ||
        pwrite(fd, &remora, sizeof(remora), IMAGE_REMORA_OFFSET) != (ssize_t)sizeof(remora))
        return write_failed(name);
    return 0;
}

int image_write_kernel(const struct image *kernel, int fd, const char *name)
{
    return write_kernel(kernel, 0, NULL, fd, name);
}

int image_write(const struct image *kernel, struct tree *tree, int fd, const char *name)
{
    uint8_t digest[SHA256_SIZE];
    uint64_t size;
    int status = erofs_write(tree, fd, place_of_root(kernel), &size);
    int error;

    if (status)
        return status;
    error = sha256_file(fd, place_of_root(kernel), size, digest);
    if (error)
        return message_error("%s: %s", name, strerror(-error));
    return write_kernel(kernel, size, digest, fd, name);
}

int image_write_root(const struct image *kernel, int root_fd, uint64_t offset, uint64_t length,
                     const uint8_t digest[32], int fd, const char *name)
{
    int status = write_kernel(kernel, length, digest, fd, name);

    return status ? status : copy_bytes(root_fd, offset, length, fd, place_of_root(kernel), name);
}

/* The file that is being written; a signal that ends the command takes it away. */
static const char *volatile unfinished;
static const int ending_signals[] = {SIGHUP, SIGINT, SIGTERM};

static void remove_unfinished(int number)
{
    const char *path = unfinished;

    if (path)
        unlink(path);
    raise(number); /* SA_RESETHAND: its default action now */
}

/* Signals that the caller or nohup ignores stay ignored. */
static void watch_signals(const char *path)
{
    struct sigaction action = {.sa_handler = remove_unfinished, .sa_flags = (int)SA_RESETHAND};

    unfinished = path;
    for (size_t i = 0; i < sizeof(ending_signals) / sizeof(ending_signals[0]); i++) {
        struct sigaction old;

        sigaction(ending_signals[i], NULL, &old);
        if (old.sa_handler == (path ? SIG_DFL : remove_unfinished))
            sigaction(ending_signals[i],
                      path ? &action : &(struct sigaction){.sa_handler = SIG_DFL}, NULL);
    }
}

int file_begin(const char *path, char **temporary)
{
    struct stat info;
    int fd;

    if (stat(path, &info) == 0 && !S_ISREG(info.st_mode)) {
        message_error("%s: is a %s", path,
                      S_ISDIR(info.st_mode) ? "folder; name a file in it"
                                            : "device, pipe or socket; name a file");
        return -1;
    }
    *temporary = text_format("%s.XXXXXX", path);
    fd = mkostemp(*temporary, O_CLOEXEC);
    if (fd < 0) {
        message_error("%s: cannot be written: %s; choose another place", path, strerror(errno));
        free(*temporary);
    } else {
        watch_signals(*temporary);
    }
    return fd;
}

int file_finish(int fd, char *temporary, const char *path, int status)
{
    mode_t mask = umask(0);

    umask(mask);
    if (status == 0 && (fchmod(fd, 0666 & ~mask) < 0 || rename(temporary, path) < 0))
        status = write_failed(path);
    if (close(fd) < 0 && status == 0)
        status = write_failed(path);
    if (status)
        unlink(temporary);
    watch_signals(NULL);
    free(temporary);
    return status;
}
