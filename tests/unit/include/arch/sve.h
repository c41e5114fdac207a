/* SPDX-License-Identifier: MIT */
/* This machine has no scalable vectors. */
#ifndef ARCH_SVE_H
#define ARCH_SVE_H

struct sve_length {
    char none;
};

#endif
