/* SPDX-License-Identifier: MIT */
/* The machine as a whole: what it is, who runs it, how it ends. */
#ifndef DEVICE_MACHINE_H
#define DEVICE_MACHINE_H

#include <lib/types.h>

/* Looks for PSCI in the tree, unless it is found: whoever is about to call the firmware asks for
 * it. */
void machine_find_psci(void);

/* The boot-time figures of abi/frame.h: called first of all, and when the first program is about to
 * run, which sends them to the host. */
void machine_note_start(void);
void machine_note_program(void);

/* What booting took, from reset to the program's first instruction. */
struct machine_boot {
    uint64_t time_ns;      /* as far as the counter tells, which starts with the machine in QEMU */
    uint64_t instructions; /* of the first CPU, from _start; 0 where nothing counts them */
};
const struct machine_boot *machine_boot(void);

/* One line for the log: "linux,dummy-virt, Cortex-A57 r1p0, 2 CPUs, TCG or no hypervisor ...". */
void machine_log_banner(void);
/* /proc/cpuinfo's and the banner's "Cortex-A57"; "unknown" for parts without a name here. */
const char *machine_cpu_name(uint32_t midr);
/* The root's `model`, else its first `compatible`, else "unknown machine". */
const char *machine_model(void);

/* Flush the console, then power off or reset by PSCI; halts if nothing answers. Any
 * context. */
_Noreturn void machine_power_off(void);
_Noreturn void machine_restart(void);

/* The program has ended: output, frame, power off. */
_Noreturn void machine_exit_status(unsigned status);
_Noreturn void machine_exit_signal(unsigned signal);

/* For panic_set_end(): output by polling, status 125, power off. */
_Noreturn void machine_die(void);

#endif
