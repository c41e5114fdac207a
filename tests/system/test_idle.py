# SPDX-License-Identifier: MIT
"""An idle guest sleeps: what its QEMU takes of a host core, and that it ends by itself."""
import os

from guest import Machine, boot

SECONDS = 10


def test_idle_costs_under_3_percent(build):
    """CPU time of a guest that sleeps, less that of one that ends at once."""
    image = build.image(build.program("idle"), str(SECONDS))
    before = os.times()
    result = boot(image, Machine.parse("idle gic=3 memory=64 cpus=2"), timeout=60)
    spent = os.times()
    assert result.status == 0, result
    short = boot(build.image(build.program("hello")), Machine.parse("idle gic=3 memory=64 cpus=2"), timeout=60)
    after = os.times()
    assert short.status == 0, short

    def children(first, last):
        return last.children_user + last.children_system - first.children_user - first.children_system

    idle = children(before, spent) - children(spent, after)
    assert idle < 0.03 * SECONDS, f"{idle:.2f} s of CPU in {SECONDS} s"
