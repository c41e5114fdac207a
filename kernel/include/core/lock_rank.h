/* SPDX-License-Identifier: MIT */
/*
 * The lock order: a CPU that holds a lock may take only locks of a higher rank. Debug builds check
 * it. Two locks of one rank nest only where docs/locking.md says how they are ordered.
 */
#ifndef CORE_LOCK_RANK_H
#define CORE_LOCK_RANK_H

enum lock_rank {
    /* sleeping locks */
    RANK_FILE,       /* position of an open file: held over whole calls, user access included */
    RANK_FILE_ASYNC, /* signals of files: switched on and off, and sent */
    RANK_FILE_TEXT,  /* the text of an open /proc file: held while it is made and copied */
    RANK_PROCESS,    /* a process: threads, exec */
    RANK_FS_RENAME,  /* renames of directories */
    RANK_FS_MOUNT,
    RANK_INODE,       /* parent before child, else by address */
    RANK_NOTIFY,      /* watches on inodes, and what they queue */
    RANK_PSEUDO_FILL, /* entries of /proc and /sys are registered on first use, under it */
    RANK_PSEUDO,      /* registered entries of /proc, /sys, /dev */
    RANK_SOCKET,
    RANK_EPOLL,
    RANK_NET,            /* the TCP/IP stack */
    RANK_VMSPACE,        /* areas of an address space */
    RANK_OBJECT,         /* pages of an object */
    RANK_DEVICE_COMMAND, /* of a device, one at a time */
    RANK_RECLAIM,        /* who takes pages out of mappings, whatever else it holds; never waits */
    /* spinlocks */
    RANK_EVENT, /* readiness chains: pipes, eventfd, epoll's ready list */
    RANK_DENTRY,
    RANK_FDTABLE,
    RANK_PIDS,  /* tables of processes and threads */
    RANK_TASKS, /* a process: its threads, limits */
    RANK_FUTEX,
    RANK_FUTEX_OWNER, /* who waits for whose lock */
    RANK_PAGETABLE,
    RANK_OBJECT_PAGES,
    RANK_EVICTION, /* order of eviction, above all objects */
    RANK_NETDEV,   /* sending, pools of buffers: interrupts, which take what follows, are not masked
                    */
    RANK_TTY,
    RANK_DEVICE,
    RANK_SIGNAL,      /* timers' interrupts send signals: behind all that they can interrupt */
    RANK_WAITQ,       /* a wake may wake another queue (epoll): sets are watched without loops */
    RANK_EPOLL_READY, /* an epoll set's ready list: taken in wakes, released before the set's own
                         queue */
    RANK_TIMER,
    RANK_RUNQUEUE,
    RANK_SLAB,
    RANK_PAGE,
    RANK_ASID,
    RANK_IRQ,
    RANK_IRQCHIP, /* a controller's command queue: lines change under RANK_IRQ */
    RANK_DEFER,
    RANK_RNG,
    RANK_LOG,      /* a sink writes to the console under it */
    RANK_CONSOLE,  /* last: a message can be printed anywhere */
    RANK_UNRANKED, /* not checked: panic paths */
};

#endif
