/* SPDX-License-Identifier: MIT
 *
 * Which virtual machine: the accelerator and CPU that fit the host, and QEMU's command line.
 */
#ifndef TOOL_MACHINE_H
#define TOOL_MACHINE_H

#include <stdbool.h>
#include <stdint.h>

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

/* A read-only disk: a part of a file. */
struct machine_disk {
    const char *path; /* NULL: there is none */
    uint64_t offset;
    uint64_t size;
};

struct machine_start {
    const char *image;
    struct machine_disk root;
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
