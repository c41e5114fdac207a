/* SPDX-License-Identifier: MIT */
/* Shares of the host, mounted where remora.volume= (abi/bootargs.h) says. */
#include "root.h"

#include <abi/bootargs.h>
#include <core/log.h>
#include <device/firmware.h>
#include <device/machine.h>
#include <device/p9dev.h>
#include <fs/mount.h>
#include <fs/path.h>
#include <lib/errno.h>
#include <lib/parse.h>
#include <lib/string.h>
#include <mm/slab.h>

/* The next `key=value` behind *at: its value, and *at behind it. */
static const char *next_value(const char **at, const char *key, size_t *length)
{
    size_t key_length = strlen(key);

    while (**at != '\0') {
        const char *word = *at + strspn(*at, " ");
        size_t size = strcspn(word, " ");

        *at = word + size;
        if (size > key_length && memcmp(word, key, key_length) == 0 && word[key_length] == '=') {
            *length = size - key_length - 1;
            return word + key_length + 1;
        }
    }
    return NULL;
}

/* A copy with %XX decoded. */
static void decode(char *to, const char *from, size_t length)
{
    for (size_t i = 0; i < length; i++) {
        char digits[3] = {0};
        uint32_t value;

        if (from[i] == '%' && length - i > 2)
            memcpy(digits, from + i + 1, 2);
        if (parse_u32(digits, 16, &value, NULL) == 0)
            i += 2;
        else
            value = (uint8_t)from[i];
        *to++ = (char)value;
    }
    *to = '\0';
}

/* The directory, and those above it that are missing. */
static int make_directories(char *path)
{
    int error = 0;

    for (char *at = path + 1; error == 0; at++) {
        char end = *at;

        if (end != '/' && end != '\0')
            continue;
        *at = '\0';
        error = fs_mkdir(NULL, path, 0755);
        *at = end;
        if (error == -EEXIST)
            error = 0;
        if (end == '\0')
            break;
    }
    return error;
}

/* "tag:/path[:ro]", which is changed. */
static int mount_volume(char *text)
{
    char *path = strchr(text, ':');
    size_t length = strlen(text);
    unsigned flags = MS_NODEV;
    int error;

    if (path == NULL || path[1] != '/')
        return -EINVAL;
    if (length > 3 && strcmp(text + length - 3, ":ro") == 0) {
        text[length - 3] = '\0';
        flags |= MS_RDONLY;
    }
    *path++ = '\0';
    error = make_directories(path);
    if (error == 0)
        error = fs_mount(text, NULL, path, "9p", flags, NULL);
    if (error != 0)
        log_error("share '%s' cannot be mounted on %s: %s (error %d)", text, path,
                  error == -ENOENT    ? "this machine has no such share"
                  : error == -ENOTDIR ? "that is not a directory"
                  : error == -ENODEV  ? "this kernel has no 9p"
                                      : "it failed",
                  -error);
    return error;
}

void volumes_mount(void)
{
    const char *at = fw_boot_arguments(), *value;
    size_t length;

    while ((value = next_value(&at, BOOTARGS_VOLUME, &length)) != NULL) {
        char *text = kmalloc(length + 1);

        if (text != NULL)
            decode(text, value, length);
        if (text == NULL || mount_volume(text) != 0)
            machine_exit_status(125);
        kfree(text);
    }
}
