/* SPDX-License-Identifier: MIT */
/* What <arch/uaccess.h> offers beyond copying, which the tests that need it supply themselves. */
#include <arch/uaccess.h>
#include <lib/errno.h>

int get_user8(uint8_t *value, vaddr_t from)
{
    return copy_from_user_partial(value, from, 1) == 0 ? 0 : -EFAULT;
}

bool user_tagged_range_ok(vaddr_t address, size_t length)
{
    (void)address;
    (void)length;
    return false;
}

void user_fault_disable(void)
{
}

void user_fault_enable(void)
{
}
