/* SPDX-License-Identifier: MIT */
/*
 * The program's memory, reached with unprivileged loads and stores (LDTR, STTR; on ARMv7 LDRT,
 * STRT): the MMU itself checks that the program could have made the access, PAN or not.
 * All may sleep (a page fault may allocate or read), so no spinlock is held by the caller.
 */
#ifndef ARCH_UACCESS_H
#define ARCH_UACCESS_H

/* What user_copy_registers_out() and _in() move: x0..x30, sp, pc, pstate of struct trapframe. */
#define USER_REGISTERS 34

#ifndef __ASSEMBLER__

#include <lib/compiler.h>
#include <lib/types.h>

struct trapframe;

#define USER_TOP (1UL << 48)

/* [address, address + length) lies in the program's half. Says nothing of what is mapped. */
static inline bool user_range_ok(vaddr_t address, size_t length)
{
    return length <= USER_TOP && address <= USER_TOP - length;
}

/* The same of a range where a system call reads or writes: tags are ignored, if the thread wants
 * it. */
bool user_tagged_range_ok(vaddr_t address, size_t length);
static inline bool user_access_ok(vaddr_t address, size_t length)
{
    return likely(user_range_ok(address, length)) || user_tagged_range_ok(address, length);
}

/* The address that a pointer of the program's names: bits 56 to 63 are a tag (TBI). */
static inline vaddr_t user_untagged(vaddr_t pointer)
{
    return (vaddr_t)((int64_t)(pointer << 8) >> 8);
}

/* Whole or -EFAULT; on error some of the destination may have been written. */
int copy_from_user(void *destination, vaddr_t source, size_t length);
int copy_to_user(vaddr_t destination, const void *source, size_t length);
int clear_user(vaddr_t destination, size_t length);

/* Bytes NOT copied; 0 is success. All bytes before the first unreachable one were copied. */
size_t copy_from_user_partial(void *destination, vaddr_t source, size_t length);
size_t copy_to_user_partial(vaddr_t destination, const void *source, size_t length);
size_t clear_user_partial(vaddr_t destination, size_t length);

/*
 * Copies a string with its NUL. Returns the length without NUL, -EFAULT, or `size` when the first
 * `size` bytes hold no NUL (the destination is then full and not terminated).
 */
ssize_t strncpy_from_user(char *destination, vaddr_t source, size_t size);

/* The registers of a trap frame, to and from a range that user_range_ok() has passed. 0 or -EFAULT,
 * with some of them moved. */
int user_copy_registers_out(vaddr_t destination, const struct trapframe *source);
int user_copy_registers_in(struct trapframe *destination, vaddr_t source);

/* 0 or -EFAULT. */
int get_user8(uint8_t *value, vaddr_t source);
int get_user32(uint32_t *value, vaddr_t source);
int get_user64(uint64_t *value, vaddr_t source);
int put_user32(vaddr_t destination, uint32_t value);
int put_user64(vaddr_t destination, uint64_t value);

/*
 * Atomic on a naturally aligned 32-bit word of the program (futex). 0 or -EFAULT. cmpxchg leaves in
 * *old what the word held; it stored `desired` if that equals the value *old came with.
 */
enum user_op { USER_SET, USER_ADD, USER_OR, USER_ANDN, USER_XOR };
int user_cmpxchg32(vaddr_t word, uint32_t *old, uint32_t desired);
int user_fetch_op32(vaddr_t word, enum user_op op, uint32_t operand, uint32_t *old);

/*
 * get_user32() that never sleeps and never enters the fault path: for callers with a spinlock
 * held. -EFAULT when the page is not present; the caller then drops its lock and touches the page
 * with get_user32().
 */
int get_user32_nofault(uint32_t *value, vaddr_t source);

/*
 * Between these two, faults of this thread's user accesses fail at once with -EFAULT instead of
 * being served: for callers with locks held. They nest.
 */
void user_fault_disable(void);
void user_fault_enable(void);
bool user_faults_disabled(void);

#endif /* __ASSEMBLER__ */

#endif
