/* SPDX-License-Identifier: MIT
 *
 * Boot images (abi/image.h): a kernel, and a kernel with a root appended.
 */
#ifndef TOOL_IMAGE_H
#define TOOL_IMAGE_H

#include <stdint.h>

#include "tree.h"

#include <abi/image.h>

struct image {
    int fd;
    char *path;
    uint64_t size; /* of the file */
    struct image_header header;
    struct image_remora_header remora; /* all zero when the file has none */
};

/* True if the file starts with an arm64 Image header. */
bool image_probe(const char *path);

/* Opens and checks a Remora image, with or without a root. Reports. */
int image_open(struct image *image, const char *path);
void image_close(struct image *image);

/* Compares the root with its digest. Reports. */
int image_verify_root(const struct image *image);

/* Writes the kernel and behind it the root to fd. Reports; name is for its messages. */
int image_write(const struct image *kernel, struct tree *tree, int fd, const char *name);

/* The same with a root that was written before: length bytes of root_fd from offset. */
int image_write_root(const struct image *kernel, int root_fd, uint64_t offset, uint64_t length,
                     const uint8_t digest[32], int fd, const char *name);

/* Writes the kernel alone. Reports. */
int image_write_kernel(const struct image *kernel, int fd, const char *name);

/* The root of an image as a tree, whose nodes refer to image->fd. Reports. */
int image_read_root(const struct image *image, struct tree *tree);

/* A file that is there whole or not at all: file_begin makes a temporary file beside path
 * (descriptor, or -1 after a report), file_finish gives it its name, or removes it when status is
 * not 0. Returns status, or that of a report. */
int file_begin(const char *path, char **temporary);
int file_finish(int fd, char *temporary, const char *path, int status);

#endif
