/* SPDX-License-Identifier: MIT
 *
 * The page that the kernel writes and the vDSO's code reads. It lies right before the code.
 */
#ifndef VDSO_DATA_H
#define VDSO_DATA_H

#include <stdint.h>

#define VDSO_SIGRETURN 0x800 /* offset of __kernel_rt_sigreturn; vdso.lds places it */

/* `sequence` is odd while the kernel writes; a reader tries again if it was, or has changed. */
struct vdso_data {
    uint32_t sequence;
    uint32_t pad;
    uint64_t base_count;
    uint64_t scale;              /* ns per count, 32.32 fixed point */
    uint64_t realtime_offset_ns; /* real minus monotonic */
};

#endif
