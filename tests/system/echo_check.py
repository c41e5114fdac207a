#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""Sends bytes of its own over each of several connections to an echo server and compares what comes back.

    echo_check.py [--connections N] [--size BYTES] [--seconds S] HOST PORT

Every second connection reads slowly, so that both sides' buffers fill.
"""
import argparse
import asyncio
import random


async def stream(number, options):
    data = random.Random(number).randbytes(options.size)
    reader, writer = await asyncio.open_connection(options.host, options.port, limit=16384)

    async def send():
        for at in range(0, len(data), 30000):
            writer.write(data[at:at + 30000])
            await writer.drain()
        writer.write_eof()

    sending, back = asyncio.create_task(send()), bytearray()
    while piece := await reader.read(10000):
        back += piece
        if number % 2:
            await asyncio.sleep(0.005)
    await sending
    writer.close()
    assert back == data, f"stream {number}: {len(back)} of {len(data)} bytes came back, first difference at " \
        f"{next((i for i, (a, b) in enumerate(zip(back, data)) if a != b), min(len(back), len(data)))}"


async def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--connections", type=int, default=1)
    parser.add_argument("--size", type=int, default=100000)
    parser.add_argument("--seconds", type=int, default=80)
    parser.add_argument("host")
    parser.add_argument("port", type=int)
    options = parser.parse_args()
    streams = [stream(number, options) for number in range(options.connections)]
    await asyncio.wait_for(asyncio.gather(*streams), options.seconds)
    print(f"{options.connections} streams came back")


asyncio.run(main())
