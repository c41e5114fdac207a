// SPDX-License-Identifier: MIT
// What the times of a boot are compared with: a flat binary without a kernel that powers QEMU's virt machine off by PSCI
// SYSTEM_OFF (hvc), so that only QEMU's own start and end take time. With LINE it first prints hello's line on the PL011,
// with BLOCKS it runs that many blocks of five instructions before that, each once, as most of a boot's are run.
    .global _start
_start:
#ifdef BLOCKS
    adr x3, place
    .rept BLOCKS
    ldr x2, [x3]
    add x1, x1, x2
    and x4, x1, #0xff
    str x4, [x3, #8]
    cbz xzr, 9f
9:
    .endr
#endif
#ifdef LINE
    movz x1, #0x0900, lsl #16
    adr x2, line
1:  ldrb w0, [x2], #1
    cbz w0, 2f
    strb w0, [x1]
    b 1b
2:
#endif
    movz w0, #0x8400, lsl #16
    movk w0, #8
    hvc #0
3:  wfi
    b 3b
    .balign 8
place:
    .quad 0, 0
line:
    .asciz "hello, bench\n"
