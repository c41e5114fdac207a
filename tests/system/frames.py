# SPDX-License-Identifier: MIT
"""Console frames (abi/frame.h): take the guest's byte stream apart."""
import re

END = b"\x1b\\"


class FrameReader:
    """Feed it bytes; `program` gathers what the program wrote, `frames` (type, payload) pairs."""

    def __init__(self, nonce):
        self.start = b"\x1b_R" + nonce.encode()
        self.header = re.compile(re.escape(self.start) + rb"([A-Za-z])(\d{1,7});")
        self.program = bytearray()
        self.frames = []
        self.pending = b""

    def feed(self, data):
        self.pending += data
        while self.pending:
            at = self.pending.find(b"\x1b")
            if at != 0:
                self._program(len(self.pending) if at < 0 else at)
                continue
            match = self.header.match(self.pending)
            if match:
                end = match.end() + int(match[2])
                if len(self.pending) < end + len(END):
                    return
                if self.pending[end:end + len(END)] == END:
                    self.frames.append((match[1].decode(), self.pending[match.end():end]))
                    self.pending = self.pending[end + len(END):]
                    continue
            elif self._may_become_header():
                return
            self._program(1)

    def finish(self):
        self._program(len(self.pending))

    def of_type(self, kind):
        return [payload for name, payload in self.frames if name == kind]

    def _may_become_header(self):
        head = self.pending[:len(self.start)]
        if len(head) < len(self.start):
            return self.start.startswith(head)
        rest = self.pending[len(self.start):]
        return head == self.start and re.fullmatch(rb"([A-Za-z]\d{0,7})?", rest) is not None

    def _program(self, count):
        self.program += self.pending[:count]
        self.pending = self.pending[count:]


def frame(nonce, kind, payload=b""):
    return b"\x1b_R" + nonce.encode() + kind.encode() + str(len(payload)).encode() + b";" + payload + END
