/* SPDX-License-Identifier: MIT */
/* A root without name servers of its own gets those of the network: /etc/resolv.conf becomes a link
 * to /proc/net/pnp, which follows DHCP and router advertisements. */
#include "resolver.h"

#include <core/log.h>
#include <fs/inode.h>
#include <fs/path.h>
#include <lib/errno.h>

#define RESOLVER "/etc/resolv.conf"

static bool has_own(void)
{
    struct inode_stat stat;
    struct path path;
    bool has = false;

    if (path_lookup(NULL, RESOLVER, LOOKUP_FOLLOW, &path) != 0)
        return false;
    if (fs_stat(&path, &stat) == 0)
        has = stat.size != 0 || !S_ISREG(stat.mode);
    path_unref(&path);
    return has;
}

void resolver_link(void)
{
    int error;

    if (has_own())
        return;
    (void)fs_unlink(NULL, RESOLVER); /* empty, or a link that leads nowhere */
    (void)fs_mkdir(NULL, "/etc", 0755);
    error = fs_symlink("/proc/net/pnp", NULL, RESOLVER);
    if (error != 0)
        log_warn(RESOLVER " cannot be made (%d): programs find no name servers", error);
}
