/* SPDX-License-Identifier: MIT */
/* sendto, sendmsg, recvfrom, recvmsg and their multiple forms, with ancillary data (cmsg(3)). */
#include <arch/uaccess.h>
#include <core/clock.h>
#include <fs/cred.h>
#include <lib/compiler.h>
#include <lib/errno.h>
#include <lib/minmax.h>
#include <lib/string.h>
#include <linux/syscalls.h>
#include <mm/slab.h>
#include <net/unix.h>

#include "abi64/socket.h"
#include "deadline.h"
#include "socket_calls.h"

#define SOL_SOCKET      1
#define SCM_RIGHTS      1
#define SCM_CREDENTIALS 2
#define CONTROL_MAX     20480u /* net.core.optmem_max */
#define MESSAGES_MAX    1024u  /* of one sendmmsg or recvmmsg */

#define CMSG_ALIGN(len) (((len) + 7) & ~(uint64_t)7)
#define RESULT_FLAGS    (MSG_TRUNC | MSG_CTRUNC | MSG_EOR | MSG_ERRQUEUE)

/* ---- ancillary data of a send ---- */

static void files_drop(struct file **files, unsigned count)
{
    for (unsigned i = 0; i < count; i++)
        file_unref(files[i]);
    kfree(files);
}

static int take_rights(struct socket_message *message, const void *data, size_t size)
{
    unsigned count = (unsigned)(size / sizeof(int32_t));
    const int32_t *numbers = data;

    if (message->file_count + count > SOCKET_FILES_MAX)
        return -EINVAL;
    if (message->files == NULL && count != 0) {
        message->files = kmalloc_array(SOCKET_FILES_MAX, sizeof(struct file *));
        if (message->files == NULL)
            return -ENOMEM;
    }
    for (unsigned i = 0; i < count; i++) {
        struct file *file = fd_get_file(current_files(), (unsigned)numbers[i]);

        if (file == NULL)
            return -EBADF;
        message->files[message->file_count++] = file;
    }
    return 0;
}

/* One may claim to be what one is or may become (unix(7), SCM_CREDENTIALS). */
static int take_credentials(struct socket_message *message, const void *data, size_t size)
{
    const struct cred *now = cred_current();
    struct abi64_ucred claim;

    if (size != sizeof(claim))
        return -EINVAL;
    memcpy(&claim, data, sizeof(claim));
    if (claim.pid != current_process()->pid && !cred_capable(now, CAP_SYS_ADMIN))
        return -EPERM;
    if (claim.uid != now->uid && claim.uid != now->euid && claim.uid != now->suid &&
        !cred_capable(now, CAP_SETUID))
        return -EPERM;
    if (claim.gid != now->gid && claim.gid != now->egid && claim.gid != now->sgid &&
        !cred_capable(now, CAP_SETGID))
        return -EPERM;
    message->has_cred = true;
    message->cred = (struct socket_cred){claim.pid, claim.uid, claim.gid};
    return 0;
}

/* Of other levels: the protocol looks at them. */
static int take_record(struct socket_message *message, const struct abi64_cmsghdr *header,
                       size_t size)
{
    struct socket_record *record;

    if (message->record_count == SOCKET_RECORDS_MAX || size > SOCKET_RECORD_MAX)
        return -EINVAL;
    record = &message->records[message->record_count++];
    record->level = header->level;
    record->type = header->type;
    record->size = (unsigned)size;
    memcpy(record->data, header + 1, size);
    return 0;
}

static int take_control(struct socket_message *message, const struct abi64_cmsghdr *header)
{
    size_t size = header->len - sizeof(*header);

    if (header->level != SOL_SOCKET)
        return take_record(message, header, size);
    if (header->type == SCM_RIGHTS)
        return take_rights(message, header + 1, size);
    if (header->type == SCM_CREDENTIALS)
        return take_credentials(message, header + 1, size);
    return -EINVAL;
}

static int parse_control(struct socket_message *message, const char *control, size_t len)
{
    size_t at = 0;

    while (len - at >= sizeof(struct abi64_cmsghdr)) {
        const struct abi64_cmsghdr *header = (const struct abi64_cmsghdr *)(control + at);
        int error;

        if (header->len < sizeof(*header) || header->len > len - at)
            return -EINVAL;
        error = take_control(message, header);
        if (error != 0)
            return error;
        at += min(CMSG_ALIGN(header->len), (uint64_t)(len - at));
    }
    return 0;
}

static int control_from_user(struct socket_message *message, vaddr_t user, size_t len)
{
    char *control;
    int error;

    if (len == 0)
        return 0;
    if (len > CONTROL_MAX)
        return -ENOBUFS;
    control = kmalloc(len);
    if (control == NULL)
        return -ENOMEM;
    error = copy_from_user(control, user, len);
    if (error == 0)
        error = parse_control(message, control, len);
    kfree(control);
    if (error != 0) {
        files_drop(message->files, message->file_count);
        message->files = NULL;
        message->file_count = 0;
    }
    return error;
}

/* ---- ancillary data of a receive ---- */

struct control_out {
    vaddr_t user;
    size_t room, used;
    unsigned flags; /* MSG_CTRUNC */
};

/* One record; what does not fit is cut, and said so. */
static int put_control(struct control_out *to, int level, int type, const void *data, size_t size)
{
    struct abi64_cmsghdr header = {sizeof(header) + size, level, type};

    if (to->room - to->used < sizeof(header)) {
        to->flags |= MSG_CTRUNC;
        return 0;
    }
    if (to->room - to->used < header.len) {
        to->flags |= MSG_CTRUNC;
        header.len = to->room - to->used;
    }
    if (copy_to_user(to->user + to->used, &header, sizeof(header)) != 0 ||
        copy_to_user(to->user + to->used + sizeof(header), data, header.len - sizeof(header)) != 0)
        return -EFAULT;
    to->used += min((size_t)CMSG_ALIGN(header.len), to->room - to->used);
    return 0;
}

/* Descriptors for as many files as there is room and numbers for; the rest is dropped. Consumes
 * all. */
static int put_rights(struct control_out *to, struct socket_message *message, bool cloexec)
{
    size_t left = to->room - to->used, header = sizeof(struct abi64_cmsghdr);
    size_t room = left > header ? (left - header) / sizeof(int32_t) : 0;
    int32_t numbers[SOCKET_FILES_MAX];
    unsigned given = 0, consumed = 0;
    int error = 0;

    while (consumed < message->file_count && given < room) {
        int number = fd_publish(message->files[consumed++], cloexec);

        if (number < 0)
            break;
        numbers[given++] = number;
    }
    if (given < message->file_count)
        to->flags |= MSG_CTRUNC;
    for (unsigned i = consumed; i < message->file_count; i++)
        file_unref(message->files[i]);
    if (given != 0)
        error = put_control(to, SOL_SOCKET, SCM_RIGHTS, numbers, given * sizeof(int32_t));
    kfree(message->files);
    message->files = NULL;
    message->file_count = 0;
    return error;
}

static int control_to_user(struct control_out *to, struct socket *socket,
                           struct socket_message *message, bool cloexec)
{
    int error = 0;

    for (unsigned i = 0; i < message->record_count && error == 0; i++) {
        const struct socket_record *record = &message->records[i];

        error = put_control(to, record->level, record->type, record->data, record->size);
    }
    if (error == 0 && socket->pass_cred && message->has_cred) {
        struct abi64_ucred cred = {message->cred.pid, message->cred.uid, message->cred.gid};

        error = put_control(to, SOL_SOCKET, SCM_CREDENTIALS, &cred, sizeof(cred));
    }
    if (message->file_count != 0) {
        int rights_error = put_rights(to, message, cloexec);

        error = error != 0 ? error : rights_error;
    }
    return error;
}

/* ---- sending ---- */

static long send_named(struct socket *socket, struct io *io, struct socket_message *message)
{
    struct unix_sock *target;
    long result;

    if (socket->family != AF_UNIX || socket->type != SOCK_DGRAM || message->name == NULL ||
        !unix_name_is_path(message->name))
        return socket_send(socket, io, message);
    result = unix_target_of_path(message->name, &target);
    if (result == 0) {
        if (READ_ONCE(socket->file->flags) & O_NONBLOCK)
            message->flags |= MSG_DONTWAIT;
        result = unix_send_to(socket, target, io, message);
        unix_target_unref(target);
    }
    return result;
}

static long do_sendto(unsigned fd, vaddr_t buf, size_t len, unsigned flags, vaddr_t user_name,
                      int name_len)
{
    struct socket_message message = {.flags = flags};
    struct socket_name name = {0};
    struct socket_ref ref;
    struct io io;
    long result;

    if (!user_access_ok(buf, len))
        return -EFAULT;
    io_init_user(&io, buf, min(len, IO_BYTES_MAX), 0, 0);
    result = socket_get(fd, &ref);
    if (result != 0)
        return result;
    if (user_name != 0) {
        result = socket_name_from_user(user_name, name_len, &name);
        message.name = &name;
    }
    if (result == 0)
        result = send_named(ref.socket, &io, &message);
    fd_put(ref.fd);
    return result;
}

long sys_sendto(const reg_t arg[6])
{
    return do_sendto((unsigned)arg[0], arg[1], arg[2], (unsigned)arg[3], arg[4], (int)arg[5]);
}

static long send_message(struct socket *socket, const struct abi64_msghdr *header, unsigned flags)
{
    struct socket_record records[SOCKET_RECORDS_MAX];
    struct socket_message message = {.flags = flags, .records = records};
    struct socket_name name = {0};
    struct iov iov;
    struct io io;
    long result = 0;

    if (header->name != 0 && header->name_len != 0) {
        result = socket_name_from_user(
            header->name, (int)min(header->name_len, (uint32_t)SOCKET_NAME_MAX), &name);
        message.name = &name;
    }
    if (result == 0)
        result = header->iov_count > IO_SEGMENTS_MAX
                     ? -EMSGSIZE
                     : iov_get(&iov, header->iov, header->iov_count);
    if (result != 0)
        return result;
    result = header->control != 0
                 ? control_from_user(&message, header->control, header->control_len)
                 : 0;
    if (result == 0) {
        io_init_segments(&io, iov.segments, iov.count, iov.total, 0, 0);
        result = send_named(socket, &io, &message);
        if (result < 0 || io.done == 0) {
            /* Not sent: an empty packet does take its descriptors, an empty stream write does not.
             */
            if (result < 0 || socket->type == SOCK_STREAM)
                files_drop(message.files, message.file_count);
        }
    }
    iov_put(&iov);
    return result;
}

static long do_sendmsg(unsigned fd, vaddr_t user, unsigned flags)
{
    struct abi64_msghdr header;
    struct socket_ref ref;
    long result = socket_get(fd, &ref);

    if (result != 0)
        return result;
    result = copy_from_user(&header, user, sizeof(header));
    if (result == 0)
        result = send_message(ref.socket, &header, flags);
    fd_put(ref.fd);
    return result;
}

long sys_sendmsg(const reg_t arg[6])
{
    return do_sendmsg((unsigned)arg[0], arg[1], (unsigned)arg[2]);
}

static long send_one(struct socket *socket, vaddr_t at, unsigned flags)
{
    struct abi64_msghdr header;
    long result = copy_from_user(&header, at, sizeof(header));

    if (result == 0)
        result = send_message(socket, &header, flags);
    if (result >= 0 &&
        put_user32(at + offsetof(struct abi64_mmsghdr, length), (uint32_t)result) != 0)
        result = -EFAULT;
    return result;
}

long sys_sendmmsg(const reg_t arg[6])
{
    unsigned count = min((unsigned)arg[2], MESSAGES_MAX), done = 0;
    struct socket_ref ref;
    long result = socket_get((unsigned)arg[0], &ref);

    if (result != 0)
        return result;
    for (; done < count && result >= 0; done++) {
        result =
            send_one(ref.socket, arg[1] + done * sizeof(struct abi64_mmsghdr), (unsigned)arg[3]);
        if (result < 0)
            break;
    }
    fd_put(ref.fd);
    return done != 0 || count == 0 ? (long)done : result;
}

/* ---- receiving ---- */

static long do_recvfrom(unsigned fd, vaddr_t buf, size_t len, unsigned flags, vaddr_t user_name,
                        vaddr_t user_name_len)
{
    struct socket_name name = {0};
    struct socket_message message = {.flags = flags, .name = user_name != 0 ? &name : NULL};
    struct socket_ref ref;
    struct io io;
    long result;

    if (!user_access_ok(buf, len))
        return -EFAULT;
    io_init_user(&io, buf, min(len, IO_BYTES_MAX), 0, 0);
    result = socket_get(fd, &ref);
    if (result != 0)
        return result;
    result = socket_receive(ref.socket, &io, &message);
    fd_put(ref.fd);
    if (message.file_count != 0) /* nowhere to put them */
        files_drop(message.files, message.file_count);
    if (result >= 0 && user_name != 0 && socket_name_to_user(&name, user_name, user_name_len) != 0)
        return -EFAULT;
    return result;
}

long sys_recvfrom(const reg_t arg[6])
{
    return do_recvfrom((unsigned)arg[0], arg[1], arg[2], (unsigned)arg[3], arg[4], arg[5]);
}

/* What recvmsg writes back: source, ancillary data, lengths and flags. */
static int results_to_user(vaddr_t user, const struct abi64_msghdr *header, struct socket *socket,
                           struct socket_message *message, const struct socket_name *name,
                           bool cloexec)
{
    struct control_out control = {.user = header->control,
                                  .room = header->control != 0 ? header->control_len : 0};
    vaddr_t name_len = user + offsetof(struct abi64_msghdr, name_len);
    int error = control_to_user(&control, socket, message, cloexec);
    uint32_t flags = (message->flags & RESULT_FLAGS & ~MSG_CTRUNC) | control.flags |
                     (cloexec ? MSG_CMSG_CLOEXEC : 0);

    if (error == 0 && header->name != 0)
        error = socket_name_to_user(name, header->name, name_len);
    if (error == 0)
        error = put_user32(user + offsetof(struct abi64_msghdr, flags), flags);
    if (error == 0)
        error = put_user64(user + offsetof(struct abi64_msghdr, control_len), control.used);
    return error;
}

static long receive_message(struct socket *socket, vaddr_t user, unsigned flags)
{
    struct socket_name name = {0};
    struct socket_record records[SOCKET_RECORDS_MAX];
    struct socket_message message = {.flags = flags & ~MSG_CMSG_CLOEXEC, .records = records};
    struct abi64_msghdr header;
    struct iov iov;
    struct io io;
    long result;
    int error;

    if (copy_from_user(&header, user, sizeof(header)) != 0)
        return -EFAULT;
    if (header.iov_count > IO_SEGMENTS_MAX)
        return -EMSGSIZE;
    if (header.name != 0 && (int32_t)header.name_len < 0)
        return -EINVAL;
    result = iov_get(&iov, header.iov, header.iov_count);
    if (result != 0)
        return result;
    message.name = header.name != 0 ? &name : NULL;
    io_init_segments(&io, iov.segments, iov.count, iov.total, 0, 0);
    result = socket_receive(socket, &io, &message);
    if (result >= 0) {
        error = results_to_user(user, &header, socket, &message, &name,
                                (flags & MSG_CMSG_CLOEXEC) != 0);
        if (error != 0)
            result = error;
    } else if (message.file_count != 0) {
        files_drop(message.files, message.file_count);
    }
    iov_put(&iov);
    return result;
}

static long do_recvmsg(unsigned fd, vaddr_t user, unsigned flags)
{
    struct socket_ref ref;
    long result = socket_get(fd, &ref);

    if (result == 0) {
        result = receive_message(ref.socket, user, flags);
        fd_put(ref.fd);
    }
    return result;
}

long sys_recvmsg(const reg_t arg[6])
{
    return do_recvmsg((unsigned)arg[0], arg[1], (unsigned)arg[2]);
}

/* The time-out is looked at between messages only (recvmmsg(2), BUGS). */
static long do_recvmmsg(unsigned fd, vaddr_t user, unsigned count, unsigned flags, vaddr_t timeout)
{
    struct socket_ref ref;
    uint64_t deadline_ns;
    unsigned done = 0;
    long result = deadline_from_user(timeout, &deadline_ns);

    if (result == 0)
        result = socket_get(fd, &ref);
    if (result != 0)
        return result;
    count = min(count, MESSAGES_MAX);
    while (done < count) {
        vaddr_t at = user + done * sizeof(struct abi64_mmsghdr);

        result = receive_message(ref.socket, at, flags & ~MSG_WAITFORONE);
        if (result >= 0)
            result = put_user32(at + offsetof(struct abi64_mmsghdr, length), (uint32_t)result);
        if (result < 0)
            break;
        done++;
        if (flags & MSG_WAITFORONE)
            flags |= MSG_DONTWAIT;
        if (clock_monotonic_ns() >= deadline_ns)
            break;
    }
    fd_put(ref.fd);
    deadline_to_user(timeout, deadline_ns);
    return done != 0 || count == 0 ? (long)done : result;
}

long sys_recvmmsg(const reg_t arg[6])
{
    return do_recvmmsg((unsigned)arg[0], arg[1], (unsigned)arg[2], (unsigned)arg[3], arg[4]);
}
