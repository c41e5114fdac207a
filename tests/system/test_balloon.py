# SPDX-License-Identifier: MIT
"""A virtio balloon: memory that is freed here goes back to the host, what the host asks for is given, within limits."""
import glob
import json
import os
import re
import socket
import subprocess

import pytest

from guest import Machine, boot

HERE = os.path.dirname(os.path.abspath(__file__))
MIB = 1 << 20
MODERN = ["-global", "virtio-mmio.force-legacy=false"]
DEVICES = {"mmio-legacy": ["-device", "virtio-balloon-device,id=b"],
           "mmio": [*MODERN, "-device", "virtio-balloon-device,id=b"],
           "pci": ["-device", "virtio-balloon-pci,id=b"],
           "pci-packed": ["-device", "virtio-balloon-pci,id=b,packed=on"]}


@pytest.fixture(scope="module")
def program(tmp_path_factory):
    path = str(tmp_path_factory.mktemp("balloon") / "balloon")
    subprocess.run(["aarch64-linux-gnu-gcc", "-static", "-O1", "-Wall", "-Wno-unused-result", "-o", path, f"{HERE}/balloon.c"],
                   check=True, timeout=60)
    return path


class Host:
    """The host's side of one guest: its QEMU by QMP, and by /proc."""

    def __init__(self, folder):
        self.path, self.link = str(folder / "qmp"), None

    def options(self):
        return ["-qmp", f"unix:{self.path},server=on,wait=off"]

    def ask(self, command, **arguments):
        if self.link is None:
            self.link = socket.socket(socket.AF_UNIX)
            self.link.connect(self.path)
            self.link.settimeout(10)
            self.lines = self.link.makefile("rw")
            self.lines.readline()
            self.ask("qmp_capabilities")
        self.lines.write(json.dumps({"execute": command, "arguments": arguments}))
        self.lines.flush()
        while "event" in (answer := json.loads(self.lines.readline())):
            pass
        return answer["return"]

    def balloon(self, mebibytes):
        self.ask("balloon", value=mebibytes * MIB)

    def actual(self):
        return self.ask("query-balloon")["actual"] // MIB

    def resident(self):
        """MiB of the host's memory that QEMU holds."""
        for path in glob.glob("/proc/[0-9]*/cmdline"):
            try:
                with open(path, "rb") as words, open(os.path.dirname(path) + "/status", encoding="utf-8") as status:
                    if self.path.encode() in words.read():
                        return int(re.search(r"VmRSS:\s+(\d+) kB", status.read()).group(1)) // 1024
            except OSError:
                continue
        raise ProcessLookupError(self.path)

    def close(self):
        if self.link is not None:
            self.link.close()


def available(reader):
    """MiB, as the guest said last."""
    found = re.findall(rb"available (\d+)\n", reader.program)
    return int(found[-1]) // 1024 if found else None


def play(build, program, tmp_path, mode, device, steps, memory=128):
    """Runs the program to the end of `steps`: a generator that gets the reader whenever the guest has said something
    more, and that has ended when all went well."""
    host, done = Host(tmp_path), []
    told = []
    player = None

    def stop(reader):
        nonlocal player
        lines = reader.program.count(b"\n")
        if done or lines == (told[-1] if told else 0):
            return bool(done)
        told.append(lines)
        try:
            if player is None:
                player = steps(host)
                next(player)
            player.send(reader)
        except StopIteration:
            done.append(True)
        return bool(done)

    result = boot(build.image(program, *mode), Machine(memory=memory), extra=[*device, *host.options()], stop=stop,
                  timeout=80)
    host.close()
    assert done, result
    return result


@pytest.mark.parametrize("device", ["mmio", "pci", "pci-packed"])
def test_free_memory_goes_back(build, program, tmp_path, device):
    """200 MB taken and given back: QEMU holds them, and a few seconds later it does not."""
    def steps(host):
        reader = yield
        assert b"touched" in reader.program
        full = host.resident()
        assert full >= 200
        while b"available" not in reader.program:
            reader = yield
        while host.resident() > full - 180:
            reader = yield

    *before, last = DEVICES[device]
    play(build, program, tmp_path, ["report"], [*before, last + ",free-page-reporting=on"], steps, memory=512)


@pytest.mark.parametrize("device", DEVICES)
def test_inflates_and_deflates(build, program, tmp_path, device):
    def steps(host):
        reader = yield
        before = available(reader)
        assert before > 96
        host.balloon(64)
        while host.actual() != 64:
            reader = yield
        for _ in range(2):  # what it says next may be of before
            reader = yield
        assert before - 68 <= available(reader) <= before - 60
        host.ask("qom-set", path="/machine/peripheral/b", property="guest-stats-polling-interval", value=1)
        def stats():
            return host.ask("qom-get", path="/machine/peripheral/b", property="guest-stats")["stats"]
        while abs(stats()["stat-available-memory"] // MIB - available(reader)) > 2:
            reader = yield
        assert 100 * MIB < stats()["stat-total-memory"] <= 128 * MIB
        host.balloon(128)
        while host.actual() != 128 or available(reader) < before - 2:
            reader = yield

    play(build, program, tmp_path, [], DEVICES[device], steps)


def test_keeps_a_floor(build, program, tmp_path):
    """The host asks for all: 8 MiB stay available, and the guest goes on."""
    def steps(host):
        reader = yield
        host.balloon(1)
        while available(reader) > 9:
            reader = yield
        for _ in range(15):
            reader = yield
            assert available(reader) >= 7
        assert host.actual() >= 8
        host.balloon(128)
        while host.actual() != 128:
            reader = yield

    play(build, program, tmp_path, [], DEVICES["mmio"], steps)


def test_deflates_when_memory_is_short(build, program, tmp_path):
    def steps(host):
        reader = yield
        host.balloon(16)
        while b"fed" not in reader.program:
            reader = yield
        assert host.actual() >= 16

    *before, last = DEVICES["pci"]
    play(build, program, tmp_path, ["hungry"], [*before, last + ",deflate-on-oom=on"], steps)
