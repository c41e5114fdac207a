/* SPDX-License-Identifier: MIT
 *
 * `remora build`: a bootable image, made without root and without booting anything.
 */
#include <unistd.h>

#include "commands.h"
#include "kernel.h"
#include "root.h"

static int write_image(struct root *root, const struct options *options)
{
    struct image kernel;
    char *temporary;
    int status = kernel_open(&kernel, options);
    int fd;

    if (status)
        return status;
    fd = file_begin(options->output, &temporary);
    if (fd < 0) {
        status = STATUS_ERROR;
    } else {
        status = image_write(&kernel, &root->tree, fd, options->output);
        status = file_finish(fd, temporary, options->output, status);
    }
    image_close(&kernel);
    return status;
}

int command_build(char *const argv[])
{
    struct options options;
    struct root root;
    bool help;
    int status = options_parse(&options, COMMAND_BUILD, argv, &help);

    if (status || help)
        return status;
    if (options.output == NULL)
        return message_error("build needs -o FILE, where the image is to be written");
    status = root_load(&root, &options);
    if (status == 0)
        status = root_choose_program(&root, &options);
    if (status == 0) {
        if (options.memory_mib)
            root.manifest.memory_mib = options.memory_mib;
        if (options.cpus)
            root.manifest.cpus = options.cpus;
        status = root_seal(&root);
    }
    if (status == 0)
        status = write_image(&root, &options);
    for (size_t i = 0; status == 0 && i < root.manifest.notes.count; i++)
        message_warn("%s", root.manifest.notes.item[i]);
    message_progress_end();
    root_free(&root);
    options_free(&options);
    return status;
}
