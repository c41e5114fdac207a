#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""Fetches a file over connections with small windows, slowly, and compares every byte with a file.

    slow_check.py [--connections N] HOST PORT PATH FILE

The server has closed long before the last byte fits into the window, so that its stack must cut what it has queued.
Prints how many replies were right.
"""
import argparse
import asyncio
import socket


async def fetch(number, options, expected):
    """A window of its own size for each connection, nearly full all the time."""
    sock = socket.socket()
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 6000 + 600 * number)
    sock.setblocking(False)
    loop = asyncio.get_running_loop()
    await loop.sock_connect(sock, (options.host, options.port))
    await loop.sock_sendall(sock, f"GET {options.path} HTTP/1.0\r\n\r\n".encode())
    got = bytearray()
    while piece := await loop.sock_recv(sock, 1600 + 331 * number):
        got += piece
        await asyncio.sleep(0.005)
    sock.close()
    body = got.partition(b"\r\n\r\n")[2]
    assert body == expected, f"connection {number}: {len(body)} of {len(expected)} bytes"


async def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--connections", type=int, default=60)
    parser.add_argument("host")
    parser.add_argument("port", type=int)
    parser.add_argument("path")
    parser.add_argument("file")
    options = parser.parse_args()
    with open(options.file, "rb") as file:
        expected = file.read()
    await asyncio.wait_for(asyncio.gather(*(fetch(number, options, expected) for number in range(options.connections))), 80)
    print(f"{options.connections} replies right")


asyncio.run(main())
