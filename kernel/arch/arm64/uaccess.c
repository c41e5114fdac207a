/* SPDX-License-Identifier: MIT */
/* The range checks in front of uaccess.S. */
#include <arch/exception_table.h>
#include <arch/uaccess.h>
#include <core/lock.h>
#include <core/percpu.h>
#include <core/thread.h>
#include <lib/errno.h>

#include "pan.h"

size_t user_copy_in(void *destination, vaddr_t source, size_t length);
size_t user_copy_out(vaddr_t destination, const void *source, size_t length);
size_t user_clear(vaddr_t destination, size_t length);
ssize_t user_copy_string(char *destination, vaddr_t source, size_t size);
int user_load8(uint8_t *value, vaddr_t source);
int user_load32(uint32_t *value, vaddr_t source);
int user_load64(uint64_t *value, vaddr_t source);
int user_store32(vaddr_t destination, uint32_t value);
int user_store64(vaddr_t destination, uint64_t value);
int user_exclusive_cmpxchg(vaddr_t word, uint32_t *old, uint32_t desired);

/* The rest of an address's upper half must be as of any: the tag's place is all that may differ. */
bool user_tagged_range_ok(vaddr_t address, size_t length)
{
    return current()->user_tags && user_range_ok(user_untagged(address), length);
}

size_t copy_from_user_partial(void *destination, vaddr_t source, size_t length)
{
    lock_check_user_access();
    if (!user_access_ok(source, length))
        return length;
    return user_copy_in(destination, source, length);
}

size_t copy_to_user_partial(vaddr_t destination, const void *source, size_t length)
{
    lock_check_user_access();
    if (!user_access_ok(destination, length))
        return length;
    return user_copy_out(destination, source, length);
}

size_t clear_user_partial(vaddr_t destination, size_t length)
{
    lock_check_user_access();
    if (!user_access_ok(destination, length))
        return length;
    return user_clear(destination, length);
}

int copy_from_user(void *destination, vaddr_t source, size_t length)
{
    return copy_from_user_partial(destination, source, length) == 0 ? 0 : -EFAULT;
}

int copy_to_user(vaddr_t destination, const void *source, size_t length)
{
    return copy_to_user_partial(destination, source, length) == 0 ? 0 : -EFAULT;
}

int clear_user(vaddr_t destination, size_t length)
{
    return clear_user_partial(destination, length) == 0 ? 0 : -EFAULT;
}

ssize_t strncpy_from_user(char *destination, vaddr_t source, size_t size)
{
    lock_check_user_access();
    if (!user_access_ok(source, 1))
        return -EFAULT;
    size_t left = USER_TOP - user_untagged(source);

    if (size <= left)
        return user_copy_string(destination, source, size);
    ssize_t length = user_copy_string(destination, source, left);

    return length == (ssize_t)left ? -EFAULT : length;
}

int get_user8(uint8_t *value, vaddr_t source)
{
    lock_check_user_access();
    return user_access_ok(source, sizeof(*value)) ? user_load8(value, source) : -EFAULT;
}

int get_user32(uint32_t *value, vaddr_t source)
{
    lock_check_user_access();
    return user_access_ok(source, sizeof(*value)) ? user_load32(value, source) : -EFAULT;
}

int get_user64(uint64_t *value, vaddr_t source)
{
    lock_check_user_access();
    return user_access_ok(source, sizeof(*value)) ? user_load64(value, source) : -EFAULT;
}

int put_user32(vaddr_t destination, uint32_t value)
{
    lock_check_user_access();
    return user_access_ok(destination, sizeof(value)) ? user_store32(destination, value) : -EFAULT;
}

int put_user64(vaddr_t destination, uint64_t value)
{
    lock_check_user_access();
    return user_access_ok(destination, sizeof(value)) ? user_store64(destination, value) : -EFAULT;
}

int user_cmpxchg32(vaddr_t word, uint32_t *old, uint32_t desired)
{
    if (!user_access_ok(word, sizeof(*old)) || (word & 3) != 0)
        return -EFAULT;
    lock_check_user_access();
    pan_lift();
    int error = user_exclusive_cmpxchg(word, old, desired);

    pan_set();
    return error;
}

static uint32_t apply(enum user_op op, uint32_t word, uint32_t operand)
{
    switch (op) {
    case USER_SET:
        return operand;
    case USER_ADD:
        return word + operand;
    case USER_OR:
        return word | operand;
    case USER_ANDN:
        return word & ~operand;
    case USER_XOR:
        return word ^ operand;
    }
    return word;
}

int user_fetch_op32(vaddr_t word, enum user_op op, uint32_t operand, uint32_t *old)
{
    uint32_t seen, found;
    int error = get_user32(&seen, word);

    while (error == 0) {
        found = seen;
        error = user_cmpxchg32(word, &found, apply(op, seen, operand));
        if (error == 0 && found == seen) {
            *old = seen;
            return 0;
        }
        seen = found;
    }
    return error;
}

void user_fault_disable(void)
{
    current()->user_faults_disabled++;
}

void user_fault_enable(void)
{
    current()->user_faults_disabled--;
}

bool user_faults_disabled(void)
{
    return current()->user_faults_disabled != 0;
}

int get_user32_nofault(uint32_t *value, vaddr_t source)
{
    user_fault_disable();
    int error = get_user32(value, source);

    user_fault_enable();
    return error;
}
