# SPDX-License-Identifier: MIT
"""Flattened device trees: read, write, and change what a kernel must not depend on.

The changes keep the meaning (Devicetree Specification 0.4): other node names, other phandles,
another order of nodes and properties, other #address-cells and #size-cells, other memory.
"""
import random
import struct

MAGIC = 0xD00DFEED
BEGIN_NODE, END_NODE, PROP, NOP, END = 1, 2, 3, 4, 9

# Names with a meaning of their own; all others are free.
FIXED_NAMES = {"", "chosen", "aliases", "cpus", "memory", "reserved-memory", "cpu-map", "psci"}


class Node:
    def __init__(self, name):
        self.name = name
        self.properties = {}
        self.children = []

    def walk(self):
        yield self
        for child in self.children:
            yield from child.walk()

    def child(self, name):
        for node in self.children:
            if node.name == name or node.name.split("@")[0] == name:
                return node
        raise KeyError(name)

    def cells(self, name):
        value = self.properties[name]
        return list(struct.unpack(f">{len(value) // 4}I", value))

    def set_cells(self, name, cells):
        self.properties[name] = struct.pack(f">{len(cells)}I", *cells)

    def cell(self, name, default):
        return self.cells(name)[0] if name in self.properties else default

    def strings(self, name):
        return self.properties.get(name, b"").rstrip(b"\0").decode(errors="replace").split("\0")


def parse(blob):
    magic, size, structure, strings = struct.unpack_from(">4I", blob)
    if magic != MAGIC or size > len(blob):
        raise ValueError("not a device tree")

    def text(offset):
        return blob[offset:blob.index(b"\0", offset)].decode()

    at, stack, root = structure, [], None
    while True:
        token, = struct.unpack_from(">I", blob, at)
        at += 4
        if token == BEGIN_NODE:
            node = Node(text(at))
            at += (len(node.name) + 4) & ~3
            if stack:
                stack[-1].children.append(node)
            else:
                root = node
            stack.append(node)
        elif token == END_NODE:
            stack.pop()
        elif token == PROP:
            length, name = struct.unpack_from(">2I", blob, at)
            stack[-1].properties[text(strings + name)] = blob[at + 8:at + 8 + length]
            at += 8 + ((length + 3) & ~3)
        elif token == END:
            return root
        elif token != NOP:
            raise ValueError(f"token {token} at {at - 4:#x}")


def build(root):
    names, strings, structure = {}, bytearray(), bytearray()

    def pad():
        structure.extend(b"\0" * (-len(structure) % 4))

    def emit(node):
        structure.extend(struct.pack(">I", BEGIN_NODE) + node.name.encode() + b"\0")
        pad()
        for name, value in node.properties.items():
            if name not in names:
                names[name] = len(strings)
                strings.extend(name.encode() + b"\0")
            structure.extend(struct.pack(">3I", PROP, len(value), names[name]) + value)
            pad()
        for child in node.children:
            emit(child)
        structure.extend(struct.pack(">I", END_NODE))

    emit(root)
    structure.extend(struct.pack(">I", END))
    reserve, header = b"\0" * 16, 40
    structure_at = header + len(reserve)
    strings_at = structure_at + len(structure)
    total = (strings_at + len(strings) + 7) & ~7
    blob = struct.pack(">10I", MAGIC, total, structure_at, strings_at, header, 17, 16, 0,
                       len(strings), len(structure))
    return (blob + reserve + bytes(structure) + bytes(strings)).ljust(total, b"\0")


def shuffle(root, seed):
    """Another order of nodes and of properties."""
    chance = random.Random(seed)
    for node in root.walk():
        chance.shuffle(node.children)
        items = list(node.properties.items())
        chance.shuffle(items)
        node.properties = dict(items)


def rename(root, seed):
    """Other names for all nodes whose name has no meaning; paths to them are rewritten."""
    chance = random.Random(seed)
    paths = {}

    def visit(node, old, new):
        for child in node.children:
            base, _, unit = child.name.partition("@")
            old_path = f"{old}/{child.name}"
            if base not in FIXED_NAMES and "device_type" not in child.properties:
                fresh = "n" + "".join(chance.choice("abcdefghijkl") for _ in range(6))
                child.name = fresh + ("@" + unit if unit else "")
            paths[old_path] = f"{new}/{child.name}"
            visit(child, old_path, paths[old_path])

    visit(root, "", "")
    for node in root.walk():
        for name in ("stdout-path", "linux,stdout-path"):
            if name in node.properties:
                path, colon, options = node.strings(name)[0].partition(":")
                node.properties[name] = (paths.get(path, path) + colon + options).encode() + b"\0"
    for node in root.children:
        if node.name == "aliases":
            for name, value in node.properties.items():
                path = value.rstrip(b"\0").decode()
                node.properties[name] = paths.get(path, path).encode() + b"\0"


def rephandle(root, seed):
    """Other phandle values, in every property of QEMU's trees that holds some."""
    chance = random.Random(seed)
    by_handle = {node.cell("phandle", 0): node for node in root.walk() if "phandle" in node.properties}
    fresh = dict(zip(by_handle, chance.sample(range(0x1000, 0xFFFFFF00), len(by_handle))))

    def list_of(node, name, cells_name):
        """phandle, then as many cells as the node it names says."""
        cells, at = node.cells(name), 0
        while at < len(cells):
            target = by_handle.get(cells[at])
            cells[at] = fresh.get(cells[at], cells[at])
            at += 1 + (target.cell(cells_name, 0) if target and cells_name else 0)
        node.set_cells(name, cells)

    def every(node, name, index, stride):
        cells = node.cells(name)
        for at in range(index, len(cells), stride):
            cells[at] = fresh.get(cells[at], cells[at])
        node.set_cells(name, cells)

    def interrupt_map(node):
        own = node.cell("#address-cells", 0) + node.cell("#interrupt-cells", 1)
        cells, at = node.cells("interrupt-map"), 0
        while at < len(cells):
            at += own
            parent = by_handle[cells[at]]
            cells[at] = fresh[cells[at]]
            at += 1 + parent.cell("#address-cells", 0) + parent.cell("#interrupt-cells", 1)
        node.set_cells("interrupt-map", cells)

    for node in root.walk():
        for name in list(node.properties):
            if name in ("phandle", "linux,phandle", "interrupt-parent", "msi-parent", "cpu"):
                every(node, name, 0, 1)
            elif name in ("msi-map", "iommu-map"):
                every(node, name, 1, 4)
            elif name == "clocks":
                list_of(node, name, "#clock-cells")
            elif name == "gpios":
                list_of(node, name, "#gpio-cells")
            elif name == "interrupt-map":
                interrupt_map(node)


def resize_cells(root, address, size):
    """#address-cells and #size-cells of the root and of transparent buses; values must fit."""
    old_address, old_size = root.cell("#address-cells", 2), root.cell("#size-cells", 1)

    def number(cells):
        value = 0
        for cell in cells:
            value = value << 32 | cell
        return value

    def spread(value, count):
        if value >> (32 * count):
            raise ValueError(f"{value:#x} does not fit {count} cells")
        return [value >> (32 * (count - 1 - index)) & 0xFFFFFFFF for index in range(count)]

    for node in root.children:
        if "reg" in node.properties and node.name != "cpus":
            cells, out, step = node.cells("reg"), [], old_address + old_size
            for at in range(0, len(cells), step):
                out += spread(number(cells[at:at + old_address]), address)
                out += spread(number(cells[at + old_address:at + step]), size)
            node.set_cells("reg", out)
        if node.properties.get("ranges"):
            own, own_size = node.cell("#address-cells", 2), node.cell("#size-cells", 1)
            cells, out, step = node.cells("ranges"), [], own + old_address + own_size
            for at in range(0, len(cells), step):
                out += cells[at:at + own]
                out += spread(number(cells[at + own:at + own + old_address]), address)
                out += cells[at + own + old_address:at + step]
            node.set_cells("ranges", out)
        elif "ranges" in node.properties:
            # An empty `ranges`: the same addresses below, so the same cells.
            resize_cells(node, address, size)
    root.set_cells("#address-cells", [address])
    root.set_cells("#size-cells", [size])


def misplace(root, compatible, address):
    """The tree says of a device that its registers are where they are not."""
    for node in root.children:
        if compatible in node.strings("compatible"):
            cells = node.cells("reg")
            for at in range(root.cell("#address-cells", 2)):
                cells[at] = address >> 32 * (root.cell("#address-cells", 2) - 1 - at) & 0xFFFFFFFF
            node.set_cells("reg", cells)


def set_memory(root, banks):
    """Replace the memory nodes: one node a bank, (base, size) each."""
    root.children = [node for node in root.children if node.strings("device_type") != ["memory"]]
    address, size = root.cell("#address-cells", 2), root.cell("#size-cells", 1)
    for base, length in banks:
        node = Node(f"memory@{base:x}")
        node.properties["device_type"] = b"memory\0"
        cells = [base >> 32 * (address - 1 - i) & 0xFFFFFFFF for i in range(address)]
        cells += [length >> 32 * (size - 1 - i) & 0xFFFFFFFF for i in range(size)]
        node.set_cells("reg", cells)
        root.children.append(node)
