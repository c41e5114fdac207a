/* SPDX-License-Identifier: MIT */
/*
 * The network stack on the host: a device that keeps what is sent, time that passes when told, and
 * requests that move no bytes. One interface with an address, beside loopback.
 */
#ifndef UNIT_STACK_FAKE_H
#define UNIT_STACK_FAKE_H

#include <device/netdev.h>
#include <file/io.h>

#include "../../../kernel/net/inet.h"

#define STACK_FAKE_PORT 80

extern const uint8_t stack_fake_mac[6], stack_fake_address[4], stack_fake_peer[4];
extern uint8_t stack_fake_address6[16];

/* The last TCP segment sent, from its header on, and how far it moves the sequence; the last DHCP
 * request's transaction. */
extern uint8_t stack_fake_segment[128], stack_fake_dhcp_id[4];
extern size_t stack_fake_segment_size;
extern uint32_t stack_fake_segment_length;
extern bool stack_fake_segment_is_v6;

/* Bytes of data in the longest segment sent since the test cleared it. */
extern size_t stack_fake_longest;

/* How the last frame sent begins. */
extern uint8_t stack_fake_frame[256];
extern size_t stack_fake_frame_size;

/* The first time makes the stack; `features`: NETDEV_*. */
void stack_fake_start(unsigned features);
/* What waits goes; nothing sent may be left unreleased. */
void stack_fake_stop(void);

/* A frame arrives; flags: NETBUF_CSUM_VALID. */
void stack_fake_receive(const uint8_t *frame, size_t size, unsigned flags);
void stack_fake_time(unsigned ms);

void stack_fake_socket(struct socket *socket, bool is_stream);
struct io stack_fake_io(size_t size);

#endif
