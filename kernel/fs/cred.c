/* SPDX-License-Identifier: MIT */
/* Credentials: copies, groups. */
#include <fs/cred.h>
#include <lib/errno.h>
#include <lib/sort.h>
#include <lib/string.h>
#include <mm/slab.h>

struct cred cred_root = {
    .refs = ATOMIC_INIT(1),
    .cap_effective = CAP_FULL,
    .cap_permitted = CAP_FULL,
    .cap_bounding = CAP_FULL,
};

static void groups_unref(struct cred_groups *groups)
{
    if (groups != NULL && atomic_dec_and_test(&groups->refs))
        kfree(groups);
}

struct cred *cred_copy(const struct cred *from)
{
    struct cred *cred = kmemdup(from, sizeof(*from));

    if (cred == NULL)
        return NULL;
    atomic_set(&cred->refs, 1);
    if (cred->groups != NULL)
        atomic_inc(&cred->groups->refs);
    return cred;
}

struct cred *cred_ref(const struct cred *cred)
{
    struct cred *counted = (struct cred *)(uintptr_t)cred; /* the count is no part of the value */

    atomic_inc(&counted->refs);
    return counted;
}

void cred_unref(const struct cred *cred)
{
    struct cred *counted = (struct cred *)(uintptr_t)cred;

    if (counted == NULL || !atomic_dec_and_test(&counted->refs))
        return;
    groups_unref(counted->groups);
    kfree(counted);
}

static int gid_compare(const void *a, const void *b)
{
    uint32_t left = *(const uint32_t *)a, right = *(const uint32_t *)b;

    return left < right ? -1 : left > right;
}

int cred_set_groups(struct cred *cred, const uint32_t *gid, unsigned count)
{
    struct cred_groups *groups = NULL;

    if (count > CRED_GROUPS_MAX)
        return -EINVAL;
    if (count > 0) {
        groups = kmalloc(sizeof(*groups) + count * sizeof(gid[0]));
        if (groups == NULL)
            return -ENOMEM;
        atomic_set(&groups->refs, 1);
        groups->count = count;
        memcpy(groups->gid, gid, count * sizeof(gid[0]));
        sort(groups->gid, count, sizeof(gid[0]), gid_compare);
    }
    groups_unref(cred->groups);
    cred->groups = groups;
    return 0;
}

bool cred_in_group(const struct cred *cred, uint32_t gid)
{
    unsigned low = 0, high;

    if (cred->fsgid == gid)
        return true;
    if (cred->groups == NULL)
        return false;
    high = cred->groups->count;
    while (low < high) {
        unsigned middle = (low + high) / 2;
        if (cred->groups->gid[middle] == gid)
            return true;
        if (cred->groups->gid[middle] < gid)
            low = middle + 1;
        else
            high = middle;
    }
    return false;
}
