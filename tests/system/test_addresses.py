# SPDX-License-Identifier: MIT
"""How a guest gets its addresses, and what Debian's programs for networks say of them."""
import ipaddress
import re

import pytest

from guest import Machine, boot
from tapnet import TapNetwork

BUSYBOX = ("deb:busybox-static", "busybox")
NETWORK = ("-netdev", "user,id=net", "-device", "virtio-net-device,netdev=net")


def run(build, words, arguments="", network=NETWORK, source=BUSYBOX, cpus=1):
    image = build.image(*source, *words)
    result = boot(image, Machine.parse(f"net gic=3 memory=128 cpus={cpus}"), arguments=arguments, extra=network,
                  timeout=60)
    return result.output.decode(errors="replace"), result


def test_dhcp_and_name_servers(build):
    """A program that starts finds address, route and name servers."""
    text, result = run(build, ["cat", "/etc/resolv.conf", "/proc/net/route"])
    assert "nameserver 10.0.2.3\n" in text, result
    assert re.search(r"^eth0\t00000000\t0202000A\t0003\t", text, re.M), result
    assert re.search(r"^eth0\t0002000A\t00000000\t0001\t.*\t00FFFFFF\t", text, re.M), result


def test_log_says_it_once(build):
    """Although the IPv6 addresses that come in the first seconds are changes of the interface, too."""
    _, result = run(build, ["sleep", "3"], arguments="remora.log=info")
    assert re.findall(rb"eth0: address ([^\r\n]*)", result.log) == [b"10.0.2.15, gateway 10.0.2.2, by DHCP"], result


def test_static_address(build):
    text, result = run(build, ["cat", "/etc/resolv.conf", "/proc/net/route", "/proc/net/dev"],
                       arguments="ip=10.0.2.77::10.0.2.9:255.255.0.0::eth0:off:10.0.2.5:10.0.2.6")
    assert "nameserver 10.0.2.5\nnameserver 10.0.2.6\n" in text, result
    assert re.search(r"^eth0\t00000000\t0902000A\t0003\t", text, re.M), result
    assert re.search(r"^eth0\t0000000A\t00000000\t0001\t.*\t0000FFFF\t", text, re.M), result


def test_no_address(build):
    """ip=off: the interface is there without one, and nobody waits for it."""
    text, result = run(build, ["ifconfig", "eth0"], arguments="ip=off")
    assert "HWaddr" in text and "inet addr" not in text, result


def test_wrong_words(build):
    text, result = run(build, ["ifconfig", "eth0"], arguments="ip=nonsense remora.log=warn")
    assert "inet addr:10.0.2.15" in text, result


def test_no_network(build):
    text, result = run(build, ["ip", "addr"], network=())
    assert "127.0.0.1/8" in text and "eth0" not in text, result


@pytest.mark.parametrize("cpus", (1, 4))
def test_ping(build, cpus):
    text, result = run(build, ["ping", "-c", "2", "10.0.2.2"], cpus=cpus)
    assert "2 packets received, 0% packet loss" in text, result


@pytest.mark.parametrize("words, expected", (
    ("arping -c 1 -I eth0 10.0.2.2", r"Received 1 response"),
    ("route -n", r"(?m)^0\.0\.0\.0 +10\.0\.2\.2 +0\.0\.0\.0 +UG .* eth0$"),
    ("netstat -rn", r"(?m)^10\.0\.2\.0 +0\.0\.0\.0 +255\.255\.255\.0 +U "),
    ("ifconfig", r"inet addr:10\.0\.2\.15  Bcast:10\.0\.2\.255  Mask:255\.255\.255\.0"),
    ("ip addr", r"inet 10\.0\.2\.15/24 brd 10\.0\.2\.255 scope global (dynamic )?eth0"),
))
def test_busybox(build, words, expected):
    text, result = run(build, words.split())
    assert re.search(expected, text), result


@pytest.mark.parametrize("words, expected", (
    ("link", r"2: eth0: <BROADCAST,MULTICAST,UP,LOWER_UP> mtu 1500 .* state UP "),
    ("-4 addr", r"inet 10\.0\.2\.15/24 brd 10\.0\.2\.255 scope global dynamic eth0"),
    ("route", r"default via 10\.0\.2\.2 dev eth0 proto dhcp"),
    ("route get 10.0.2.9", r"10\.0\.2\.9 dev eth0 src 10\.0\.2\.15"),
    ("-6 addr", r"inet6 fe80::.*/64 scope link"),
))
def test_iproute2(build, words, expected):
    text, result = run(build, words.split(), source=("deb:iproute2", "ip"))
    assert re.search(expected, text), result


# One process, and nothing to fork: it looks until the route is there, or five seconds are over.
LOOK = """BEGIN {
    for (end = systime() + 5; systime() < end && !seen; close("/proc/net/ipv6_route"))
        while ((getline line < "/proc/net/ipv6_route") > 0)
            if (line ~ /^0{32} 00 /)
                seen = 1
    while ((getline line < "/proc/net/if_inet6") > 0) print line
    while ((getline line < "/etc/resolv.conf") > 0) print line
    close("/proc/net/ipv6_route")
    while ((getline line < "/proc/net/ipv6_route") > 0) print line
}"""


def test_router_advertisement(build):
    """IPv6 by itself: an address in the prefix, a route to the router, its name server beside DHCP's."""
    with TapNetwork() as network:
        ended = network.run([build.remora, "run", "-q", "--timeout", "60", "--name", "six", "--net", "tap:t0", *BUSYBOX[:1],
                             "busybox", "awk", LOOK], capture_output=True, timeout=90)
        text, address = ended.stdout.decode(), ipaddress.IPv6Address(network.guest6("six")).packed.hex()
    assert re.search(f"^{address} 02 40 00 [0-9a-f]{{2}}     eth0$", text, re.M), ended
    assert re.search("^0{32} 00 0{32} 00 fe80[0-9a-f]{28} .* eth0$", text, re.M), ended
    assert re.search("^fd00[0-9a-f]{28} 40 ", text, re.M), ended
    assert re.search("^nameserver FD00::53$", text, re.M | re.I), ended
