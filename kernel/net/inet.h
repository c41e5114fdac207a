/* SPDX-License-Identifier: MIT */
/*
 * Internet sockets, inside. inet.c is the half that knows the Linux ABI and waits; a transport
 * (net/lwip/) is the half that knows the protocol, and never waits.
 *
 * Locks: one lock around the stack (net_lock in net/lwip/lwip_stack.c) guards all of struct
 * inet_sock but what is said to be read without it. A transport takes it itself. User memory is
 * touched only without it; `read_lock` keeps readers of one stream apart meanwhile.
 */
#ifndef NET_INET_H
#define NET_INET_H

#include <core/wait.h>
#include <lib/list.h>
#include <net/socket.h>

/* An address and port in host byte order; family AF_UNSPEC: none. */
struct inet_address {
    uint16_t family;
    uint16_t port;
    uint32_t scope;    /* interface, for link-local IPv6 */
    uint8_t bytes[16]; /* network byte order; IPv4 uses 4 */
};

enum inet_state {
    INET_NEW,
    INET_BOUND,
    INET_LISTENING,
    INET_CONNECTING,
    INET_CONNECTED,
    INET_DEAD
};

#define INET_SHUT_RD 1u
#define INET_SHUT_WR 2u

/* What is known of a datagram beside its bytes. */
struct inet_packet {
    struct inet_address address; /* source; to send: destination */
    struct inet_address local;   /* destination; to send: source, AF_UNSPEC: any */
    unsigned interface;          /* index; 0: any */
    int ttl, tos;                /* to send: -1: the socket's */
    uint64_t stamp_ns;           /* real time when it came; 0: nobody asked */
};

/* inet_options.receive, by the family of the option */
#define RECEIVE_INFO4   0x01u
#define RECEIVE_TTL4    0x02u
#define RECEIVE_TOS4    0x04u
#define RECEIVE_ERRORS4 0x08u
#define RECEIVE_INFO6   0x10u
#define RECEIVE_TTL6    0x20u
#define RECEIVE_TOS6    0x40u
#define RECEIVE_ERRORS6 0x80u
#define RECEIVE_ABOUT   0x77u /* inet_packet is to be filled beyond its address */

/* Options by number (inet_option.c). Transports look at some. */
struct inet_options {
    bool v6_only, no_delay, cork, quick_ack;
    bool header_included, multicast_all, free_bind, transparent;
    uint32_t receive; /* RECEIVE_*: what comes along with a datagram */
    uint8_t multicast_loop, multicast_ttl;
    uint8_t ttl, tos;
    int mtu_discover, multicast_interface, minimum_ttl, flow_label;
    int checksum_offset; /* IPV6_CHECKSUM; -1: none */
    int keep_idle_s, keep_interval_s, keep_count;
    int max_segment, syn_count, linger2_s, defer_accept_s, window_clamp, user_timeout_ms;
    int fast_open, fast_open_connect, not_sent_low;
    uint32_t icmp_filter[8]; /* raw ICMP: types that are not wanted */
};

/* An ICMP error that reached a socket with IP_RECVERR. */
struct inet_error {
    struct inet_error *next;
    int error; /* positive errno */
    uint8_t type, code;
    uint32_t info;                    /* path MTU */
    struct inet_address to, offender; /* where the packet went, who sent the error */
    size_t length;                    /* bytes of what was sent, as far as they came back */
    uint8_t data[];
};

/* Groups that a socket has joined. */
struct inet_membership {
    struct inet_membership *next;
    struct inet_address group;
    unsigned interface;
};

struct inet_sock {
    atomic_t refs;         /* its socket, its protocol block, the list of those to wake */
    struct socket *socket; /* NULL: not accepted yet, or closed */
    const struct transport_ops *transport;
    void *pcb;             /* the transport's protocol block; NULL: none (any more) */
    enum inet_state state; /* read without the lock */
    bool is_connecting;    /* a connect whose end the program was not told yet */
    bool is_bound;         /* to its port, by bind() */
    bool is_address_bound; /* UDP: to its address */
    bool has_plain_peer;   /* UDP: connected over IPv4, to one machine */
    bool may_reconnect;    /* dead, but was never connected */
    unsigned ready;        /* POLL*: what holds now; read without the lock */
    unsigned shutdown;
    unsigned woken; /* POLL* to tell when the lock is given up */
    struct inet_sock *wake_next;
    struct inet_options options;
    struct inet_address local, peer;
    struct inet_membership *memberships;
    struct inet_error *errors; /* oldest first */
    uint8_t multicast_source[4];
    uint8_t ip_protocol; /* raw and ICMP sockets, and their list */
    struct inet_sock *raw_next;
    struct waitq readable, writable;

    /* received: the transport's buffers, a list with its tail */
    void *first, *last;
    size_t received; /* bytes; datagrams: with their overhead */
    size_t offset;   /* bytes of the first buffer that were read */
    struct mutex read_lock;

    bool has_heard, is_interactive; /* something came since we sent; our sends are answers */
    uint8_t quick_acks;             /* left */

    uint64_t written, acked; /* positions in the stream; read without the lock */
    /* losses (lwip/lwip_loss.c): times are those of sending, on the clock of timestamps */
    bool is_recovering, is_reordered; /* until `recovered_at` is acknowledged; since ever */
    uint8_t reorder_steps, timeouts;
    uint16_t late_ms;                                       /* seen so far */
    uint32_t recovered_at, stuck_at, arrived_to, probed_at; /* sequence numbers */
    uint32_t arrived_ms, rtt_ms, rtt_min_ms;                /* of the newest segment that arrived */
    uint32_t resent_ms, window_before, threshold_before;    /* when a loss was noticed */
    uint32_t stuck_ms, stuck_seq;   /* since when, and at what, nothing was acknowledged; 0: not */
    uint32_t window, window_wanted; /* bytes that the other end may send ahead of the reader */
    uint32_t held_ms;               /* since when bytes are held back; 0: none are */
    uint32_t segment_max,
        gso_limit; /* bytes of the largest segment to make; 0: not by the device */

    /* a listener's connections, oldest first; a connection's place among them */
    struct list_node backlog;
    unsigned backlog_count, backlog_max;
    struct list_node backlog_node;
    struct inet_sock *listener;
    bool is_overdue; /* TCP_DEFER_ACCEPT: accepted without data, too */
    int early_error; /* how it ended before it was accepted; 0: it has not */
};

/* None waits; all take the lock. Errors are negative. */
struct transport_ops {
    int (*open)(struct inet_sock *sock);
    void (*close)(struct inet_sock *sock, bool abort);
    int (*bind)(struct inet_sock *sock, const struct inet_address *address);
    /* -EINPROGRESS; AF_UNSPEC: no longer connected */
    int (*connect)(struct inet_sock *sock, const struct inet_address *to);
    int (*listen)(struct inet_sock *sock, unsigned backlog);
    /* The oldest connection, for a fresh socket: the caller's reference. NULL: none. */
    struct inet_sock *(*accept)(struct inet_sock *sock, struct socket *to);
    /* As much as there is room for; -EAGAIN. to->address AF_UNSPEC: the peer. Streams ignore `to`.
     */
    ssize_t (*send)(struct inet_sock *sock, struct io *io, const struct inet_packet *to,
                    unsigned flags);
    /* What is there; -EAGAIN. 0: end. Sets *from (datagrams) and *flags (MSG_TRUNC). */
    ssize_t (*receive)(struct inet_sock *sock, struct io *io, struct inet_packet *from,
                       unsigned *flags);
    int (*shutdown)(struct inet_sock *sock, unsigned how);
    int (*waiting)(struct inet_sock *sock); /* FIONREAD */
    void (*options_changed)(struct inet_sock *sock);
};

extern const struct transport_ops tcp_transport, udp_transport, raw_transport, echo_transport;

/* net/lwip/lwip_group.c: -ENODEV, -EADDRINUSE, -EADDRNOTAVAIL, -ENOBUFS. Interface 0: any. */
int net_join_group(struct inet_sock *sock, const struct inet_address *group, unsigned interface);
int net_leave_group(struct inet_sock *sock, const struct inet_address *group, unsigned interface);
void net_leave_all_groups(struct inet_sock *sock);

/* struct tcp_info of tcp(7), as far as it is known here */
struct inet_tcp_info {
    uint8_t state, ca_state, retransmits, probes, backoff, options, scales, flags;
    uint32_t rto_us, ato_us, send_mss, receive_mss;
    uint32_t unacked, sacked, lost, retrans, fackets;
    uint32_t last_data_sent_ms, last_ack_sent_ms, last_data_received_ms, last_ack_received_ms;
    uint32_t path_mtu, receive_threshold, rtt_us, rtt_var_us, send_threshold, send_window;
    uint32_t advertised_mss, reordering, receive_rtt_us, receive_space, total_retrans;
    uint64_t pacing_rate, max_pacing_rate, bytes_acked, bytes_received;
    uint32_t segments_out, segments_in, not_sent_bytes, min_rtt_us, data_segments_in,
        data_segments_out;
};

/* net/lwip/lwip_info.c: of a TCP socket in any state. */
void net_tcp_info(struct inet_sock *sock, struct inet_tcp_info *out);
int net_tcp_max_segment(struct inet_sock *sock);

/* net/lwip/lwip_icmp.c: the oldest error of the queue, the caller's to kfree; NULL. */
struct inet_error *net_take_error(struct inet_sock *sock);

/* net/lwip/lwip_boot.c: before there are interfaces. */
void net_boot_init(void);

/* Packets that devices carried, and bytes that the CPU moved: from programs, to them, and beyond
 * those copies, inside the stack (net/lwip/lwip_stack.c). */
struct net_copies {
    uint64_t in, out, inside;
    uint64_t packets_in, packets_out;
};
void net_get_copies(struct net_copies *out);

/* net/lwip/lwip_stack.c: once, at boot. */
void net_stack_init(void);

/* inet.c; alloc and unref in any context */
struct inet_sock *inet_sock_alloc(const struct transport_ops *transport);
void inet_sock_ref(struct inet_sock *sock);
void inet_sock_unref(struct inet_sock *sock);

#endif
