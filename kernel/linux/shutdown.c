/* SPDX-License-Identifier: MIT
 *
 * The end of the guest, when its first process has ended or asks for it.
 */
#include <core/log.h>
#include <device/machine.h>
#include <fs/cred.h>
#include <fs/open.h>
#include <lib/errno.h>
#include <linux/ledger.h>
#include <linux/process.h>
#include <linux/syscalls.h>

#include "process_internal.h"

_Noreturn void guest_end(int wait_status)
{
    int signo = wait_status & 0x7f;

    fs_sync_all();
    ledger_print();
    if (signo)
        machine_exit_signal((unsigned)signo);
    machine_exit_status((unsigned)wait_status >> 8 & 0xff);
}

void process_out_of_memory(void)
{
    struct process *process = current_process();
    struct signal_info info = {.signo = SIGKILL, .code = SI_KERNEL};

    log_error("out of memory: %s (process %d) needs more than this guest has and is ended; "
              "give the guest more with -m",
              current()->name, process->pid);
    signal_send_process(process, &info);
}

#define REBOOT_MAGIC1  0xfee1deadu
#define REBOOT_MAGIC2  672274793u
#define REBOOT_RESTART 0x01234567u
#define REBOOT_HALT    0xcdef0123u
#define REBOOT_OFF     0x4321fedcu
#define REBOOT_CAD_ON  0x89abcdefu
#define REBOOT_CAD_OFF 0u

long sys_reboot(const reg_t arg[6])
{
    uint32_t magic2 = (uint32_t)arg[1];

    if ((uint32_t)arg[0] != REBOOT_MAGIC1 || (magic2 != REBOOT_MAGIC2 && magic2 != 85072278u &&
                                              magic2 != 369367448u && magic2 != 537993216u))
        return -EINVAL;
    if (!cred_capable(cred_current(), CAP_SYS_BOOT))
        return -EPERM;
    switch ((uint32_t)arg[2]) {
    case REBOOT_CAD_ON:
    case REBOOT_CAD_OFF:
        return 0;
    case REBOOT_RESTART:
        fs_sync_all();
        machine_restart();
    case REBOOT_HALT:
    case REBOOT_OFF:
        guest_end(0);
    default:
        return -EINVAL;
    }
}
