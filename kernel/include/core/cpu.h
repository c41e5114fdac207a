/* SPDX-License-Identifier: MIT */
/* Bringing CPUs up. Boot only. */
#ifndef CORE_CPU_H
#define CORE_CPU_H

#include <lib/types.h>

/* The boot CPU and its thread become usable: current(), this_cpu(), locks. First call of all. */
void cpu_init_boot(void);

/*
 * Once there is memory: goes on with `go_on` on a stack like every other thread's, guard page
 * included; the small one in the image is left.
 */
_Noreturn void cpu_leave_boot_stack(void (*go_on)(void));

/*
 * Starts the CPU with that MPIDR by `start`, which makes it enter `entry` (physical) with the MMU
 * off (PSCI CPU_ON, spin table), and waits up to a second for it. Nothing to do for the boot CPU.
 * One at a time. -ENOMEM, -ENOSPC, -ETIMEDOUT, or what `start` returned; the kernel goes on without
 * it.
 */
int cpu_bring_up(uint64_t mpidr, int (*start)(uint64_t mpidr, paddr_t entry, void *argument),
                 void *argument);

/* Lets the CPUs that came up go on: code is in its final form. */
void cpu_release_all(void);

/* The boot thread's last act: it becomes the idle thread. */
_Noreturn void idle_loop(void);

#endif
