/* SPDX-License-Identifier: MIT
 *
 * Which virtual machine: the accelerator and CPU that fit the host, and QEMU's command line.
 */
#ifndef TOOL_MACHINE_H
#define TOOL_MACHINE_H

#include <stdbool.h>

#include "buffer.h"
#include "network.h"
#include "options.h"

/* What matters about the host; filled by host_read(), or by a test. */
struct host {
    const char *system;  /* uname -s */
    const char *machine; /* uname -m */
    bool has_kvm;        /* /dev/kvm is there */
    bool may_kvm;        /* and may be opened */
};

struct accelerator {
    const char *name; /* kvm, hvf, tcg */
    const char *cpu;  /* for -cpu */
    const char *gic;  /* for gic-version= */
    const char *why;
};

void host_read(struct host *host);

/* wanted: kvm, hvf, tcg, or NULL to choose. Reports when what is wanted cannot be had. */
int accelerator_choose(const struct host *host, const char *wanted, struct accelerator *choice);

struct machine_start {
    const char *image;
    const char *bootargs;
    int bulk; /* socket for a virtio console; -1: none */
    unsigned memory_mib;
    unsigned cpus;
    const struct network *network;
};

/* The command line of QEMU. Its standard input and output become the guest's serial port: pipes,
 * since QEMU writes byte by byte, and a socket makes a buffer of its own for each. */
void machine_arguments(const struct options *options, const struct accelerator *accelerator,
                       const struct machine_start *start, struct words *arguments);

#endif
