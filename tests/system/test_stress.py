# SPDX-License-Identifier: MIT
"""Busy kernels: tests/stress (senseless calls with fixed seeds, all CPUs at one thing) and many boots."""
import os
import re

import pytest

from guest import Machine, boot


def stress(build, *words):
    return build.image(os.path.join(build.folder, "tests/stress", words[0]), *words[1:])


def healthy(result):
    """The kernel neither complained nor lost the program."""
    assert result.status == 0 and b"FAIL" not in result.output, result
    assert not re.search(rb"panic|assertion|out of memory", result.log, re.I), result


@pytest.mark.parametrize("seed", [1, 2] + [pytest.param(n, marks=pytest.mark.long) for n in range(3, 13)])
def test_senseless_calls(build, seed):
    calls = 4000 if seed < 3 else 60000
    machine = Machine.parse(f"calls gic=3 memory=256 cpus={1 + seed % 4}")
    result = boot(stress(build, "calls", str(seed), str(calls), "4"), machine, timeout=400)
    healthy(result)
    assert b"ok calls seed" in result.output, result


@pytest.mark.parametrize("seed", [1, 2] + [pytest.param(n, marks=pytest.mark.long) for n in range(3, 9)])
def test_senseless_calls_on_sockets(build, seed):
    calls = 10000 if seed < 3 else 150000
    machine = Machine.parse(f"netcalls gic=3 memory=64 cpus={1 + seed % 4}")
    # A hub with nobody on it: libslirp 4.7 dies of some frames.
    network = ("-netdev", "hubport,id=net,hubid=0", "-device", "virtio-net-device,netdev=net")
    result = boot(stress(build, "netcalls", str(seed), str(calls), "4"), machine, timeout=400, extra=network)
    healthy(result)
    assert b"calls by 4 threads" in result.output, result


STRESS = ("threads", "mutexes", "conditions", "signals", "memory", "shootdown", "files", "pipes", "timers")


def test_all_cpus_at_one_thing(build):
    result = boot(stress(build, "stress", "1"), Machine.parse("stress gic=3 memory=256 cpus=2"), timeout=180)
    healthy(result)
    assert [line.split()[1].decode() for line in result.output.splitlines()] == list(STRESS), result


SOCKETS = ("streams", "connects", "datagrams", "events", "open", "memory")


@pytest.mark.parametrize("cpus", [1, 2, pytest.param(4, marks=pytest.mark.long)])
def test_sockets(build, cpus):
    """TCP and UDP over loopback: every byte arrives, nothing stalls, 4,000 connections are open at once, memory comes back."""
    result = boot(stress(build, "sockets", "1"), Machine.parse(f"sockets gic=3 memory=256 cpus={cpus}"), timeout=240)
    healthy(result)
    assert [line.split()[1].decode() for line in result.output.splitlines()] == list(SOCKETS), result


@pytest.mark.long
@pytest.mark.parametrize("what", SOCKETS)
def test_sockets_for_half_a_minute(build, what):
    machine = Machine.parse("sockets cpu=max gic=3 memory=256 cpus=4")
    healthy(boot(stress(build, "sockets", "30", what), machine, timeout=600))


@pytest.mark.long
@pytest.mark.parametrize("what", STRESS)
def test_four_cpus_for_half_a_minute(build, what):
    machine = Machine.parse("stress cpu=max gic=3 memory=256 cpus=4")
    healthy(boot(stress(build, "stress", "30", what), machine, timeout=240))


@pytest.mark.long
def test_a_hundred_boots(build):
    """At 4 CPUs, every one of which must come up."""
    image = build.image(build.program("cpus"))
    for turn in range(100):
        machine = Machine.parse(f"boots gic={2 + turn % 2} memory=128 cpus=4")
        result = boot(image, machine, timeout=60)
        assert result.status == 0, f"boot {turn}: {result}"
