#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""Passes TCP connections on to a port of this machine, opening one after the other.

    in_turn.py PORT TARGET

QEMU's user network listens with room for one: of many who come at once some wait for seconds and are then reset by the
host. Here all are taken at once, and wait. Says `ready`, ends with its standard input.
"""
import asyncio
import sys

PAUSE_SECONDS = 0.003   # for QEMU to take the one before


async def pump(reader, writer):
    try:
        while data := await reader.read(1 << 16):
            writer.write(data)
            await writer.drain()
        writer.write_eof()
    except OSError:
        writer.transport.abort()


async def main():
    turn = asyncio.Lock()

    async def serve(reader, writer):
        try:
            async with turn:
                there, away = await asyncio.open_connection("127.0.0.1", int(sys.argv[2]))
                await asyncio.sleep(PAUSE_SECONDS)
        except OSError:
            writer.transport.abort()
            return
        await asyncio.gather(pump(reader, away), pump(there, writer))
        away.close()
        writer.close()

    await asyncio.start_server(serve, "127.0.0.1", int(sys.argv[1]), backlog=1024)
    print("ready", flush=True)
    await asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)


asyncio.run(main())
