#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""A bad cable between two taps: passes frames on, loses, doubles, delays and reorders some, the same for the same seed.

    relay.py [--loss PERCENT] [--double PERCENT] [--reorder PERCENT] [--delay MS] [--seed N] HOST_TAP GUEST_TAP

HOST_TAP's host side has the address; the relay holds its other end and watches GUEST_TAP, whose other end a guest
holds, by a packet socket. Frames keep the header that tells of checksums and segments still to be made (virtio 5.1.6).
Says `ready`, ends with its standard input, and then prints what it did.
"""
import argparse
import fcntl
import heapq
import os
import random
import select
import socket
import struct
import sys
import time

TUNSETIFF = 0x400454CA
IFF_TAP, IFF_NO_PI, IFF_VNET_HDR = 0x0002, 0x1000, 0x4000
SOL_PACKET, PACKET_VNET_HDR, PACKET_IGNORE_OUTGOING = 263, 15, 23
ETH_P_ALL = 3
FRAME_MAX = 70000


class Cable:
    """One direction; frames wait in a heap for the time at which they go on."""

    def __init__(self, options, seed):
        self.options, self.random = options, random.Random(seed)
        self.waiting, self.taken, self.lost, self.doubled, self.late = [], 0, 0, 0, 0

    def chance(self, percent):
        return self.random.random() * 100 < percent

    def take(self, frame, now):
        self.taken += 1
        if self.chance(self.options.loss):
            self.lost += 1
            return
        due = now + self.options.delay / 1000 * (0.5 + self.random.random())
        if self.chance(self.options.reorder):
            self.late += 1
            due += 0.002 + 3 * self.options.delay / 1000
        heapq.heappush(self.waiting, (due, self.taken, frame))
        if self.chance(self.options.double):
            self.doubled += 1
            heapq.heappush(self.waiting, (due + 0.001, self.taken, frame))

    def ready(self, now):
        while self.waiting and self.waiting[0][0] <= now:
            yield heapq.heappop(self.waiting)[2]

    def __str__(self):
        return f"{self.taken} frames, {self.lost} lost, {self.doubled} doubled, {self.late} late"


def open_tap(name):
    tun = os.open("/dev/net/tun", os.O_RDWR | os.O_NONBLOCK)
    fcntl.ioctl(tun, TUNSETIFF, struct.pack("16sH22x", name.encode(), IFF_TAP | IFF_NO_PI | IFF_VNET_HDR))
    return tun


def open_packets(name):
    packets = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(ETH_P_ALL))
    packets.setsockopt(SOL_PACKET, PACKET_VNET_HDR, 1)
    packets.setsockopt(SOL_PACKET, PACKET_IGNORE_OUTGOING, 1)
    packets.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4 << 20)
    packets.bind((name, 0))
    packets.setblocking(False)
    return packets.detach()


def pump(source, cable, now):
    """What has come, up to a bound, so that the other direction has its turn."""
    for _ in range(64):
        try:
            cable.take(os.read(source, FRAME_MAX), now)
        except BlockingIOError:
            return
        except OSError:     # the guest's end is gone for now
            return


def deliver(cable, target, now):
    for frame in cable.ready(now):
        try:
            os.write(target, frame)
        except OSError:     # full or gone: lost, as by any cable
            pass


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name in ("loss", "double", "reorder", "delay"):
        parser.add_argument(f"--{name}", type=float, default=0)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("host_tap")
    parser.add_argument("guest_tap")
    options = parser.parse_args()
    host, guest = open_tap(options.host_tap), open_packets(options.guest_tap)
    to_guest, to_host = Cable(options, options.seed), Cable(options, options.seed + 1)
    print("ready", flush=True)
    while True:
        dues = [cable.waiting[0][0] for cable in (to_guest, to_host) if cable.waiting]
        wait = max(0, min(dues) - time.monotonic()) if dues else None
        readable, _, _ = select.select([host, guest, sys.stdin], [], [], wait)
        now = time.monotonic()
        if sys.stdin in readable:
            break
        if host in readable:
            pump(host, to_guest, now)
        if guest in readable:
            pump(guest, to_host, now)
        deliver(to_guest, guest, now)
        deliver(to_host, host, now)
    print(f"to the guest: {to_guest}\nto the host: {to_host}")


main()
