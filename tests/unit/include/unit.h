/* SPDX-License-Identifier: MIT */
/* What every unit test includes first: cmocka and what it needs. */
#ifndef UNIT_H
#define UNIT_H

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

/* The last message of the kernel code under test. */
extern char unit_log[512];

#endif
