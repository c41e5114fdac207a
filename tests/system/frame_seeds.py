# SPDX-License-Identifier: MIT
"""Frames of Ethernet, ARP, IPv4, IPv6 and what they carry: made, turned round, cut, with right checksums.

As little as frame_fuzz.py needs; numbers as in RFC 826, 791, 792, 768, 9293, 2131, 8200, 4443, 4861.
"""
import dataclasses
import ipaddress
import socket
import struct

IPV4, ARP, IPV6, VLAN = 0x0800, 0x0806, 0x86DD, 0x8100
ICMP, IGMP, TCP, UDP, ICMP6 = 1, 2, 6, 17, 58
SYN, ACK = 2, 16
HOST = "10.0.2.2"


@dataclasses.dataclass
class Ends:
    host_mac: bytes
    guest_mac: bytes
    host: str
    guest: str
    guest6: str
    host6: str = "fd00::2"


def autoconfigured(prefix, mac):
    interface = bytes([mac[0] ^ 2]) + mac[1:3] + b"\xff\xfe" + mac[3:]
    return str(ipaddress.IPv6Address(ipaddress.IPv6Address(prefix).packed[:8] + interface))


def v4(text):
    return socket.inet_aton(text)


def v6(text):
    return ipaddress.IPv6Address(text).packed


def total(data):
    """The sum of RFC 1071, complemented."""
    data = bytes(data) + b"\0" * (len(data) % 2)
    value = sum(struct.unpack(f"!{len(data) // 2}H", data))
    while value >> 16:
        value = (value & 0xFFFF) + (value >> 16)
    return ~value & 0xFFFF


def ether(ends, kind, payload):
    return ends.guest_mac + ends.host_mac + struct.pack("!H", kind) + payload


def ip(ends, protocol, payload, options=b"", host=None, fragment=0, guest=None):
    size = 20 + len(options)
    head = struct.pack("!BBHHHBBH4s4s", 0x40 | size // 4, 0, size + len(payload), 77, fragment, 64, protocol, 0,
                       v4(host or ends.host), v4(guest or ends.guest)) + options
    return right_sums(ether(ends, IPV4, head + payload))


def ip6(ends, protocol, payload, host=None, guest=None, hops=255):
    head = struct.pack("!IHBB16s16s", 6 << 28, len(payload), protocol, hops, v6(host or ends.host6), v6(guest or ends.guest6))
    return right_sums(ether(ends, IPV6, head + payload))


def udp(source, target, payload):
    return struct.pack("!HHHH", source, target, 8 + len(payload), 0) + payload


def tcp(source, target, flags, options=b"", payload=b"", sequence=1000, acknowledged=0):
    options += b"\1" * (-len(options) % 4)
    return struct.pack("!HHIIBBHHH", source, target, sequence, acknowledged, (20 + len(options)) // 4 << 4, flags, 4096, 0, 0) + options + payload


def icmp(kind, code, rest):
    return struct.pack("!BBH", kind, code, 0) + rest


def arp(ends, operation, target=None):
    return ether(ends, ARP, struct.pack("!HHBBH6s4s6s4s", 1, IPV4, 6, 4, operation, ends.host_mac, v4(ends.host),
                                        ends.guest_mac, v4(target or ends.guest)))


def dhcp(ends, kind, transaction=1, options=b"", lease=86400):
    head = struct.pack("!4BIHH4s4s4s4s", 2, 1, 6, 0, transaction, 0, 0x8000, bytes(4), v4(ends.guest), v4(ends.host), bytes(4))
    body = head + ends.guest_mac + bytes(10 + 192) + b"\x63\x82\x53\x63\x35\x01" + bytes([kind]) + b"\x36\x04" + v4(ends.host)
    body += b"\x33\x04" + struct.pack("!I", lease) + b"\x01\x04\xff\xff\xff\0\x03\x04" + v4(ends.host) + b"\x06\x04" + v4(ends.host)
    return ip(ends, UDP, udp(67, 68, body + options + b"\xff"), guest="255.255.255.255")


def advertisement(ends):
    prefix = struct.pack("!BBBBIII16s", 3, 4, 64, 0xC0, 86400, 86400, 0, v6("fd00::"))
    server = struct.pack("!BBHI16s", 25, 3, 0, 600, v6("fd00::53"))
    link = b"\1\1" + ends.host_mac
    return ip6(ends, ICMP6, icmp(134, 0, struct.pack("!BBHII", 64, 0, 1800, 0, 0) + prefix + server + link + struct.pack("!BBHI", 5, 1, 0, 1500)),
               host=autoconfigured("fe80::", ends.host_mac), guest="ff02::1")


def neighbour(ends, kind):
    flags, option = (0x60000000, 2) if kind == 136 else (0, 1)
    about = ends.host6 if kind == 136 else ends.guest6
    return ip6(ends, ICMP6, icmp(kind, 0, struct.pack("!I", flags) + v6(about) + bytes((option, 1)) + ends.host_mac))


def honest(ends):
    """What puts a guest right that believed a lie."""
    return [arp(ends, 1), arp(ends, 2), advertisement(ends), neighbour(ends, 135), neighbour(ends, 136)]


def made(ends):
    """One frame of each kind that a guest takes apart."""
    syn = b"\2\4\5\xb4\4\2\x08\x0a\0\0\0\1\0\0\0\0\1\3\3\7"
    inner = ip(ends, TCP, tcp(80, 4000, ACK))[14:42]
    inner6 = ip6(ends, TCP, tcp(80, 4000, ACK))[14:80]
    target = v6(ends.host6) + v6(ends.host6)
    frames = honest(ends) + [dhcp(ends, kind) for kind in (2, 5, 6)]
    frames += [ip(ends, ICMP, icmp(8, 0, b"\0\1\0\1" + bytes(32))), ip(ends, ICMP, icmp(13, 0, bytes(16)))]
    frames += [ip(ends, ICMP, icmp(3, code, b"\0\0\5\0" + inner)) for code in (1, 3, 4)]
    frames += [ip(ends, ICMP, icmp(kind, 0, bytes(4) + inner)) for kind in (5, 11, 12)]
    frames += [ip(ends, IGMP, icmp(0x11, 100, v4("0.0.0.0")), guest="224.0.0.1")]
    frames += [ip(ends, TCP, tcp(port, 80, SYN, syn)) for port in (4001, 4002, 4003)]
    frames += [ip(ends, TCP, tcp(4004, port, flags)) for port in (80, 81) for flags in (ACK, SYN | ACK, 1, 4, 0x3F, 0)]
    frames += [ip(ends, TCP, tcp(4005, 80, SYN, b"\5\x12" + bytes(16))), ip(ends, TCP, tcp(4006, 80, SYN, syn), options=b"\x94\4\0\0\7\7\4\0\0\0\0\0")]
    frames += [ip(ends, UDP, udp(4007, 7, bytes(size))) for size in (0, 1, 100, 1400)]
    frames += [ip(ends, UDP, udp(53, 40000, struct.pack("!6H", 1, 0x8180, 1, 1, 0, 0) + b"\1x\0\0\1\0\1\xc0\x0c\0\1\0\1\0\0\0\1\0\4\x0a\0\2\2"))]
    frames += [ip(ends, UDP, bytes(64), fragment=0x2000), ip(ends, UDP, bytes(64), fragment=8), ip(ends, 255, bytes(20))]
    frames += [ip6(ends, ICMP6, icmp(128, 0, b"\0\1\0\1" + bytes(32))), ip6(ends, ICMP6, icmp(2, 0, struct.pack("!I", 1280) + inner6))]
    frames += [ip6(ends, ICMP6, icmp(kind, 0, bytes(4) + inner6)) for kind in (1, 3, 4)]
    frames += [ip6(ends, ICMP6, icmp(137, 0, bytes(4) + target + b"\2\1" + ends.host_mac), host=autoconfigured("fe80::", ends.host_mac))]
    frames += [ip6(ends, 0, b"\x3a\0\5\2\0\0\1\0" + icmp(130, 0, struct.pack("!HH", 1000, 0) + bytes(16)), guest="ff02::1", hops=1)]
    frames += [ip6(ends, TCP, tcp(4008, 80, SYN, syn)), ip6(ends, UDP, udp(4009, 7, bytes(50)))]
    frames += [ip6(ends, 43, bytes((UDP, 0, 0, 0)) + bytes(4) + udp(4010, 7, b"x")), ip6(ends, 60, bytes((UDP, 0, 1, 4)) + bytes(4) + udp(4010, 7, b"x"))]
    frames += [ip6(ends, 44, struct.pack("!BBHI", UDP, 0, word, 9) + bytes(64)) for word in (1, 64)]
    frames += [ether(ends, VLAN, b"\0\5\x08\0" + bytes(46)), ether(ends, 0x88CC, bytes(46)), ether(ends, 40, bytes(46))]
    return frames


def turn_round(frame):
    """The same frame from the other end."""
    kind = struct.unpack_from("!H", frame, 12)[0]
    out = bytearray(frame)
    out[0:6], out[6:12] = frame[6:12], frame[0:6]
    at, size, ports = {IPV4: (26, 4, 14 + (frame[14] & 15) * 4), IPV6: (22, 16, 54)}.get(kind, (0, 0, 0))
    if kind == ARP and len(frame) >= 42:
        out[22:32], out[32:42] = frame[32:42], frame[22:32]
    elif size and len(frame) >= at + 2 * size:
        out[at:at + size], out[at + size:at + 2 * size] = frame[at + size:at + 2 * size], frame[at:at + size]
        if frame[23 if kind == IPV4 else 20] in (TCP, UDP) and len(frame) >= ports + 4:
            out[ports:ports + 2], out[ports + 2:ports + 4] = frame[ports + 2:ports + 4], frame[ports:ports + 2]
            if frame[23 if kind == IPV4 else 20] == TCP and len(frame) >= ports + 12:
                out[ports + 4:ports + 8], out[ports + 8:ports + 12] = frame[ports + 8:ports + 12], frame[ports + 4:ports + 8]
    return bytes(out)


def in_pieces(chance, frame):
    """An IP packet becomes one of its fragments, of few numbers, so that some meet."""
    out = bytearray(frame)
    where = chance.choice((0, 0, 1, 2, 3, 8, 185, 0x1FFF))
    if len(out) >= 34 and out[12:14] == b"\x08\0":
        out[18:20] = struct.pack("!H", chance.randrange(3))
        out[20:22] = struct.pack("!H", chance.choice((0, 0x2000)) | where)
    elif len(out) >= 54 and out[12:14] == b"\x86\xdd":
        out[54:54] = struct.pack("!BBHI", out[20], 0, where << 3 & 0xFFFF | chance.randrange(2), chance.randrange(3))
        out[20] = 44
        out[18:20] = struct.pack("!H", len(out) - 54)
    return bytes(out)


def right_sums(frame):
    """Checksums as the headers say, wherever these still fit into the frame."""
    out = bytearray(frame)
    kind = struct.unpack_from("!H", out, 12)[0] if len(out) >= 14 else 0
    if kind == IPV4 and len(out) >= 34 and 20 <= (out[14] & 15) * 4 <= len(out) - 14:
        start = 14 + (out[14] & 15) * 4
        out[24:26] = b"\0\0"
        out[24:26] = struct.pack("!H", total(out[14:start]))
        end, protocol, pseudo = min(len(out), 14 + struct.unpack_from("!H", out, 16)[0]), out[23], bytes(out[26:34])
    elif kind == IPV6 and len(out) >= 54:
        start, end, protocol, pseudo = 54, min(len(out), 54 + struct.unpack_from("!H", out, 18)[0]), out[20], bytes(out[22:54])
        if protocol in (0, 43, 44, 60) and len(out) >= 62:
            protocol, start = out[54], 54 + 8 * (1 + (0 if protocol == 44 else out[55]))
    else:
        return bytes(out)
    place = {ICMP: 2, IGMP: 2, TCP: 16, UDP: 6, ICMP6: 2}.get(protocol)
    if place is None or end < start + place + 2:
        return bytes(out)
    out[start + place:start + place + 2] = b"\0\0"
    head = b"" if protocol in (ICMP, IGMP) else pseudo + struct.pack("!II", end - start, protocol)
    out[start + place:start + place + 2] = struct.pack("!H", total(head + bytes(out[start:end])) or 0xFFFF)
    return bytes(out)
