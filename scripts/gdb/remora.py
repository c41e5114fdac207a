# SPDX-License-Identifier: MIT
"""gdb commands for Remora's kernel: threads, areas of programs, page tables, the log.

    remora-threads              every kernel and program thread, with its CPU and state
    remora-backtrace THREAD     the stack of a thread that is not running, by address or name
    remora-areas [THREAD]       the areas of a thread's address space (default: the running one)
    remora-walk ADDRESS         how the tables translate an address, level by level
    remora-map [user]           every mapping of the kernel's half, or of the running program's
    remora-slide                take the symbols to where the kernel runs (after KASLR)
"""
import gdb

LINEAR_BASE = 0xFFFF000000000000
ADDRESS_MASK = 0x0000FFFFFFFFF000
LEVEL_SHIFT = (39, 30, 21, 12)
U64 = (1 << 64) - 1


def number(value):
    return int(value) & U64


def container(node, type_name, member):
    """The struct around a node."""
    kind = gdb.lookup_type("struct " + type_name)
    offset = next(field for field in kind.fields() if field.name == member).bitpos // 8
    return gdb.Value(number(node) - offset).cast(kind.pointer())


def list_of(head, type_name, member):
    """Entries of a `struct list_node` list whose head this is."""
    node, end = head["next"], number(head.address)
    while number(node) != end:
        yield container(node, type_name, member)
        node = node["next"]


def tree_of(root, type_name, member):
    """Entries of a red-black tree in order."""
    stack, node = [], root["node"]
    while stack or number(node):
        while number(node):
            stack.append(node)
            node = node["left"]
        node = stack.pop()
        yield container(node, type_name, member)
        node = node["right"]


def register(*names):
    """A system register: QEMU's stubs differ in its name."""
    for name in names:
        value = gdb.selected_frame().read_register(name) if has_register(name) else None
        if value is not None:
            return number(value)
    raise gdb.GdbError(f"the target tells no register {' or '.join(names)}")


def has_register(name):
    try:
        gdb.selected_frame().read_register(name)
        return True
    except ValueError:
        return False


def current():
    return gdb.Value(register("TPIDR_EL1")).cast(gdb.lookup_type("struct thread").pointer())


def running():
    """The threads that the CPUs run now, by address."""
    selected, found = gdb.selected_thread(), set()
    for cpu in gdb.selected_inferior().threads():
        cpu.switch()
        found.add(register("TPIDR_EL1"))
    selected.switch()
    return found


def threads():
    head = gdb.lookup_global_symbol("thread_list") or gdb.lookup_static_symbol("thread_list")
    if head is None:
        raise gdb.GdbError("no thread_list in the symbols")
    return list_of(head.value(), "thread", "all_node")


def name_of(thread):
    return thread["name"].string(errors="replace")


def find_thread(text):
    if not text:
        return current()
    for thread in threads():
        if name_of(thread) == text:
            return thread
    return gdb.parse_and_eval(text).cast(gdb.lookup_type("struct thread").pointer())


def stripped(address):
    """A kernel address without the signature of pointer authentication."""
    return address | 0xFFFF << 48 if address >> 55 & 1 else address


def symbol(address):
    text = gdb.execute(f"info symbol {address:#x}", to_string=True).strip()
    return "?" if text.startswith("No symbol") else text.split(" in section")[0]


class Threads(gdb.Command):
    """remora-threads: every thread, with its CPU and state."""

    def __init__(self):
        super().__init__("remora-threads", gdb.COMMAND_STATUS)

    def invoke(self, argument, from_tty):
        mine, on_cpu = number(current()), running()
        states = gdb.lookup_type("enum thread_state")
        print("  thread             cpu state             name             where")
        for thread in threads():
            state = str(thread["state"].cast(states)).replace("THREAD_", "").lower()
            mark = "*" if number(thread) == mine else " "
            where = "running" if number(thread) in on_cpu else symbol(number(thread["context"]["pc"]))
            cpu = int(thread["cpu"]["id"]) if number(thread["cpu"]) else -1
            print(f"{mark} {number(thread):#x} {cpu:3d} {state:17s} {name_of(thread):16s} {where}")


class Backtrace(gdb.Command):
    """remora-backtrace THREAD: the kernel stack of a thread that is not running."""

    def __init__(self):
        super().__init__("remora-backtrace", gdb.COMMAND_STACK)

    def invoke(self, argument, from_tty):
        thread = find_thread(argument.strip())
        if number(thread) in running():
            raise gdb.GdbError("it runs: select its CPU by `thread N` and use `backtrace`")
        context = thread["context"]
        print(f"   {symbol(number(context['pc']))}")
        frame, memory = number(context["fp"]), gdb.selected_inferior()
        for _ in range(64):
            if frame < LINEAR_BASE:
                break
            data = bytes(memory.read_memory(frame, 16))
            following, address = (int.from_bytes(data[at:at + 8], "little") for at in (0, 8))
            print(f"   {symbol(stripped(address))}")
            if following <= frame:
                break
            frame = following


class Areas(gdb.Command):
    """remora-areas [THREAD]: the areas of a thread's address space."""

    def __init__(self):
        super().__init__("remora-areas", gdb.COMMAND_DATA)

    def invoke(self, argument, from_tty):
        space = find_thread(argument.strip())["vmspace"]
        if not number(space):
            raise gdb.GdbError("a kernel thread: it has no areas")
        for area in tree_of(space["areas"], "vm_area", "node"):
            prot, flags = int(area["prot"]), int(area["flags"])
            letters = "".join(letter if prot & bit else "-" for letter, bit in (("r", 1), ("w", 2), ("x", 4)))
            letters += "s" if flags & 0x10 else "p"
            name = area["name"].string() if number(area["name"]) else ""
            backing = f"object {number(area['object']):#x}+{int(area['offset']):#x}" if number(area["object"]) else ""
            print(f"{number(area['start']):012x}-{number(area['end']):012x} {letters} {name or backing}")


def physical(address, size=8):
    data = bytes(gdb.selected_inferior().read_memory(LINEAR_BASE + address, size))
    return [int.from_bytes(data[at:at + 8], "little") for at in range(0, size, 8)]


def root_of(address):
    if address >> 48:
        return register("TTBR1_EL1") & ADDRESS_MASK
    return register("TTBR0_EL1") & ADDRESS_MASK


def describe(entry, level):
    if not entry & 1:
        return "kept, no access" if entry & 1 << 56 else "nothing"
    kind = "table" if level < 3 and entry & 2 else ("", "1G-block", "2M-block", "page")[level]
    if kind == "table":
        return f"table at {entry & ADDRESS_MASK:#x}"
    memory = ("device", "normal", "normal-nc")[entry >> 2 & 7] if entry >> 2 & 7 < 3 else f"attribute {entry >> 2 & 7}"
    user = "user" if entry & 1 << 6 else "kernel"
    write = "ro" if entry & 1 << 7 else "rw"
    execute = ("" if entry & 1 << 53 else " x-kernel") + ("" if entry & 1 << 54 else " x-user")
    scope = ("asid" if entry & 1 << 11 else "global") + (" guarded" if entry & 1 << 50 else "")
    return f"{kind} at {entry & ADDRESS_MASK:#x} {memory} {user} {write}{execute} {scope}"


class Walk(gdb.Command):
    """remora-walk ADDRESS: how the tables translate an address, level by level."""

    def __init__(self):
        super().__init__("remora-walk", gdb.COMMAND_DATA)

    def invoke(self, argument, from_tty):
        address = number(gdb.parse_and_eval(argument))
        table = root_of(address)
        for level, shift in enumerate(LEVEL_SHIFT):
            index = address >> shift & 511
            entry = physical(table + 8 * index)[0]
            print(f"level {level} table {table:#x}[{index}] = {entry:#018x} {describe(entry, level)}")
            if not entry & 1:
                return
            if level == 3 or not entry & 2:
                offset = address & (1 << shift) - 1
                print(f"{address:#x} is physical {(entry & ADDRESS_MASK & ~((1 << shift) - 1)) + offset:#x}")
                return
            table = entry & ADDRESS_MASK


class Map(gdb.Command):
    """remora-map [user]: every mapping of the kernel's half, or of the running program's."""

    def __init__(self):
        super().__init__("remora-map", gdb.COMMAND_DATA)

    def invoke(self, argument, from_tty):
        base = 0 if argument.strip() == "user" else 0xFFFF << 48
        self.run = None
        self.visit(root_of(base), base, 0)
        self.flush()

    def visit(self, table, base, level):
        for index, entry in enumerate(physical(table, 4096)):
            address = base + (index << LEVEL_SHIFT[level])
            if level < 3 and entry & 3 == 3:
                self.visit(entry & ADDRESS_MASK, address, level + 1)
            elif entry & 1:
                self.leaf(address, 1 << LEVEL_SHIFT[level], entry, level)

    def leaf(self, address, size, entry, level):
        """Gather neighbours with equal attributes, also neighbours in RAM, into one line."""
        attributes = describe(entry & ~ADDRESS_MASK, level)
        place = entry & ADDRESS_MASK
        if (self.run and self.run["end"] == address and self.run["attributes"] == attributes
                and self.run["place"] + address - self.run["start"] == place):
            self.run["end"] = address + size
            return
        self.flush()
        self.run = {"start": address, "end": address + size, "attributes": attributes, "place": place}

    def flush(self):
        if self.run:
            words = self.run["attributes"].replace(" at 0x0", "")
            print(f"{self.run['start']:016x}-{self.run['end']:016x} from {self.run['place']:#x} {words}")
        self.run = None


class Slide(gdb.Command):
    """remora-slide: move the symbols to where the kernel runs, found by VBAR_EL1."""

    def __init__(self):
        super().__init__("remora-slide", gdb.COMMAND_FILES)

    def invoke(self, argument, from_tty):
        linked = number(gdb.parse_and_eval("(unsigned long)&vectors"))
        slide = register("VBAR_EL1", "VBAR") - linked & U64
        path = gdb.current_progspace().filename
        gdb.execute("symbol-file")
        gdb.execute(f"symbol-file -o {slide:#x} {path}")
        print(f"the kernel runs {slide:#x} above its link address")


class Remora(gdb.Command):
    __doc__ = __doc__

    def __init__(self):
        super().__init__("remora", gdb.COMMAND_USER)

    def invoke(self, argument, from_tty):
        print(__doc__)


for command in (Threads, Backtrace, Areas, Walk, Map, Slide, Remora):
    command()
