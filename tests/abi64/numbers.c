/* SPDX-License-Identifier: MIT
 *
 * The kernel's system call numbers against Linux's own header, as the compiler's C library has it.
 * Compiled, not run.
 */
#include <asm/unistd.h>

#define ABI64_LIST_ONLY
#include <kernel/linux/abi64/numbers.h>

/* Newer than the header of Debian 12's compiler. */
#define NEWER(name, number) enum { name = number }
#ifndef __NR_cachestat
NEWER(__NR_cachestat, 451);
#endif
#ifndef __NR_fchmodat2
NEWER(__NR_fchmodat2, 452);
#endif
#ifndef __NR_map_shadow_stack
NEWER(__NR_map_shadow_stack, 453);
#endif
#ifndef __NR_futex_wake
NEWER(__NR_futex_wake, 454);
#endif
#ifndef __NR_futex_wait
NEWER(__NR_futex_wait, 455);
#endif
#ifndef __NR_futex_requeue
NEWER(__NR_futex_requeue, 456);
#endif
#ifndef __NR_statmount
NEWER(__NR_statmount, 457);
#endif
#ifndef __NR_listmount
NEWER(__NR_listmount, 458);
#endif
#ifndef __NR_lsm_get_self_attr
NEWER(__NR_lsm_get_self_attr, 459);
#endif
#ifndef __NR_lsm_set_self_attr
NEWER(__NR_lsm_set_self_attr, 460);
#endif
#ifndef __NR_lsm_list_modules
NEWER(__NR_lsm_list_modules, 461);
#endif
#ifndef __NR_mseal
NEWER(__NR_mseal, 462);
#endif

#define CHECK(number, name) _Static_assert(__NR_##name == (number), #name);
ABI64_SYSCALLS(CHECK)
