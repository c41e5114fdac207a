/* SPDX-License-Identifier: MIT */
/* Pages for drivers, from malloc, so that ASan watches them. */
#ifndef UNIT_RAM_FAKE_H
#define UNIT_RAM_FAKE_H

/* Out by page_alloc(). */
extern unsigned fake_pages;

#endif
