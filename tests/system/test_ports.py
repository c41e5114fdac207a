# SPDX-License-Identifier: MIT
"""A virtio console with several ports: two terminals and two named ports at once, whose other ends are closed and
opened again; ports that are taken away and added; the command's own port beside them."""
import json
import os
import socket
import subprocess
import threading
import time

import pytest

from guest import Machine, boot

HERE = os.path.dirname(os.path.abspath(__file__))
NAMES = ["hvc0", "hvc1", "alpha", "beta"]
TRANSPORTS = {
    "mmio-legacy": ["-device", "virtio-serial-device,max_ports=6"],
    "mmio": ["-global", "virtio-mmio.force-legacy=false", "-device", "virtio-serial-device,max_ports=6"],
    "pci": ["-device", "virtio-serial-pci,max_ports=6"],
    "pci-packed": ["-device", "virtio-serial-pci,max_ports=6,packed=on"],
    "pci-intx": ["-device", "virtio-serial-pci,max_ports=6,vectors=0"],
}


@pytest.fixture(scope="module")
def program(tmp_path_factory):
    path = str(tmp_path_factory.mktemp("ports") / "ports")
    subprocess.run(["aarch64-linux-gnu-gcc", "-static", "-O1", "-Wall", "-Werror", "-o", path, f"{HERE}/ports.c"],
                   check=True)
    return path


def ports(folder, transport):
    """Options of QEMU: ports 0 and 1 are consoles, 2 and 3 are named."""
    options = list(TRANSPORTS[transport])
    for number, name in enumerate(NAMES):
        kind = f"virtconsole,nr={number}" if number < 2 else f"virtserialport,nr={number},name={name}"
        options += ["-chardev", f"socket,id={name},path={folder}/{name},server=on,wait=off",
                    "-device", f"{kind},chardev={name},id=port-{name}"]
    return options


def connect(path):
    for _ in range(500):
        try:
            link = socket.socket(socket.AF_UNIX)
            link.connect(str(path))
            link.settimeout(60)
            return link
        except (FileNotFoundError, ConnectionRefusedError):
            link.close()
            time.sleep(0.02)
    raise TimeoutError(path)


def echo(path, data):
    """What is sent over one connection comes back: of a port while it is still being sent; of a console by pieces, since
    QEMU drops what a console port has written when its socket is full (hw/char/virtio-console.c)."""
    piece = 1000 if path.name.startswith("hvc") else len(data)
    with connect(path) as link:
        got = bytearray()
        for at in range(0, len(data), piece):
            sender = threading.Thread(target=link.sendall, args=(data[at:at + piece],))
            sender.start()
            while len(got) < min(at + piece, len(data)):
                part = link.recv(65536)
                if not part:
                    break
                got += part
            sender.join()
    assert bytes(got) == data, (path, len(got))


class Ends:
    """The host's side: a thread for each port."""

    def __init__(self, folder, count):
        self.folder, self.count, self.errors, self.threads = folder, count, [], []

    def once(self, name, data):
        try:
            echo(self.folder / name, data)
        except Exception as error:  # told by the test's thread
            self.errors.append((name, error))

    def serve(self, name):
        self.once(name, os.urandom(self.count))
        time.sleep(0.1)
        self.once(name, os.urandom(self.count))

    def start(self):
        self.threads = [threading.Thread(target=self.serve, args=(name,)) for name in NAMES]
        for thread in self.threads:
            thread.start()

    def finish(self):
        for thread in self.threads:
            thread.join()
        assert not self.errors, self.errors


@pytest.mark.parametrize("transport", TRANSPORTS)
@pytest.mark.parametrize("cpus", [1, 2])
def test_echo(build, program, tmp_path, transport, cpus):
    ends = Ends(tmp_path, 100_000)

    def watch(reader):
        if b"waiting\n" in bytes(reader.program) and not ends.threads:
            ends.start()
        return False

    image = build.image(program, str(ends.count))
    result = boot(image, Machine(memory=64, cpus=cpus), extra=ports(tmp_path, transport), timeout=60, stop=watch)
    ends.finish()
    assert result.status == 0 and result.output.endswith(b"done\n"), result


class Monitor:
    """QEMU's monitor: commands and their answers."""

    def __init__(self, path):
        self.link = connect(path)
        self.lines = self.link.makefile("rw")
        self.lines.readline()
        self.call("qmp_capabilities")

    def call(self, command, **arguments):
        self.lines.write(json.dumps({"execute": command, "arguments": arguments}) + "\n")
        self.lines.flush()
        while True:
            answer = json.loads(self.lines.readline())
            if "event" not in answer:
                assert "return" in answer, answer
                return


@pytest.mark.parametrize("transport", ["mmio", "pci"])
def test_unplugged(build, program, tmp_path, transport):
    ends, steps, monitor = Ends(tmp_path, 1000), [], []
    again = threading.Thread(target=ends.once, args=("again", b"x"))

    def watch(reader):
        text = bytes(reader.program)
        if b"waiting\n" in text and not ends.threads:
            ends.start()
        if b"unplug\n" in text and not steps:
            monitor.append(Monitor(tmp_path / "qmp"))
            monitor[0].call("device_del", id="port-beta")
            steps.append("unplugged")
        if b"\nplug\n" in text and len(steps) == 1:
            monitor[0].call("device_add", driver="virtserialport", chardev="again", name="beta", nr="3", id="again")
            steps.append("plugged")
            again.start()
            ends.threads.append(again)
        return False

    extra = [*ports(tmp_path, transport), "-chardev", f"socket,id=again,path={tmp_path}/again,server=on,wait=off", "-qmp", f"unix:{tmp_path}/qmp,server=on,wait=off"]
    image = build.image(program, str(ends.count), "unplug")
    result = boot(image, Machine(memory=64), extra=extra, timeout=60, stop=watch)
    ends.finish()
    assert result.status == 0 and result.output.endswith(b"done\n") and len(steps) == 2, result


def test_beside_the_command(build, program, tmp_path):
    """The command's port is no file of the program's, and all of its 64 KiB of input and output pass."""
    data = os.urandom(1 << 16)
    options = [f"--qemu-arg={option}" for option in
               ["-device", "virtio-serial-device,max_ports=4,id=other", "-chardev", f"socket,id=a,path={tmp_path}/a,server=on,wait=off",
                "-device", "virtserialport,bus=other.0,nr=1,chardev=a,name=mine"]]
    ended = build.command("run", "-m", "64", *options, "deb:busybox-static", "busybox", "cat", input=data)
    assert ended.returncode == 0 and ended.stdout == data, ended.stderr
    ended = build.command("run", "-m", "64", *options, "deb:busybox-static", "busybox", "sh", "-c",
                          "cd /sys/class/virtio-ports; for port in *; do read name <$port/name; echo $name; done")
    assert ended.returncode == 0 and ended.stdout == b"mine\n", ended
