/* SPDX-License-Identifier: MIT
 *
 * References from mapped areas to their files.
 */
#include "map_owner.h"

#include <file/file.h>

static void owner_ref(void *owner)
{
    file_ref(owner);
}

static void owner_unref(void *owner)
{
    file_unref(owner);
}

const struct vm_owner_ops map_owner_ops = {owner_ref, owner_unref};
