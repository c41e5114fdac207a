// SPDX-License-Identifier: MIT
// QEMU's own floor for the wall-time figures: a flat binary without a kernel that prints a line on the PL011
// of QEMU's virt machine and powers it off by PSCI SYSTEM_OFF (hvc).
    .global _start
_start:
    movz x1, #0x0900, lsl #16
    adr x2, line
1:  ldrb w0, [x2], #1
    cbz w0, 2f
    strb w0, [x1]
    b 1b
2:  movz w0, #0x8400, lsl #16
    movk w0, #8
    hvc #0
3:  wfi
    b 3b
line:
    .asciz "hello, bench\n"
