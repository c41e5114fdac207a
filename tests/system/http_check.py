#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""Fetches a URL many times over several connections and compares every byte with a file.

    http_check.py [--connections N] [--requests N] [--close] http://HOST[:PORT]/PATH FILE

--requests is for all connections together; --close opens a new connection for each. Prints how many
replies were right; the status is 1 as soon as one is not.
"""
import argparse
import asyncio
import sys
import urllib.parse


async def read_reply(reader, expected):
    """One reply; whoever takes less than all of it would see the rest in front of the next one."""
    head = await reader.readuntil(b"\r\n\r\n")
    status, *lines = head.decode("latin-1").split("\r\n")
    headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines if line)}
    assert status.split()[1] == "200", status
    assert int(headers["content-length"]) == len(expected), headers
    body = await reader.readexactly(len(expected))
    if body != expected:
        first = next(i for i, pair in enumerate(zip(body, expected)) if pair[0] != pair[1])
        raise AssertionError(f"byte {first} of {len(expected)}: found {body[first:first + 16].hex()}, "
                             f"expected {expected[first:first + 16].hex()}")
    return headers.get("connection", "").lower() != "close"


async def fetch(url, expected, requests, close):
    """Takes requests from the shared list until it is empty."""
    head = (f"GET {url.path} HTTP/1.1\r\nHost: {url.hostname}\r\nConnection: {'close' if close else 'keep-alive'}\r\n\r\n").encode()
    reader = writer = None
    done = 0
    while requests:
        requests.pop()
        if not writer:
            reader, writer = await asyncio.open_connection(url.hostname, url.port or 80)
        writer.write(head)
        stays = await read_reply(reader, expected)
        done += 1
        if close or not stays:
            assert await reader.read() == b"", "bytes after the reply"
            writer.close()
            writer = None
    if writer:
        writer.close()
    return done


async def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--connections", type=int, default=1)
    parser.add_argument("--requests", type=int, default=1)
    parser.add_argument("--close", action="store_true")
    parser.add_argument("url", type=urllib.parse.urlsplit)
    parser.add_argument("file")
    options = parser.parse_args()
    with open(options.file, "rb") as file:
        expected = file.read()
    requests = [None] * options.requests
    done = await asyncio.gather(*(fetch(options.url, expected, requests, options.close) for _ in range(options.connections)))
    print(f"{sum(done)} replies right")


if __name__ == "__main__":
    sys.exit(asyncio.run(main()))
