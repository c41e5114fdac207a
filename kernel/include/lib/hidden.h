/* SPDX-License-Identifier: MIT */
/* Included before every C file of the kernel (meson.build): the kernel is one static image, so no
 * symbol can be preempted, and with hidden visibility the compiler addresses data directly instead
 * of through a GOT. */
#pragma once
#ifndef __ASSEMBLER__
#pragma GCC visibility push(hidden)
#endif
