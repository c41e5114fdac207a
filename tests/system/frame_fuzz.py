#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""Sends broken frames to a guest by its tap, and looks every few seconds whether the guest still answers.

    frame_fuzz.py [--seed N] [--seconds S] [--settle S] [--rate FRAMES] [--keep FILE] TAP GUEST MAC
    frame_fuzz.py --replay FILE TAP GUEST MAC

What is sent are frames that were seen on this tap, either way, and a few of frame_seeds.py, changed: bits, fields, lengths,
options, cuts, with their checksums made right most of the time. Names that the guest asks for are answered with lies. When
the guest does not answer, the frames sent last are kept in FILE (pcap). It serves HTTP on port 80 and echoes UDP port 7.
Prints how many frames were sent, and how much less memory the kernel holds at the end.
"""
import argparse
import collections
import os
import random
import socket
import struct
import sys
import time

import frame_seeds as seeds

ETH_P_ALL, PACKET_OUTGOING = 3, 4
CHECK_SECONDS, PATIENCE_SECONDS = 3, 30
KEPT = 6000


def save(path, frames):
    with open(path, "wb") as out:
        out.write(struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 65535, 1))
        for frame in frames:
            out.write(struct.pack("<IIII", 0, 0, len(frame), len(frame)) + frame)


def load(path):
    frames, at = [], 24
    with open(path, "rb") as file:
        data = file.read()
    while at < len(data):
        size = struct.unpack_from("<I", data, at + 8)[0]
        frames.append(data[at + 16:at + 16 + size])
        at += 16 + size
    return frames


class Mutator:
    """Frames out of frames; the same for the same seed and the same frames seen."""

    def __init__(self, seed, guest_mac, host_mac):
        self.random, self.guest_mac, self.host_mac = random.Random(seed), guest_mac, host_mac

    def change(self, frame):
        chance = self.random
        frame = bytearray(frame if len(frame) > 14 else chance.randbytes(60))
        kind = chance.randrange(8)
        at = chance.randrange(12, min(len(frame), 14 + 40 + 60))    # headers, and options behind them
        if kind == 0:
            frame[at] ^= 1 << chance.randrange(8)
        elif kind == 1:
            frame[at] = chance.choice((0, 1, 2, 0x7F, 0x80, 0xFF, chance.randrange(256)))
        elif kind == 2 and at + 2 <= len(frame):
            frame[at:at + 2] = struct.pack("!H", chance.choice((0, 1, 4, 8, 20, 0x7FFF, 0x8000, 0xFFFF, len(frame), chance.randrange(65536))))
        elif kind == 3:
            del frame[chance.randrange(at, len(frame)) if chance.random() < 0.5 else len(frame) - 1:]
        elif kind == 4:
            frame += chance.randbytes(chance.choice((1, 2, 7, 40, 1400)))
        elif kind == 5:                                       # what stands twice, or not at all
            size = chance.randrange(1, 24)
            frame[at:at] = frame[at:at + size] if chance.random() < 0.5 else chance.randbytes(size)
        elif kind == 6:
            del frame[at:at + chance.randrange(1, 16)]
        else:
            far = chance.randrange(14, max(15, len(frame)))
            frame[far:far + 4] = chance.randbytes(4)
        return bytes(frame[:1514])

    def make(self, frames):
        frame = self.random.choice(frames)
        if frame[6:12] == self.guest_mac and self.random.random() < 0.9:
            frame = seeds.turn_round(frame)                   # as if the host had sent it
        for _ in range(self.random.choice((1, 1, 1, 2, 3, 8))):
            frame = self.change(frame)
        if self.random.random() < 0.1:
            frame = seeds.in_pieces(self.random, frame)
        if self.random.random() < 0.8:
            frame = seeds.right_sums(frame)
        group = self.random.random() < 0.05
        return (b"\xff" * 6 if group else self.guest_mac) + (frame[6:] if len(frame) >= 14 else frame.ljust(14, b"\0")[6:])


class Guest:
    def __init__(self, address, host_frames):
        self.address, self.honest = address, host_frames

    def memory(self):
        """KiB that are available or the program's."""
        with socket.create_connection((self.address, 80), 3) as peer:
            peer.settimeout(3)
            peer.sendall(b"GET /proc/meminfo HTTP/1.0\r\n\r\n")
            text = b""
            while piece := peer.recv(65536):
                text += piece
        return sum(int(text.split(name)[1].split()[0]) for name in (b"MemAvailable:", b"AnonPages:"))

    def echoes(self):
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as peer:
            peer.settimeout(2)
            peer.sendto(b"still there", (self.address, 7))
            return peer.recv(100) == b"still there"

    def answers(self, tap):
        """KiB that the kernel does not hold. Lies about neighbours and addresses are put right first: who believes them is not broken."""
        until, why = time.monotonic() + PATIENCE_SECONDS, None
        while time.monotonic() < until:
            for frame in self.honest:
                tap.send(frame)
            try:
                if self.echoes():
                    return self.memory()
            except (OSError, IndexError) as error:
                why = error
            time.sleep(0.2)
        raise TimeoutError(f"the guest has not answered for {PATIENCE_SECONDS} s: {why}")


class Tap:
    """Sends; what it hears meanwhile are seeds."""

    def __init__(self, name):
        self.socket = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(ETH_P_ALL))
        self.socket.bind((name, 0))
        self.socket.setblocking(False)
        self.heard, self.sent, self.count = collections.deque(maxlen=400), collections.deque(maxlen=KEPT), 0

    def send(self, frame):
        try:
            self.socket.send(frame)
        except OSError:         # the queue is full: lost
            pass

    def fuzz(self, frame):
        self.sent.append(frame)
        self.count += 1
        self.send(frame)

    def listen(self, own):
        for _ in range(64):
            try:
                frame, name = self.socket.recvfrom(2048)
            except BlockingIOError:
                return
            if (name[2] != PACKET_OUTGOING or frame not in own) and len(frame) >= 34:
                self.heard.append(frame)


class Names:
    """A name server that answers with what only looks like an answer."""

    def __init__(self, address, chance):
        self.random, self.socket = chance, socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.setblocking(False)
        self.socket.bind((address, 53))

    def lie(self):
        chance = self.random
        try:
            query, peer = self.socket.recvfrom(2048)
        except OSError:
            return
        record = chance.choice((b"\0\1\0\1\0\0\0\1\0\4\x0a\0\2\2", b"\0\x1c\0\1\0\0\0\1\0\x10" + bytes(16), b"\0\5\0\1\0\0\0\1\0\2\xc0\x0c"))
        for _ in range(chance.choice((1, 1, 2, 5))):
            count = chance.choice((1, 1, 2, 30, 65535))
            answer = bytearray(query[:2] + struct.pack("!5H", 0x8180, 1, count, 0, 0) + query[12:] + (b"\xc0\x0c" + record) * min(count, 30))
            for _ in range(chance.choice((0, 1, 1, 3, 20))):
                answer[chance.randrange(2, len(answer))] = chance.choice((0, 0xC0, 0xFF, 0x3F, chance.randrange(256)))
            try:
                self.socket.sendto(answer[:chance.choice((len(answer), chance.randrange(1, len(answer))))], peer)
            except OSError:
                pass


def talk(address, peers):
    """Connections that stay open, so that there is something to hit, and new ones now and then."""
    for peer in list(peers):
        try:
            peer.send(b"GET /proc/version HTTP/1.1\r\nHost: x\r\n\r\n")
            peer.recv(65536)
        except BlockingIOError:
            pass
        except OSError:
            peers.remove(peer)
            peer.close()
    if len(peers) < 6:
        peer = socket.socket()
        peer.setblocking(False)
        try:
            peer.connect((address, 80))
        except BlockingIOError:
            pass
        peers.append(peer)


def fuzz(options, tap, guest, mutator, frames):
    """(KiB at the start, KiB at the end)"""
    first = guest.answers(tap)
    end, check, peers, start = time.monotonic() + options.seconds, time.monotonic() + CHECK_SECONDS, [], time.monotonic()
    replay = iter(load(options.replay)) if options.replay else None
    names = Names(seeds.HOST, mutator.random)
    sent_here = 0
    while time.monotonic() < end:
        for _ in range(20):
            frame = next(replay, None) if replay else mutator.make(list(tap.heard) * 2 + frames if tap.heard else frames)
            if frame is None:
                end = 0
                break
            tap.fuzz(frame)
            sent_here += 1
        tap.listen(set(list(tap.sent)[-200:]))
        names.lie()
        if sent_here % 100 == 0:
            talk(guest.address, peers)
        if time.monotonic() > check:
            guest.answers(tap)
            check = time.monotonic() + CHECK_SECONDS
        time.sleep(max(0, start + sent_here / options.rate - time.monotonic()))
        start = max(start, time.monotonic() - sent_here / options.rate - 1)     # what was missed is not made up for at once
    for peer in peers:
        peer.close()
    time.sleep(options.settle)
    return first, guest.answers(tap)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--seconds", type=float, default=20)
    parser.add_argument("--settle", type=float, default=0, help="seconds of silence before memory is looked at")
    parser.add_argument("--rate", type=float, default=1500)
    parser.add_argument("--keep", default="")
    parser.add_argument("--replay", default="")
    parser.add_argument("tap")
    parser.add_argument("guest")
    parser.add_argument("mac")
    options = parser.parse_args()
    guest_mac = bytes.fromhex(options.mac.replace(":", ""))
    tap = Tap(options.tap)
    host_mac = tap.socket.getsockname()[4]
    ends = seeds.Ends(host_mac, guest_mac, seeds.HOST, options.guest, seeds.autoconfigured("fd00::", guest_mac))
    guest = Guest(options.guest, seeds.honest(ends))
    try:
        first, last = fuzz(options, tap, guest, Mutator(options.seed, guest_mac, host_mac), seeds.made(ends))
    except TimeoutError as error:
        if options.keep:
            save(options.keep, tap.sent)
        print(f"{error}; after {tap.count} frames, the last {len(tap.sent)} in {os.path.abspath(options.keep)}", file=sys.stderr)
        return 1
    print(f"{tap.count} frames, the kernel holds {last - first} KiB less")
    return 0


if __name__ == "__main__":
    sys.exit(main())
