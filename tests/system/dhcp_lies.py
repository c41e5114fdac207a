#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""Answers a guest's DHCP by its tap with what only looks like an answer, until its standard input ends.

    dhcp_lies.py [--seed N] TAP GUEST MAC

Each question gets several answers whose transaction is right, most of the time, and little else; a refusal (NAK) follows
often, so that the guest asks again at once. Says `ready`, and at the end how many questions there were and answers.
"""
import argparse
import random
import select
import socket
import struct
import sys

import frame_seeds as seeds

OFFER, ACK, NAK = 2, 5, 6
FIRST_OPTION = 14 + 20 + 8 + 240


def question(frame):
    """The transaction of a DHCP message to a server, or None."""
    if len(frame) < FIRST_OPTION or frame[12:14] != b"\x08\0" or frame[23] != seeds.UDP or frame[34:38] != b"\0\x44\0\x43":
        return None
    return struct.unpack_from("!I", frame, 46)[0]


def options(chance):
    """Options of DHCP by number, with lengths that fit or do not."""
    out = b""
    for _ in range(chance.choice((0, 1, 3, 20))):
        number = chance.choice((0, 1, 3, 6, 12, 15, 26, 28, 42, 51, 52, 53, 54, 58, 59, 119, 121, 255, chance.randrange(256)))
        size = chance.choice((0, 1, 3, 4, 5, 8, 64, 255))
        out += bytes((number, size)) + chance.randbytes(chance.choice((size, size, 0, size // 2)))
    return out[:1000]


def lie(chance, ends, transaction):
    frame = bytearray(seeds.dhcp(ends, chance.choice((OFFER, OFFER, ACK, ACK, NAK, chance.randrange(256))), transaction, options(chance),
                                 chance.choice((0, 1, 60, 0x7FFFFFFF, 0xFFFFFFFF))))
    for _ in range(chance.choice((0, 1, 2, 8, 40))):
        at = chance.choice((chance.randrange(14, FIRST_OPTION), chance.randrange(FIRST_OPTION, len(frame))))
        if not 46 <= at < 50 or chance.random() < 0.1:
            frame[at] = chance.choice((0, 1, 0xFF, chance.randrange(256)))
    if chance.random() < 0.3:
        del frame[chance.randrange(40, len(frame)):]
        frame[16:18] = struct.pack("!H", len(frame) - 14)
        frame[38:40] = struct.pack("!H", len(frame) - 34)
    return seeds.right_sums(bytes(frame))


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("tap")
    parser.add_argument("guest")
    parser.add_argument("mac")
    words = parser.parse_args()
    chance, questions, answers = random.Random(words.seed), 0, 0
    tap = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(seeds.IPV4))
    tap.bind((words.tap, 0))
    ends = seeds.Ends(tap.getsockname()[4], bytes.fromhex(words.mac.replace(":", "")), seeds.HOST, words.guest, "fd00::1")
    print("ready", flush=True)
    while sys.stdin not in (readable := select.select([tap, sys.stdin], [], [])[0]):
        transaction = question(tap.recv(2048)) if readable else None
        if transaction is None:
            continue
        questions += 1
        frames = [lie(chance, ends, transaction) for _ in range(chance.randrange(1, 12))]
        if chance.random() < 0.7:
            frames.append(seeds.dhcp(ends, chance.choice((OFFER, ACK)), transaction, options(chance)))
        if chance.random() < 0.9:
            frames.append(seeds.dhcp(ends, NAK, transaction))
        answers += len(frames)
        for frame in frames:
            try:
                tap.send(frame)
            except OSError:     # the queue is full: lost
                pass
    print(f"{questions} questions, {answers} answers")


main()
