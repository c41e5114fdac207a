# SPDX-License-Identifier: MIT
"""The same image as a Xen dom0less guest: Xen 4.17 from its Debian package, on QEMU with EL2.

Xen's device tree is QEMU's plus a domain node in /chosen (Xen, docs/misc/arm/device-tree/booting.txt).
QEMU puts the tree at 0x48000000, so the guest's kernel lies above it.
"""
import glob
import os
import re
import subprocess
import sys
import time

import pytest

import devicetree
from guest import QEMU

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "oracle"))
import debian  # noqa: E402

KERNEL_AT, DEVICES_AT = 0x50000000, 0x54000000
NOWHERE = 0x0B000000  # Xen gives its guests nothing there


def module_node(kind, address, size):
    module = devicetree.Node(f"module@{address:x}")
    module.properties["compatible"] = f"multiboot,{kind}\0multiboot,module\0".encode()
    module.set_cells("reg", [0, address, 0, size])
    return module


def missing_device():
    """A tree of devices to pass through: of a clock that Xen is not asked to map."""
    root, bus, clock = (devicetree.Node(name) for name in ("", "passthrough", f"rtc@{NOWHERE:x}"))
    for node in (root, bus):
        node.set_cells("#address-cells", [2])
        node.set_cells("#size-cells", [2])
    bus.properties.update(compatible=b"simple-bus\0", ranges=b"")
    clock.properties["compatible"] = b"arm,pl031\0"
    clock.set_cells("reg", [0, NOWHERE, 0, 0x1000])
    root.children.append(bus)
    bus.children.append(clock)
    return devicetree.build(root)


def domain_node(size, memory_mib, cpus, bootargs):
    domain = devicetree.Node("domU1")
    domain.properties["compatible"] = b"xen,domain\0"
    domain.set_cells("#address-cells", [2])
    domain.set_cells("#size-cells", [2])
    domain.set_cells("memory", [0, memory_mib * 1024])
    domain.set_cells("cpus", [cpus])
    domain.properties["vpl011"] = b""
    domain.properties["xen,enhanced"] = b"no-xenstore\0"
    module = module_node("kernel", KERNEL_AT, size)
    module.properties["bootargs"] = bootargs.encode() + b"\0"
    domain.children.append(module)
    return domain


def boot_under_xen(image, folder, gic, cpus, expect, devices=b"", timeout=60):
    """The console up to `expect`, the end of QEMU, or the end of the time. `devices`: a tree of those to pass through."""
    xen = glob.glob(os.path.join(debian.unpack("xen", ["xen-hypervisor-4.17-arm64"], closure=False),
                                 "boot", "xen-4.17-arm64"))[0]
    options = ["-M", f"virt,virtualization=on,gic-version={gic}", "-cpu", "cortex-a57", "-m", "1024",
               "-smp", str(cpus), "-nodefaults", "-display", "none", "-no-reboot"]
    tree = os.path.join(folder, "qemu.dtb")
    subprocess.run([QEMU, *options, "-machine", f"dumpdtb={tree}"], check=True, capture_output=True, timeout=60)
    with open(tree, "rb") as blob:
        root = devicetree.parse(blob.read())
    chosen = root.child("chosen")
    chosen.set_cells("#address-cells", [2])
    chosen.set_cells("#size-cells", [2])
    chosen.properties["xen,xen-bootargs"] = b"console=dtuart dtuart=/pl011@9000000 bootscrub=0 guest_loglvl=all\0"
    domain, loaded = domain_node(os.path.getsize(image), 64, cpus, "remora.tty="), [(image, KERNEL_AT)]
    chosen.children.append(domain)
    if devices:
        domain.children.append(module_node("device-tree", DEVICES_AT, len(devices)))
        loaded.append((os.path.join(folder, "devices.dtb"), DEVICES_AT))
        with open(loaded[-1][0], "wb") as out:
            out.write(devices)
    tree = os.path.join(folder, "xen.dtb")
    with open(tree, "wb") as out:
        out.write(devicetree.build(root))
    log = os.path.join(folder, "console")
    open(log, "w").close()
    for path, address in loaded:
        options += ["-device", f"loader,file={path},addr={address:#x},force-raw=on"]
    qemu = subprocess.Popen([QEMU, *options, "-serial", f"file:{log}", "-kernel", xen, "-dtb", tree],
                            stdin=subprocess.DEVNULL)
    try:
        deadline, text = time.monotonic() + timeout, b""
        while time.monotonic() < deadline and qemu.poll() is None and expect not in text:
            time.sleep(0.1)
            with open(log, "rb") as console:
                text = console.read()
        time.sleep(0.3)
        with open(log, "rb") as console:
            return console.read()
    finally:
        qemu.kill()
        qemu.wait()


@pytest.mark.parametrize("gic,cpus", [(2, 1), (3, 2)])
def test_hello(build, tmp_path, gic, cpus):
    image = build.image(build.program("hello"), "under", "xen")
    text = boot_under_xen(image, str(tmp_path), gic, cpus, b"hello, world under xen")
    assert b"hello, world under xen" in text, text.decode(errors="replace")


def test_injected_abort(build, tmp_path):
    """The guest touches an address that is not its own: the abort that Xen sends is told as such, with the address."""
    image = build.image(build.program("hello"))
    text = boot_under_xen(image, str(tmp_path), 2, 1, b"the kernel stopped itself", missing_device()).decode(errors="replace")
    assert "sent by Xen" in text and "the kernel stopped itself" in text, text
    assert re.search(rf"access at 0xffff[0-9a-f]{{12}}, physical address {NOWHERE:#x}: neither memory nor a device answered",
                     text), text
    assert "pl031_probe+0x" in text, text
