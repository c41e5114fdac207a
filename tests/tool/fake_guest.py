#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""Plays QEMU and the guest for the tests of the command: takes QEMU's arguments, answers on the console
as the kernel would (abi/frame.h). FAKE_GUEST in the environment says what the guest does:

    exit N           ends with status N          signal N     ends by signal N
    silent           goes without a status       hang         never ends
    cat              input to output             gzip         input compressed to output
    words            prints the boot parameters and QEMU's arguments as JSON
    stderr           writes to both streams      log          a kernel message, then status 125
    forge            program bytes that look like frames, then status 7
    interrupt        reports each interrupt and window frame; ends with the second
    terminate N      prints `ready`, ends with status N when asked to terminate
    deaf             says it is ready, reads nothing, ends after two seconds
"""
import json
import os
import signal
import sys
import time
import zlib

arguments = sys.argv[1:]


def option(name):
    return arguments[arguments.index(name) + 1]


bootargs = dict(word.partition("=")[::2] for word in option("-append").split(" "))
nonce = bootargs["remora.nonce"].encode()
assert option("-chardev").startswith("stdio,")


class console:
    """The serial port: standard input and output."""

    @staticmethod
    def sendall(data):
        while data:
            data = data[os.write(1, data):]

    @staticmethod
    def recv(size):
        return os.read(0, size)


def frame(kind, payload=b""):
    console.sendall(b"\x1b_R" + nonce + kind + str(len(payload)).encode() + b";" + payload + b"\x1b\\")


def end(status=0):
    frame(b"X", str(status).encode())
    sys.exit(0)


class Input:
    """Program bytes and frames from the host; frames are kept in `frames`."""

    def __init__(self):
        self.data = b""
        self.frames = []
        self.intro = b"\x1b_R" + nonce

    def read(self):
        """The next bytes; b"" at the end of the input; frames are put aside."""
        while True:
            at = self.data.find(b"\x1b")
            if at == 0 and self.data.startswith(self.intro):
                head, found, rest = self.data[len(self.intro):].partition(b";")
                if found and len(rest) >= int(head[1:]) + 2:
                    size = int(head[1:])
                    self.frames.append((head[:1], rest[:size]))
                    assert rest[size:size + 2] == b"\x1b\\"
                    self.data = rest[size + 2:]
                    return None if head[:1] != b"Z" else b""
            elif at > 0 or self.data and at < 0:
                at = len(self.data) if at < 0 else at
                bytes_, self.data = self.data[:at], self.data[at:]
                return bytes_
            elif at == 0 and not self.intro.startswith(self.data[:len(self.intro)]):
                bytes_, self.data = self.data[:1], self.data[1:]
                return bytes_
            part = console.recv(65536)
            if not part:
                sys.exit(0)
            self.data += part


def ready():
    frame(b"T", b"start=1000000 program=2500000")


def copy(change, finish):
    source = Input()
    ready()
    while True:
        part = source.read()
        if part == b"":
            break
        if part:
            console.sendall(change(part))
    console.sendall(finish())
    end()


def interrupts():
    source, seen = Input(), 0
    ready()
    console.sendall(b"ready\n")
    while seen < 2:
        if source.read() is None:
            kind, payload = source.frames[-1]
            seen += kind == b"C"
            console.sendall(b"frame " + kind + b" " + payload + b"\n")
    end(3)


what, _, value = os.environ["FAKE_GUEST"].partition(" ")
if what == "exit":
    ready()
    console.sendall(b"out\n")
    end(int(value))
elif what == "signal":
    ready()
    frame(b"S", value.encode())
elif what == "silent":
    console.sendall(b"half a frame \x1b_R")
    sys.stderr.write("qemu says why\n")
elif what == "hang":
    ready()
    signal.pause()
elif what == "cat":
    copy(lambda part: part, lambda: b"")
elif what == "gzip":
    packer = zlib.compressobj(1, zlib.DEFLATED, 31)
    copy(packer.compress, packer.flush)
elif what == "words":
    ready()
    console.sendall(json.dumps({"bootargs": bootargs, "arguments": arguments}).encode())
    end()
elif what == "stderr":
    ready()
    console.sendall(b"to output\n")
    frame(b"E", b"to errors\n")
    frame(b"Q", b"")
    end()
elif what == "log":
    frame(b"L", b"remora: something is wrong\n")
    end(125)
elif what == "forge":
    ready()
    console.sendall(b"\x1b_R" + b"0" * 32 + b"X1;9\x1b\\" + b"\x1b_R" + nonce + b"X99999999;" + b"\x1b\x1b_")
    end(7)
elif what == "interrupt":
    interrupts()
elif what == "terminate":
    source = Input()
    ready()
    console.sendall(b"ready\n")
    while source.read() is not None or source.frames[-1][0] != b"K":
        pass
    console.sendall(b"asked to end\n")
    end(int(value))
elif what == "lines":
    ready()
    for number in range(int(value)):
        console.sendall(b"%09d\n" % number)
    end()
elif what == "deaf":
    ready()
    time.sleep(2)
    end()
