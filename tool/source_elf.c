/* SPDX-License-Identifier: MIT
 *
 * An ELF file as a SOURCE: it becomes /usr/local/bin/NAME, and what it needs is taken from the
 * folders given with --sysroot.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "elf.h"
#include "library.h"
#include "root.h"

static const char *base_name(const char *path)
{
    const char *slash = strrchr(path, '/');

    return slash ? slash + 1 : path;
}

static char *read_host_file(const char *path, size_t *size)
{
    struct stat info;
    char *data = NULL;
    int fd = open(path, O_RDONLY | O_CLOEXEC);

    if (fd >= 0 && fstat(fd, &info) == 0 && S_ISREG(info.st_mode)) {
        ssize_t got = 0;

        *size = 0;
        data = memory_alloc((size_t)info.st_size + 1);
        while (*size < (size_t)info.st_size &&
               (got = read(fd, data + *size, (size_t)info.st_size - *size)) > 0)
            *size += (size_t)got;
        if (got < 0) {
            free(data);
            data = NULL;
        }
    } else if (fd >= 0) {
        errno = S_ISDIR(info.st_mode) ? EISDIR : EINVAL;
    }
    if (fd >= 0)
        close(fd);
    return data;
}

/* --- Libraries from --sysroot. -----------------------------------------------------------------
 */

static const char *const sysroot_folders[] = {
    "lib/aarch64-linux-gnu",
    "usr/lib/aarch64-linux-gnu",
    "lib/aarch64-linux-musl",
    "usr/lib/aarch64-linux-musl",
    "lib",
    "usr/lib",
    "lib64",
    "usr/lib64",
    ".",
};

struct gathering {
    struct root *root;
    const struct options *options;
    const char *interpreter; /* of the program: tells which C library, and so where libraries go */
};

static char *find_in_sysroot(const struct options *options, const char *name)
{
    for (size_t i = 0; i < options->sysroot.count; i++)
        for (size_t n = 0; n < sizeof(sysroot_folders) / sizeof(sysroot_folders[0]); n++) {
            char *path =
                text_format("%s/%s/%s", options->sysroot.item[i], sysroot_folders[n], name);

            if (access(path, R_OK) == 0)
                return path;
            free(path);
        }
    return NULL;
}

static int add_from_sysroot(struct gathering *gathering, const char *name, const char *guest_path);

static int add_needs(struct gathering *gathering, const char *guest_path, const struct elf *elf)
{
    const char *folder =
        library_is_musl(gathering->interpreter) ? "/usr/lib" : "/usr/lib/aarch64-linux-gnu";
    const struct tree *tree = &gathering->root->tree;
    int status = 0;

    if (elf->interpreter && tree_find(tree, elf->interpreter, true) == NULL)
        status = add_from_sysroot(gathering, base_name(elf->interpreter), elf->interpreter);
    for (size_t i = 0; status == 0 && i < elf->needed.count; i++) {
        const char *soname = elf->needed.item[i];
        char *found = library_find(tree, soname, guest_path, elf, NULL);
        char *place = text_format("%s/%s", folder, soname);

        if (found == NULL && !library_is_loader(gathering->interpreter, soname))
            status = add_from_sysroot(gathering, soname, place);
        free(place);
        free(found);
    }
    return status;
}

/* What is not there is left out: the check of the program reports it. */
static int add_from_sysroot(struct gathering *gathering, const char *name, const char *guest_path)
{
    char *host_path = find_in_sysroot(gathering->options, name);
    struct elf elf = {0};
    size_t size;
    char *data = host_path ? read_host_file(host_path, &size) : NULL;
    int status = 0;

    if (data) {
        message_verbose("%s from %s", guest_path, host_path);
        if (tree_add_host_file(&gathering->root->tree, guest_path, 0755, host_path) < 0)
            status = message_error("%s: cannot be put into the root", guest_path);
        else if (elf_parse(&elf, data, size) == ELF_OK)
            status = add_needs(gathering, guest_path, &elf);
        elf_free(&elf);
    }
    free(data);
    free(host_path);
    return status;
}

int source_elf_load(struct root *root, const char *path, const struct options *options)
{
    const char *base = base_name(path);
    struct elf elf = {0};
    char *guest_path;
    size_t size;
    char *data = read_host_file(path, &size);
    int status = 0;

    if (data == NULL && errno == EINVAL)
        return message_fail(FRAME_STATUS_CANNOT_EXEC,
                            "%s: a device, pipe or socket; SOURCE is an ELF file, a folder with "
                            "remora.conf, deb:NAME, oci:PATH or an image",
                            path);
    if (data == NULL)
        return message_fail(errno == ENOENT ? FRAME_STATUS_NOT_FOUND : STATUS_ERROR, "%s: %s", path,
                            strerror(errno));
    if (elf_parse(&elf, data, size) != ELF_OK)
        status = message_fail(FRAME_STATUS_CANNOT_EXEC, "%s: %s", path, elf.message);
    guest_path = text_format("/usr/local/bin/%s", base);
    if (status == 0 && tree_add_host_file(&root->tree, guest_path, 0755, path) < 0)
        status = message_error("%s: cannot be put into the root as %s", path, guest_path);
    if (status == 0)
        status = add_needs(&(struct gathering){root, options, elf.interpreter}, guest_path, &elf);
    elf_free(&elf);
    if (status == 0) {
        free(root->manifest.exec);
        root->manifest.exec = text_copy(guest_path);
        words_clear(&root->manifest.args);
        words_add(&root->manifest.args, base);
        if (root->manifest.name == NULL)
            root->manifest.name = text_copy(base);
    }
    free(guest_path);
    free(data);
    return status;
}
