#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""Connects and goes away: resets, half requests, silence, many at a time, the same for the same seed.

    abort_load.py [--seed N] SECONDS HOST PORT
"""
import argparse
import random
import socket
import struct
import time

REQUESTS = (b"", b"GET /m HTTP/1.1\r\nHost: x\r\n\r\n", b"GET /k HT", b"*1\r\n$4\r\nPING\r\n", b"*3\r\n$3\r\nSET\r\n$9", b"\0\xff" * 500)


def one(chance, host, port):
    peer = socket.socket()
    peer.settimeout(chance.choice((0.001, 0.05, 1)))
    try:
        peer.connect((host, port))
        peer.sendall(chance.choice(REQUESTS))
        if chance.random() < 0.5:
            peer.recv(chance.choice((1, 100, 100000)))
        if chance.random() < 0.6:
            peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    except OSError:
        pass
    return peer


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("seconds", type=float)
    parser.add_argument("host")
    parser.add_argument("port", type=int)
    options = parser.parse_args()
    chance, until, peers, count = random.Random(options.seed), time.monotonic() + options.seconds, [], 0
    while time.monotonic() < until:
        peers.append(one(chance, options.host, options.port))
        count += 1
        if len(peers) > 40:
            peers.pop(chance.randrange(len(peers))).close()
        time.sleep(0.01)
    print(f"{count} connections")


main()
