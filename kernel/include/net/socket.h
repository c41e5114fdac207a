/* SPDX-License-Identifier: MIT */
/*
 * Sockets, whatever their protocol: what linux/socket.c calls and what a protocol family supplies.
 * Everything runs in thread context, may sleep unless it says otherwise, and returns -errno.
 * Addresses are bytes in the ABI's layout: a 16-bit family, then what the family defines.
 */
#ifndef NET_SOCKET_H
#define NET_SOCKET_H

#include <core/wait.h>
#include <file/file.h>
#include <lib/types.h>

#define AF_UNSPEC 0
#define AF_UNIX   1
#define AF_INET   2
#define AF_INET6  10
#define AF_VSOCK  40

#define SOCK_STREAM    1
#define SOCK_DGRAM     2
#define SOCK_RAW       3
#define SOCK_SEQPACKET 5

#define MSG_OOB          0x1u
#define MSG_PEEK         0x2u
#define MSG_DONTROUTE    0x4u
#define MSG_CTRUNC       0x8u
#define MSG_TRUNC        0x20u
#define MSG_DONTWAIT     0x40u
#define MSG_EOR          0x80u
#define MSG_WAITALL      0x100u
#define MSG_ERRQUEUE     0x2000u
#define MSG_NOSIGNAL     0x4000u
#define MSG_MORE         0x8000u
#define MSG_WAITFORONE   0x10000u
#define MSG_CMSG_CLOEXEC 0x40000000u

#define SHUT_RD   0
#define SHUT_WR   1
#define SHUT_RDWR 2

#define SOCKET_NAME_MAX     128    /* sizeof(struct sockaddr_storage) */
#define SOCKET_BUFFER_BYTES 212992 /* net.core.wmem_default, rmem_default, and their maxima */
#define SOCKET_FILES_MAX    253    /* SCM_MAX_FD */

struct socket;

struct socket_name {
    unsigned len; /* bytes used; 0: no name was given or there is none to tell */
    union {
        uint16_t family;
        char bytes[SOCKET_NAME_MAX];
    };
};

/* Who sent or connected, in the receiver's eyes. */
struct socket_cred {
    int pid;
    uint32_t uid, gid;
};

/* One record of control data (cmsg(3)) other than descriptors and credentials. */
#define SOCKET_RECORDS_MAX 8u  /* of one message */
#define SOCKET_RECORD_MAX  48u /* bytes of one */
struct socket_record {
    int level, type;
    unsigned size;
    uint8_t data[SOCKET_RECORD_MAX];
};

/* One send or receive beside its bytes. */
struct socket_message {
    unsigned flags;           /* MSG_*; receive: those that came out */
    struct socket_name *name; /* destination or, on receive, source; NULL: not asked for */
    struct file *
        *files; /* descriptors that travel along; references: send consumes them on success only */
    unsigned
        file_count; /* receive: how many came; the caller owns files (kfree) and the references */
    bool has_cred;  /* send: `cred` was given explicitly; receive: it is known */
    struct socket_cred cred;
    /* send: what the program gave; receive: room for SOCKET_RECORDS_MAX, NULL if not asked for */
    struct socket_record *records;
    unsigned record_count;
};

/* Whose name is asked for; the last: of the other end of a connection that is being accepted, which
 * may be over already. */
enum socket_end { SOCKET_OWN, SOCKET_PEER, SOCKET_ACCEPTED };

struct socket_ops {
    int (*bind)(struct socket *, const struct socket_name *);
    int (*connect)(struct socket *, const struct socket_name *, unsigned file_flags);
    int (*listen)(struct socket *, int backlog);
    /* A connection into the fresh socket `to`, whose ops and type are set by the callee. */
    int (*accept)(struct socket *, struct socket *to, bool nowait);
    int (*name)(struct socket *, struct socket_name *, enum socket_end);
    ssize_t (*send)(struct socket *, struct io *, struct socket_message *);
    ssize_t (*receive)(struct socket *, struct io *, struct socket_message *);
    int (*shutdown)(struct socket *, int how);
    unsigned (*poll)(struct socket *, struct poll_waiter *);
    long (*ioctl)(struct socket *, unsigned cmd, reg_t arg); /* -ENOTTY: not mine */
    /* Options of levels other than SOL_SOCKET, and those of SOL_SOCKET that need the protocol.
     * -ENOPROTOOPT. */
    int (*set_option)(struct socket *, int level, int option, const void *value, size_t size);
    int (*get_option)(struct socket *, int level, int option, void *value, size_t *size);
    void (*release)(struct socket *);
};

enum socket_stamp { SOCKET_STAMP_NONE, SOCKET_STAMP_US, SOCKET_STAMP_NS };

struct socket {
    const struct socket_ops *ops;
    void *protocol;    /* the family's own */
    struct file *file; /* not counted: the file owns the socket */
    int family, type, protocol_number;

    /* SOL_SOCKET options: single words, read without a lock */
    int send_buffer, receive_buffer;              /* bytes */
    uint64_t send_timeout_ns, receive_timeout_ns; /* 0: none */
    int receive_low;
    bool pass_cred, reuse_address, reuse_port, keep_alive, broadcast, out_of_band_inline;
    bool dont_route, no_check, tell_overflow;
    uint8_t stamp;            /* enum socket_stamp */
    unsigned bound_interface; /* SO_BINDTODEVICE: index; 0: none */
    int linger_seconds;       /* -1: off */
    int priority, mark;
    atomic_t error; /* SO_ERROR: positive errno of what went wrong in the background */
};

/* A protocol family; registered once at boot. create: sets ops and protocol; -EPROTONOSUPPORT,
 * -ESOCKTNOSUPPORT. */
struct socket_family {
    int family;
    int (*create)(struct socket *, int type, int protocol);
    int (*pair)(struct socket *, struct socket *); /* socketpair; NULL: -EOPNOTSUPP */
};
void socket_family_register(const struct socket_family *family);

/* socket(2): a file with one reference. flags: O_NONBLOCK. */
int socket_create(int family, int type, int protocol, unsigned flags, struct file **out);
int socket_create_pair(int family, int type, int protocol, unsigned flags, struct file *out[2]);

/* accept(2): *out is a new file, *peer (if not NULL) the other side's name. */
int socket_accept(struct file *file, unsigned flags, struct file **out, struct socket_name *peer);

/* The socket behind a file, or NULL. */
struct socket *socket_of(struct file *file);

/* send and receive with the file's O_NONBLOCK applied; -EPIPE also raises SIGPIPE where Linux does.
 */
ssize_t socket_send(struct socket *socket, struct io *io, struct socket_message *message);
ssize_t socket_receive(struct socket *socket, struct io *io, struct socket_message *message);

/* SOL_SOCKET; value is the ABI's bytes. */
int socket_set_option(struct socket *socket, int option, const void *value, size_t size,
                      bool privileged);
int socket_get_option(struct socket *socket, int option, void *value, size_t *size);
/* Options that the socket's `set_option` hears of, too, after they were set. */
bool socket_option_is_told(int option);

/* For protocols: control data of a received message; nothing happens if nobody asks for it. */
void socket_add_record(struct socket_message *message, int level, int type, const void *data,
                       size_t size);
/* The record of the time it came, as the SO_TIMESTAMP* that the socket has set wants it. */
void socket_add_stamp(const struct socket *socket, struct socket_message *message,
                      uint64_t realtime_ns);

/* For protocols: when a wait that may last timeout_ns ends, and what its end means to the program.
 */
uint64_t socket_deadline(uint64_t timeout_ns);
int socket_wait_error(int error, uint64_t timeout_ns);

/* kernel/linux defines: the credentials of the running thread, and whether it may. */
#define SOCKET_CAP_NET_BIND  10
#define SOCKET_CAP_NET_ADMIN 12
#define SOCKET_CAP_NET_RAW   13
void socket_current_cred(struct socket_cred *cred);
bool socket_current_capable(unsigned capability);

/* ioctls on network devices, which any socket takes (netdevice(7)); set once at boot. */
void socket_set_device_ioctl(long (*ioctl)(struct socket *, unsigned cmd, reg_t arg));

#endif
