/* SPDX-License-Identifier: MIT
 *
 * The command line. What each option means is told once, in the table of options.c.
 */
#ifndef TOOL_OPTIONS_H
#define TOOL_OPTIONS_H

#include <stdbool.h>

#include "buffer.h"
#include "message.h"

#define MEMORY_MIB_MAX (1u << 24)
#define CPUS_MAX       128u /* the kernel's first look at a device tree has no room for many more */

struct options {
    const char *source;
    struct words args;

    /* The program. */
    struct words env;
    const char *workdir;
    const char *user;

    /* The root. */
    struct words with;    /* more sources, put under the main one */
    struct words sysroot; /* folders that hold libraries for an ELF source */
    const char *lock;
    const char *output;

    /* The machine. */
    const char *machine;
    const char *accel;
    const char *cpu;
    const char *kernel;
    const char *name;
    unsigned memory_mib; /* 0: as the image wishes */
    unsigned cpus;       /* 0: as the image wishes */
    const char *net;     /* NULL: as -p wishes */
    struct words ports;
    struct words volumes;
    struct words qemu_args;
    double timeout; /* seconds; 0: none */

    bool detach;
    bool offline;
    enum message_level level;
};

enum command { COMMAND_RUN = 1, COMMAND_BUILD = 2, COMMAND_INSPECT = 4, COMMAND_CHECK = 8 };

/* Parses what follows the command's name. Reports; *help is set when help was printed instead. */
int options_parse(struct options *options, enum command command, char *const argv[], bool *help);
void options_free(struct options *options);

void options_help(enum command command);

#endif
