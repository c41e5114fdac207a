/* SPDX-License-Identifier: MIT
 *
 * Finding the kernel.
 */
#include "kernel.h"

#include <libgen.h>
#include <limits.h>
#include <stdlib.h>
#include <unistd.h>

#include "message.h"

static char *find_kernel(void)
{
    static const char *const places[] = {"Image", "../lib/remora/Image", "../Image"};
    static char self[PATH_MAX];
    ssize_t length = readlink("/proc/self/exe", self, sizeof(self) - 1);
    const char *folder;

    if (length <= 0)
        return NULL;
    self[length] = '\0';
    folder = dirname(self);
    for (size_t i = 0; i < sizeof(places) / sizeof(places[0]); i++) {
        char *path = text_format("%s/%s", folder, places[i]);

        if (access(path, F_OK) == 0)
            return path;
        free(path);
    }
    return NULL;
}

int kernel_open(struct image *kernel, const struct options *options)
{
    const char *named = options->kernel ? options->kernel : getenv("REMORA_KERNEL");
    char *path = named ? text_copy(named) : find_kernel();
    int status;

    if (path == NULL)
        return message_error(
            "no kernel Image beside this command; build it with `make`, or name one "
            "with --kernel FILE");
    status = image_open(kernel, path);
    if (status)
        message_error("%s was to be the kernel, as %s says; it is the file `Image` of a build",
                      path,
                      options->kernel ? "--kernel"
                      : named         ? "REMORA_KERNEL"
                                      : "its place beside this command");
    if (status == 0)
        message_verbose("kernel %s", path);
    free(path);
    return status;
}
