/* SPDX-License-Identifier: MIT */
#ifndef MM_KWINDOW_PRIVATE_H
#define MM_KWINDOW_PRIVATE_H

#include <mm/kwindow.h>

uint64_t kstack_page_count(void);

#endif
