# SPDX-License-Identifier: MIT
"""Off and reset by PSCI, over both conduits; the timer's frequency where firmware left it out or wrong."""
import os
import time

import pytest

from guest import Machine, boot

CONDUITS = ("cpu=cortex-a57 cpus=2", "cpu=cortex-a57 cpus=2 virtualization=on")  # hvc, smc


def ending(build, how):
    return build.image(os.path.join(build.folder, "tests/linux/end"), how)


@pytest.mark.parametrize("machine", CONDUITS)
@pytest.mark.parametrize("how", ("machine-off", "machine-restart"))
def test_end(build, how, machine):
    """QEMU itself ends: at SYSTEM_OFF, and with -no-reboot at SYSTEM_RESET."""
    result = boot(ending(build, how), Machine.parse("power memory=64 " + machine), timeout=60)
    assert result.qemu_status == 0 and not result.timed_out and result.output == f"ending: {how}\n".encode(), result
    assert result.status == (0 if how == "machine-off" else None), result


@pytest.mark.parametrize("machine", CONDUITS)
def test_reset_starts_again(build, machine):
    """Where QEMU takes a reset for one, the same image runs a second time."""
    text = b"ending: machine-restart\n"
    result = boot(ending(build, "machine-restart"), Machine.parse("power memory=64 " + machine), timeout=60,
                  extra=["-action", "reboot=reset"], stop=lambda reader: bytes(reader.program).count(text) >= 2)
    assert result.output.count(text) >= 2, result


# What firmware left in CNTFRQ_EL0, what the tree says, and the message that must come. QEMU counts at 62.5 MHz.
FREQUENCIES = ((0, 0, b"frequency is unknown: CNTFRQ_EL0 is 0 Hz"),
               (0, 62500000, None),
               (24000000, 62500000, None),
               (1000000000, 62500000, None),
               (62500000, 1000, b"Bad 'clock-frequency' of"))


@pytest.mark.parametrize("register,tree,message", FREQUENCIES)
def test_frequency(build, register, tree, message):
    """The tree is believed before the register, neither where it makes no sense; a sleep of 2 s takes 2 s."""
    seen = []

    def watch(reader):
        if b"idle" in reader.program and not seen:
            seen.append(time.monotonic())
        return bool(reader.of_type("X"))

    machine = Machine.parse(f"frequency cpu=cortex-a72 memory=64 secure=on cntfrq={register} frequency={tree}")
    result = boot(build.image(build.program("idle"), "2"), machine, timeout=60, stop=watch)
    slept = time.monotonic() - seen[0]
    assert result.status == 0, result
    assert (message in result.log) if message else b"requency" not in result.log, result
    assert 1.5 < slept < 25, f"2 s took {slept:.1f} s\n{result}"
