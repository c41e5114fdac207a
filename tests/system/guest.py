# SPDX-License-Identifier: MIT
"""Boot an image under QEMU: a machine from a line of text, bounded time, the console taken apart.

    image = images.elf("build/programs/hello", "a", "b")         (conftest.py)
    result = boot(image, Machine.parse("m cpu=cortex-a57 gic=3 memory=64 cpus=2"))
    assert result.status == 0 and result.output == b"..."
"""
import dataclasses
import os
import secrets
import select
import struct
import subprocess
import tempfile
import time

import devicetree
from frames import FrameReader, frame

QEMU = os.environ.get("QEMU", "qemu-system-aarch64")
RAM = 0x40000000
NOWHERE = 0x0B000000  # QEMU's `virt` has nothing there
MIB = 1 << 20
# What pci=all adds: a driver's name to what QEMU is told; the disk lies behind a port.
PCI_DEVICES = {
    "virtio_rng": ["-device", "virtio-rng-pci"],
    "virtio_net": ["-netdev", "user,id=pci-net", "-device", "virtio-net-pci,netdev=pci-net,romfile="],
    "e1000": ["-netdev", "user,id=pci-e1000", "-device", "e1000,netdev=pci-e1000,romfile="],
    "virtio_console": ["-device", "virtio-serial-pci", "-chardev", "null,id=pci-console", "-device", "virtconsole,chardev=pci-console"],
    "virtio_block": ["-device", "pcie-root-port,id=pci-port,chassis=1",
                     "-blockdev", "driver=null-co,node-name=pci-disk,size=1048576,read-zeroes=on",
                     "-device", "virtio-blk-pci,drive=pci-disk,bus=pci-port"],
}


def _integer(text):
    return int(text, 0)


@dataclasses.dataclass
class Machine:
    """One line of machines.txt; the fields are its words."""

    name: str = "default"
    cpu: str = "cortex-a72"
    gic: str = "2"
    memory: int = 512           # MiB
    cpus: int = 1
    virtualization: str = "off"
    secure: str = "off"
    highmem: str = "on"
    load: int = 0               # physical address, by -device loader; 0: QEMU's own -kernel
    tree: str = ""              # of shuffle, rename, rephandle, cells, misplace
    cntfrq: int = -1            # CNTFRQ_EL0 as firmware at EL3 leaves it; needs secure=on
    frequency: int = 0          # `clock-frequency` of the timer's node
    banks: str = ""             # MiB from the start of QEMU's RAM: first-last,first-last
    pci: str = ""               # "all": PCI_DEVICES
    only: str = ""              # "all": only in `make test-all`

    @classmethod
    def parse(cls, line):
        name, *words = line.split()
        fields = dict(word.split("=", 1) for word in words)
        for field in ("memory", "cpus", "load", "cntfrq", "frequency"):
            if field in fields:
                fields[field] = _integer(fields[field])
        return cls(name=name, **fields)

    def options(self):
        machine = f"virt,gic-version={self.gic},virtualization={self.virtualization},secure={self.secure}"
        if self.highmem == "off":
            machine += ",highmem=off"
        options = ["-M", machine, "-cpu", self.cpu, "-m", str(self.memory), "-smp", str(self.cpus)]
        for words in PCI_DEVICES.values() if self.pci else ():
            options += words
        return options

    def bank_list(self):
        """(base, size) of each bank of RAM, in bytes."""
        if not self.banks:
            return [(RAM, self.memory * MIB)]
        pairs = [part.split("-") for part in self.banks.split(",")]
        return [(RAM + int(first) * MIB, (int(last) - int(first)) * MIB) for first, last in pairs]

    def ram_bytes(self):
        return sum(size for _, size in self.bank_list())

    def powers_off(self):
        """Started at EL3 there is no firmware below that could power off."""
        return self.secure == "off"

    def needs_loader(self):
        return bool(self.load or self.banks or self.secure == "on")


def load_machines(path):
    with open(path, encoding="utf-8") as lines:
        return [Machine.parse(line) for line in lines if line.strip() and not line.startswith("#")]


@dataclasses.dataclass
class Result:
    status: int = None          # exit status from the frame, None if there was none
    signal: int = None
    output: bytes = b""
    error: bytes = b""          # standard error, where it was asked for apart
    log: bytes = b""            # kernel messages
    times: dict = dataclasses.field(default_factory=dict)
    raw: bytes = b""
    qemu_status: int = None
    timed_out: bool = False
    seconds: float = 0

    def __str__(self):
        return (f"status={self.status} signal={self.signal} timed_out={self.timed_out} qemu={self.qemu_status} "
                f"after {self.seconds:.1f} s\noutput: {self.output.decode(errors='replace')}\n"
                f"error: {self.error.decode(errors='replace')}\nlog: {self.log.decode(errors='replace')}")


def dump_tree(machine, folder, bootargs):
    """The device tree that QEMU would give this machine, changed as its line says."""
    raw = os.path.join(folder, "qemu.dtb")
    options = machine.options()
    options[1] += f",dumpdtb={raw}"
    subprocess.run([QEMU, *options, "-display", "none", "-nodefaults", "-serial", "null"],
                   check=True, capture_output=True, timeout=60)
    with open(raw, "rb") as blob:
        root = devicetree.parse(blob.read())
    if machine.needs_loader():
        devicetree.set_memory(root, machine.bank_list())
    root.child("chosen").properties["bootargs"] = bootargs.encode() + b"\0"
    if machine.frequency:
        root.child("timer").properties["clock-frequency"] = struct.pack(">I", machine.frequency)
    changes = machine.tree.split(",") if machine.tree else []
    if "misplace" in changes:
        devicetree.misplace(root, "arm,pl031", NOWHERE)
    if "cells" in changes:
        devicetree.resize_cells(root, 1, 1)
    if "rename" in changes:
        devicetree.rename(root, machine.name)
    if "rephandle" in changes:
        devicetree.rephandle(root, machine.name)
    if "shuffle" in changes:
        devicetree.shuffle(root, machine.name)
    changed = os.path.join(folder, "changed.dtb")
    with open(changed, "wb") as out:
        out.write(devicetree.build(root))
    return changed


def set_cntfrq(hertz):
    """movz x5; movk x5, lsl 16; msr cntfrq_el0, x5; nop - which only the highest exception level may."""
    return struct.pack("<4I", 0xD2800005 | (hertz & 0xFFFF) << 5, 0xF2A00005 | hertz >> 16 << 5, 0xD51BE005, 0xD503201F)


def start_code(kernel, tree):
    """mov x1..x3, 0; ldr x0, tree; ldr x4, kernel; br x4 - what a boot loader does last."""
    code = struct.pack("<6I", 0xD2800001, 0xD2800002, 0xD2800003, 0x58000060, 0x58000084, 0xD61F0080)
    return code + struct.pack("<2Q", tree, kernel)


def command_line(image, machine, folder, bootargs, extra=()):
    """QEMU's command line for this machine; files that it needs go into folder."""
    common = [QEMU, *machine.options(), "-display", "none", "-nodefaults", "-no-reboot",
              "-serial", "stdio", *extra]
    if not machine.needs_loader():
        command = common + ["-kernel", image, "-append", bootargs]
        if machine.tree:
            command += ["-dtb", dump_tree(machine, folder, bootargs)]
        return command
    base, size = machine.bank_list()[0]
    kernel = machine.load or base + 2 * MIB
    # The tree and the start code lie at the end of the first bank, away from the kernel.
    tree_at = base + size - 4 * MIB
    start_at = base + size - 2 * MIB
    start = os.path.join(folder, "start.bin")
    with open(start, "wb") as out:
        out.write((set_cntfrq(machine.cntfrq) if machine.cntfrq >= 0 else b"") + start_code(kernel, tree_at))
    loads = [(image, kernel), (dump_tree(machine, folder, bootargs), tree_at), (start, start_at)]
    for path, address in loads:
        common += ["-device", f"loader,file={path},addr={address:#x},force-raw=on"]
    return common + ["-device", f"loader,addr={start_at:#x},cpu-num=0"]


def boot(image, machine=None, arguments="", tty="", stdin=b"", timeout=60, extra=(), log=None, stop=None,
         after=b""):
    """Run to the end of QEMU or of the time; `stop(reader)` true ends it earlier. Input comes 0.3 s after `after` was seen."""
    machine = machine or Machine()
    nonce = secrets.token_hex(16)
    words = [f"remora.nonce={nonce}", f"remora.tty={tty}", "remora.stderr=frame",
             f"remora.time={int(time.time())}"]
    if log:
        words.append(f"remora.log={log}")
    if arguments:
        words.append(arguments)
    result, reader = Result(), FrameReader(nonce)
    if not machine.powers_off():
        stop = stop or (lambda reader: reader.of_type("X") or reader.of_type("S"))
    with tempfile.TemporaryDirectory(prefix="remora-test-") as folder:
        command = command_line(image, machine, folder, " ".join(words), extra)
        started = time.monotonic()
        qemu = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                stderr=subprocess.STDOUT, bufsize=0)
        try:
            raw = _converse(qemu, reader, nonce, stdin, started + timeout, stop, after)
            stopped = stop is not None and bool(stop(reader))
            if not stopped:
                _wait_for_end(qemu, reader, result)
        finally:
            if qemu.poll() is None:
                qemu.kill()
            qemu.wait()
            qemu.stdin.close()
            qemu.stdout.close()
    result.seconds = time.monotonic() - started
    _fill(result, reader, raw)
    return result


def _wait_for_end(qemu, reader, result):
    """Once the program has ended, powering off takes no time."""
    ended = reader.of_type("X") or reader.of_type("S")
    try:
        result.qemu_status = qemu.wait(timeout=10 if ended else 0.5)
    except subprocess.TimeoutExpired:
        result.timed_out = True


def _converse(qemu, reader, nonce, stdin, deadline, stop, after):
    """Pass input and output until QEMU closes its output, time is up or stop() says so."""
    raw, sending = bytearray(), None
    os.set_blocking(qemu.stdin.fileno(), False)
    while time.monotonic() < deadline:
        writers = [qemu.stdin] if sending else []
        readable, writable, _ = select.select([qemu.stdout], writers, [], 0.2)
        if readable:
            data = os.read(qemu.stdout.fileno(), 65536)
            if not data:
                break
            raw += data
            reader.feed(data)
            if sending is None and reader.of_type("T") and after in raw:
                time.sleep(0.3 if after else 0)
                sending = stdin + frame(nonce, "Z")
        if writable:
            try:
                sending = sending[os.write(qemu.stdin.fileno(), sending[:4096]):]
            except BlockingIOError:
                pass
            except BrokenPipeError:
                sending = b""
        if stop and stop(reader):
            break
    reader.finish()
    return bytes(raw)


def _fill(result, reader, raw):
    result.raw = raw
    result.output = bytes(reader.program)
    result.error = b"".join(reader.of_type("E"))
    result.log = b"".join(reader.of_type("L"))
    for payload in reader.of_type("X")[:1]:
        result.status = int(payload)
    for payload in reader.of_type("S")[:1]:
        result.signal = int(payload)
    for payload in reader.of_type("T")[:1]:
        words = [word.split(b"=") for word in payload.split() if b"=" in word]
        result.times = {name.decode(): int(value) for name, value in words}
