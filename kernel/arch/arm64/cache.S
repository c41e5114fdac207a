/* SPDX-License-Identifier: MIT */
/* Cache maintenance by virtual address (Arm ARM D7.5.8), and the identity of this CPU's lines. */
#include <arch/asm.h>

/* clang-format off */
/* Applies \op to every data cache line of [x0, x0 + x1). */
    .macro dcache_range op
    mrs     x2, ctr_el0
    ubfx    x2, x2, #16, #4
    mov     x3, #4
    lsl     x3, x3, x2
    sub     x4, x3, #1
    add     x1, x0, x1
    bic     x0, x0, x4
1:  dc      \op, x0
    add     x0, x0, x3
    cmp     x0, x1
    b.lo    1b
    dsb     sy
    .endm
/* clang-format on */

    .text

function dcache_clean_poc
    cbz     x1, 2f
    dcache_range cvac
2:  ret
end_function dcache_clean_poc

function dcache_clean_invalidate_poc
    cbz     x1, 2f
    dcache_range civac
2:  ret
end_function dcache_clean_invalidate_poc

/* CTR_EL0.IDC (28) and .DIC (29) tell which half the hardware does by itself. */
function icache_sync
    cbz     x1, 5f
    mrs     x2, ctr_el0
    add     x1, x0, x1
    tbnz    x2, #28, 2f
    ubfx    x3, x2, #16, #4
    mov     x4, #4
    lsl     x3, x4, x3
    sub     x4, x3, #1
    bic     x5, x0, x4
1:  dc      cvau, x5
    add     x5, x5, x3
    cmp     x5, x1
    b.lo    1b
2:  dsb     ish
    tbnz    x2, #29, 4f
    and     x3, x2, #0xf
    mov     x4, #4
    lsl     x3, x4, x3
    sub     x4, x3, #1
    bic     x5, x0, x4
3:  ic      ivau, x5
    add     x5, x5, x3
    cmp     x5, x1
    b.lo    3b
    dsb     ish
4:  isb
5:  ret
end_function icache_sync
