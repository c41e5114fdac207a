/* SPDX-License-Identifier: MIT
 *
 * Flags and layouts of the calls on files, polls and sockets, as the kernel has them (file/flags.h,
 * file/poll.h, net/socket.h, linux/abi64/stat.h and socket.h), against Linux's headers and the C
 * library's. Compiled, not run.
 */
#define _GNU_SOURCE
#include <stddef.h>

#include <dirent.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <poll.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/timerfd.h>
#include <sys/un.h>
#include <sys/vfs.h>
#include <unistd.h>

/* What the kernel's headers define anew is kept under another name first. */
#define KEEP(name) enum { LINUX_##name = name }
KEEP(O_APPEND);
KEEP(O_ASYNC);
KEEP(O_CLOEXEC);
KEEP(O_CREAT);
KEEP(O_DIRECT);
KEEP(O_DIRECTORY);
KEEP(O_DSYNC);
KEEP(O_EXCL);
KEEP(O_NOATIME);
KEEP(O_NOCTTY);
KEEP(O_NOFOLLOW);
KEEP(O_NONBLOCK);
KEEP(O_PATH);
KEEP(O_SYNC);
KEEP(O_TMPFILE);
KEEP(O_TRUNC);
KEEP(POLLERR);
KEEP(POLLHUP);
KEEP(POLLIN);
KEEP(POLLNVAL);
KEEP(POLLOUT);
KEEP(POLLPRI);
KEEP(POLLRDHUP);
KEEP(POLLRDNORM);
KEEP(POLLWRNORM);
KEEP(SEEK_DATA);
KEEP(SEEK_HOLE);
#undef O_APPEND
#undef O_ASYNC
#undef O_CLOEXEC
#undef O_CREAT
#undef O_DIRECT
#undef O_DIRECTORY
#undef O_DSYNC
#undef O_EXCL
#undef O_LARGEFILE
#undef O_NOATIME
#undef O_NOCTTY
#undef O_NOFOLLOW
#undef O_NONBLOCK
#undef O_PATH
#undef O_SYNC
#undef O_TMPFILE
#undef O_TRUNC
#undef O_ACCMODE
#undef O_RDONLY
#undef O_WRONLY
#undef O_RDWR
#undef S_IFMT
#undef S_IFSOCK
#undef S_IFLNK
#undef S_IFREG
#undef S_IFBLK
#undef S_IFDIR
#undef S_IFCHR
#undef S_IFIFO
#undef S_ISUID
#undef S_ISGID
#undef S_ISVTX
#undef S_ISSOCK
#undef S_ISLNK
#undef S_ISREG
#undef S_ISBLK
#undef S_ISDIR
#undef S_ISCHR
#undef S_ISFIFO
#undef SEEK_SET
#undef SEEK_CUR
#undef SEEK_END
#undef SEEK_DATA
#undef SEEK_HOLE
#undef DT_UNKNOWN
#undef DT_FIFO
#undef DT_CHR
#undef DT_DIR
#undef DT_BLK
#undef DT_REG
#undef DT_LNK
#undef DT_SOCK
#include "../../kernel/include/file/flags.h"
#include "../../kernel/linux/abi64/socket.h"
#include "../../kernel/linux/abi64/stat.h"

#define SAME(name)        _Static_assert((unsigned)(name) == (unsigned)LINUX_##name, #name)
#define SIZE(ours, linux) _Static_assert(sizeof(ours) == sizeof(linux), #linux)
#define AT(ours, member, linux, theirs) \
    _Static_assert(offsetof(ours, member) == offsetof(linux, theirs), #theirs)

SAME(O_APPEND);
SAME(O_ASYNC);
SAME(O_CLOEXEC);
SAME(O_CREAT);
SAME(O_DIRECT);
SAME(O_DIRECTORY);
SAME(O_DSYNC);
SAME(O_EXCL);
SAME(O_NOATIME);
SAME(O_NOCTTY);
SAME(O_NOFOLLOW);
SAME(O_NONBLOCK);
SAME(O_PATH);
SAME(O_SYNC);
SAME(O_TMPFILE);
SAME(O_TRUNC);
SAME(SEEK_DATA);
SAME(SEEK_HOLE);

_Static_assert(LINUX_POLLIN == 1 && LINUX_POLLPRI == 2 && LINUX_POLLOUT == 4, "poll.h");
_Static_assert(LINUX_POLLERR == 8 && LINUX_POLLHUP == 16 && LINUX_POLLNVAL == 32, "poll.h");
_Static_assert(LINUX_POLLRDNORM == 0x40 && LINUX_POLLWRNORM == 0x100 && LINUX_POLLRDHUP == 0x2000,
               "poll.h");
_Static_assert((unsigned)EPOLLEXCLUSIVE == 1u << 28 && (unsigned)EPOLLONESHOT == 1u << 30 &&
                   (unsigned)EPOLLET == 1u << 31,
               "epoll.h");
_Static_assert(sizeof(struct epoll_event) == 16 && offsetof(struct epoll_event, data) == 8,
               "struct epoll_event");
_Static_assert(sizeof(struct pollfd) == 8 && offsetof(struct pollfd, revents) == 6,
               "struct pollfd");
_Static_assert(EFD_SEMAPHORE == 1 && TFD_TIMER_ABSTIME == 1 && TFD_TIMER_CANCEL_ON_SET == 2, "");

SIZE(struct abi64_stat, struct stat);
AT(struct abi64_stat, mode, struct stat, st_mode);
AT(struct abi64_stat, nlink, struct stat, st_nlink);
AT(struct abi64_stat, rdev, struct stat, st_rdev);
AT(struct abi64_stat, size, struct stat, st_size);
AT(struct abi64_stat, block_size, struct stat, st_blksize);
AT(struct abi64_stat, blocks, struct stat, st_blocks);
AT(struct abi64_stat, atime, struct stat, st_atim);
AT(struct abi64_stat, ctime, struct stat, st_ctim);

SIZE(struct abi64_statx, struct statx);
AT(struct abi64_statx, mode, struct statx, stx_mode);
AT(struct abi64_statx, ino, struct statx, stx_ino);
AT(struct abi64_statx, attributes_mask, struct statx, stx_attributes_mask);
AT(struct abi64_statx, btime, struct statx, stx_btime);
AT(struct abi64_statx, mtime, struct statx, stx_mtime);
AT(struct abi64_statx, dev_minor, struct statx, stx_dev_minor);
AT(struct abi64_statx, mount_id, struct statx, stx_mnt_id);

SIZE(struct abi64_statfs, struct statfs);
AT(struct abi64_statfs, fsid, struct statfs, f_fsid);
AT(struct abi64_statfs, name_max, struct statfs, f_namelen);
AT(struct abi64_statfs, flags, struct statfs, f_flags);

AT(struct abi64_dirent, type, struct dirent64, d_type);
AT(struct abi64_dirent, name, struct dirent64, d_name);
SIZE(struct abi64_open_how, struct open_how);
SIZE(struct abi64_flock, struct flock);
AT(struct abi64_flock, start, struct flock, l_start);
AT(struct abi64_flock, pid, struct flock, l_pid);

SIZE(struct abi64_msghdr, struct msghdr);
AT(struct abi64_msghdr, iov, struct msghdr, msg_iov);
AT(struct abi64_msghdr, control, struct msghdr, msg_control);
AT(struct abi64_msghdr, control_len, struct msghdr, msg_controllen);
AT(struct abi64_msghdr, flags, struct msghdr, msg_flags);
SIZE(struct abi64_mmsghdr, struct mmsghdr);
AT(struct abi64_mmsghdr, length, struct mmsghdr, msg_len);
SIZE(struct abi64_cmsghdr, struct cmsghdr);
AT(struct abi64_cmsghdr, type, struct cmsghdr, cmsg_type);
SIZE(struct abi64_ucred, struct ucred);
_Static_assert(sizeof(((struct sockaddr_un *)0)->sun_path) == 108, "sun_path");
_Static_assert((int)SOCK_NONBLOCK == (int)LINUX_O_NONBLOCK, "SOCK_NONBLOCK");
_Static_assert((int)SOCK_CLOEXEC == (int)LINUX_O_CLOEXEC, "SOCK_CLOEXEC");
