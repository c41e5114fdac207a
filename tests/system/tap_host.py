#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""The host's side of taps, inside a network namespace: makes them and answers what a guest asks at its start.

    tap_host.py NAME[:N[:queues|:silent]]...

Each NAME is a tap with 10.0.(2+N).2/24 and fd00:N::2/64 on the host's side, which leases 10.0.(2+N).15 by DHCP
(RFC 2131) and advertises the prefix (RFC 4861). A NAME without N has no address: a relay serves it. With `queues` it
is for a device with several; a `silent` one has its addresses, and leases and advertises nothing. Says `ready` and ends with its standard input. Needs no package: ioctls of netdevice(7) and tun.
"""
import fcntl
import ipaddress
import os
import select
import socket
import stat
import struct
import sys

TUNSETIFF, TUNSETPERSIST = 0x400454CA, 0x400454CB
IFF_TAP, IFF_NO_PI, IFF_MULTI_QUEUE, IFF_UP = 0x0002, 0x1000, 0x0100, 0x1
SIOCSIFFLAGS, SIOCSIFADDR, SIOCSIFNETMASK = 0x8914, 0x8916, 0x891C
DISCOVER, OFFER, REQUEST, ACK, NAK = 1, 2, 3, 5, 6
COOKIE = b"\x63\x82\x53\x63"


def make_tap(name, flags):
    if not os.path.exists("/dev/net/tun"):      # in a container; QEMU opens it by this name
        os.makedirs("/dev/net", exist_ok=True)
        os.mknod("/dev/net/tun", 0o600 | stat.S_IFCHR, os.makedev(10, 200))
    with open("/dev/net/tun", "r+b", buffering=0) as tun:
        fcntl.ioctl(tun, TUNSETIFF, struct.pack("16sH22x", name.encode(), IFF_TAP | IFF_NO_PI | flags))
        fcntl.ioctl(tun, TUNSETPERSIST, 1)


def inet_request(name, address):
    return struct.pack("16sHH4s8x", name.encode(), socket.AF_INET, 0, socket.inet_aton(address))


def bring_up(name, host=None, host6=None):
    """No duplicate address detection: the address is there at once. No host6: no IPv6; an empty one: none of ours."""
    for option, value in (("accept_dad", "0"), ("router_solicitations", "0"), ("disable_ipv6", "1" if host6 is None else "0")):
        try:
            with open(f"/proc/sys/net/ipv6/conf/{name}/{option}", "w", encoding="ascii") as out:
                out.write(value)
        except OSError:
            pass
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as control:
        if host:
            fcntl.ioctl(control, SIOCSIFADDR, inet_request(name, host))
            fcntl.ioctl(control, SIOCSIFNETMASK, inet_request(name, "255.255.255.0"))
        fcntl.ioctl(control, SIOCSIFFLAGS, struct.pack("16sH22x", name.encode(), IFF_UP))
    if host6:
        with socket.socket(socket.AF_INET6, socket.SOCK_DGRAM) as control:
            fcntl.ioctl(control, SIOCSIFADDR, struct.pack("16sIi", socket.inet_pton(socket.AF_INET6, host6), 64,
                                                          socket.if_nametoindex(name)))


class Dhcp:
    """Leases one address to whoever asks."""

    def __init__(self, name, host, lease):
        self.host, self.lease = socket.inet_aton(host), socket.inet_aton(lease)
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_BROADCAST, 1)
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, name.encode())
        self.socket.bind(("0.0.0.0", 67))

    def fileno(self):
        return self.socket.fileno()

    def answer(self):
        data = self.socket.recv(2048)
        if len(data) < 241 or data[0] != 1 or data[236:240] != COOKIE:
            return
        options, at = {}, 240
        while at + 1 < len(data) and data[at] != 255:
            if data[at]:
                options[data[at]] = data[at + 2:at + 2 + data[at + 1]]
                at += 1 + data[at + 1]
            at += 1
        kind = options.get(53, b"\0")[0]
        if kind not in (DISCOVER, REQUEST):
            return
        wanted = options.get(50, data[12:16])
        reply = OFFER if kind == DISCOVER else ACK if wanted == self.lease else NAK
        head = struct.pack("!4B4sHH4s4s4s4s", 2, 1, 6, 0, data[4:8], 0, 0x8000, bytes(4), self.lease, self.host, bytes(4))
        out = head + data[28:44] + bytes(192) + COOKIE + bytes((53, 1, reply)) + b"\x36\x04" + self.host
        if reply != NAK:
            out += (b"\x33\x04" + struct.pack("!I", 86400) + b"\x01\x04\xff\xff\xff\0" + b"\x03\x04" + self.host
                    + b"\x06\x04" + self.host)
        self.socket.sendto(out + b"\xff", ("255.255.255.255", 68))


class Router:
    """Advertises one prefix and a name server in it, when asked and at the start."""

    def __init__(self, name, prefix):
        self.scope = socket.if_nametoindex(name)
        self.socket = socket.socket(socket.AF_INET6, socket.SOCK_RAW, socket.IPPROTO_ICMPV6)
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, name.encode())
        self.socket.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_MULTICAST_HOPS, 255)
        group = struct.pack("16sI", socket.inet_pton(socket.AF_INET6, "ff02::2"), self.scope)
        self.socket.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_JOIN_GROUP, group)
        option = struct.pack("!BBBBIII16s", 3, 4, 64, 0xC0, 86400, 86400, 0, ipaddress.IPv6Address(prefix).packed)
        server = struct.pack("!BBHI16s", 25, 3, 0, 600, ipaddress.IPv6Address(f"{prefix}53").packed)  # RFC 8106
        self.advertisement = struct.pack("!BBHBBHII", 134, 0, 0, 64, 0, 1800, 0, 0) + option + server

    def fileno(self):
        return self.socket.fileno()

    def answer(self):
        if self.socket.recv(2048)[:1] == b"\x85":
            self.advertise()

    def advertise(self):
        try:
            self.socket.sendto(self.advertisement, ("ff02::1", 0, 0, self.scope))
        except OSError:
            pass    # no guest holds the other end yet


def main():
    bring_up("lo", host6="")
    answering = []
    for word in sys.argv[1:]:
        name, number, kind = (word.split(":") + ["", ""])[:3]
        make_tap(name, IFF_MULTI_QUEUE if kind == "queues" else 0)
        if not number:
            bring_up(name)
            continue
        number = int(number)
        bring_up(name, f"10.0.{2 + number}.2", f"fd00:{number}::2")
        if kind != "silent":
            answering += [Dhcp(name, f"10.0.{2 + number}.2", f"10.0.{2 + number}.15"), Router(name, f"fd00:{number}::")]
    print("ready", flush=True)
    while True:
        readable, _, _ = select.select([sys.stdin, *answering], [], [])
        for one in readable:
            if one is sys.stdin:
                return
            one.answer()


main()
