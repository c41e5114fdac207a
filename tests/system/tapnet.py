# SPDX-License-Identifier: MIT
"""A network of a test's own: a namespace with taps, which needs no root where user namespaces are allowed.

    with TapNetwork() as network:
        guest = network.popen([build.remora, "run", "--net", "tap:t0", ...])
        network.wait_port(80)
        network.run(["curl", f"http://{network.guest}/"])

The host's side of tap t0 is network.host (IPv6: network.host6), the guest gets network.guest by DHCP and, by
autoconfiguration, network.guest6(MAC). tap_host.py does the work; it ends, and the namespace with it, when this
process does.
"""
import hashlib
import ipaddress
import os
import subprocess
import sys
import time

HERE = os.path.dirname(os.path.abspath(__file__))


def mac_of(name):
    """The address that the command gives to the network device of a guest of this name."""
    return b"\x52\x54\x00" + hashlib.sha256(name.encode()).digest()[:3]


def give_up(reason):
    """A test that cannot run here is left out, and pytest tells why."""
    if "pytest" in sys.modules:
        sys.modules["pytest"].skip(reason)
    raise OSError(reason)


class TapNetwork:
    host, guest = "10.0.2.2", "10.0.2.15"
    host6 = "fd00:0::2"

    def __init__(self, *taps):
        """Each tap as tap_host.py takes them; none: t0 alone."""
        new = ["unshare", "--net"] if os.geteuid() == 0 else ["unshare", "--net", "--map-root-user"]
        self._enter = ["nsenter"] if os.geteuid() == 0 else ["nsenter", "--preserve-credentials"]
        self._holder = subprocess.Popen([*new, sys.executable, os.path.join(HERE, "tap_host.py"), *(taps or ["t0:0"])],
                                        stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        if self._holder.stdout.readline() != b"ready\n":
            self.close()
            give_up("no namespace with taps could be made; this needs /dev/net/tun, and root or user namespaces")
        spaces = f"/proc/{self._holder.pid}/ns"
        if os.geteuid() != 0:
            self._enter.append(f"--user={spaces}/user")
        self._enter += [f"--net={spaces}/net", "--"]

    def __enter__(self):
        return self

    def __exit__(self, *error):
        self.close()

    def close(self):
        self._holder.stdin.close()
        self._holder.wait(timeout=10)
        self._holder.stdout.close()

    def command(self, words):
        return [*self._enter, *words]

    def popen(self, words, **options):
        return subprocess.Popen(self.command(words), **options)

    def run(self, words, **options):
        return subprocess.run(self.command(words), **options)

    def guest6(self, name, network=0):
        """The address that a guest of this name makes of its device's (RFC 4291, appendix A)."""
        mac = mac_of(name)
        interface = bytes([mac[0] ^ 2]) + mac[1:3] + b"\xff\xfe" + mac[3:]
        return str(ipaddress.IPv6Address(ipaddress.IPv6Address(f"fd00:{network}::").packed[:8] + interface))

    def wait_port(self, port, address=None, seconds=30):
        """Until the guest accepts connections there."""
        script = (f"import socket, time\nend = time.monotonic() + {seconds}\nwhile True:\n"
                  f"    try:\n        socket.create_connection(({address or self.guest!r}, {port}), 1).close()\n        break\n"
                  "    except OSError:\n        assert time.monotonic() < end\n        time.sleep(0.05)\n")
        self.run([sys.executable, "-c", script], check=True, timeout=seconds + 10)
