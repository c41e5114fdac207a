# SPDX-License-Identifier: MIT
"""Ten minutes of mixed load on two servers at once: nothing goes wrong, nothing is lost, and then all sleep."""
import os
import re
import subprocess
import sys
import time

import pytest

from tapnet import HERE, TapNetwork
from test_servers import REDIS, nginx_folder, serve

SECONDS = int(os.environ.get("LOAD_SECONDS", "600"))
SETTLE_SECONDS = 75    # connections that have ended are remembered for a while
CROSS = os.environ.get("CROSS_PREFIX", "aarch64-linux-gnu-")


def memory(served):
    """KiB by name: the lines of /proc/meminfo, and each slab cache."""
    script = "import socket, sys\nprint(socket.create_connection((sys.argv[1], 9), 10).makefile().read())"
    text = served.run(sys.executable, "-c", script, "{}")
    found = {name: int(kib) for name, kib in re.findall(r"^(\w+): +(\d+) kB", text, re.M)}
    for name, pages, slabs in re.findall(r"^(\S+) +\d+ +\d+ +\d+ +\d+ +(\d+) : .* : slabdata +\d+ +(\d+)", text, re.M):
        found[f"slab {name}"] = 4 * int(pages) * int(slabs)
    return found


def changes(before, after):
    return {name: after[name] - before.get(name, 0) for name in after if after[name] != before.get(name, 0)}


def qemu_seconds(served):
    """CPU time of the command's QEMU, its child."""
    with open(f"/proc/{served.process.pid}/task/{served.process.pid}/children", encoding="ascii") as children:
        qemu = children.read().split()[0]
    with open(f"/proc/{qemu}/stat", encoding="ascii") as stat:
        fields = stat.read().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def load(nginx, redis, seconds):
    """wrk, redis-benchmark, byte checks and aborting clients against both until the time is over."""
    aborting = [served.network.popen([sys.executable, f"{HERE}/abort_load.py", "--seed", str(port), str(seconds), served.address, str(port)],
                                     stdout=subprocess.PIPE) for served, port in ((nginx, 80), (redis, 6379))]
    until, files = time.monotonic() + seconds, nginx.files
    while time.monotonic() < until:
        both = [nginx.network.popen(["wrk", "-t", "1", "-c", "32", "-d", "5", *header, f"http://{nginx.address}/{name}"],
                                    stdout=subprocess.PIPE, text=True)
                for name, header in (("k", ["-H", "Connection: close"]), ("m", []))]
        redis.run("redis-benchmark", "-h", "{}", "-c", "50", "-n", "3000", "-P", "4", "-t", "set,get,lpush,lrange_100,mset", "--csv")
        redis.run("redis-benchmark", "-h", "{}", "-c", "20", "-n", "600", "-k", "0", "-t", "get", "--csv")
        for name, requests in (("k", 200), ("m", 10)):
            nginx.run(sys.executable, f"{HERE}/http_check.py", "--connections", "8", "--requests", str(requests), "--close",
                      f"http://{{}}/{name}", os.path.join(files, name))
        for wrk in both:
            shown = wrk.communicate(timeout=60)[0]
            assert wrk.returncode == 0 and "Non-2xx" not in shown, shown
            failed = re.search(r"Socket errors: connect (\d+), read (\d+), write (\d+)", shown)
            assert not failed or failed.groups() == ("0", "0", "0"), shown
    for client in aborting:
        assert re.match(rb"[1-9]\d* connections", client.communicate(timeout=60)[0])


@pytest.mark.long
@pytest.mark.parametrize("cpus", [1, 4])
def test_mixed_load(build, tmp_path, cpus):
    subprocess.run([CROSS + "gcc", "-O2", "-Wall", "-Wextra", "-Werror", "-shared", "-fPIC", "-o", tmp_path / "report.so",
                    f"{HERE}/memory_report.c"], check=True)
    for name in ("nginx", "redis"):
        (tmp_path / name).mkdir()
    nginx_folder(tmp_path / "nginx")
    (tmp_path / "redis/remora.conf").write_text("[program]\ncommand = /usr/bin/redis-server\n[root]\nbase = deb:redis-server\n[files]\n")
    for name in ("nginx", "redis"):
        with open(tmp_path / name / "remora.conf", "a", encoding="ascii") as conf:
            conf.write("/report.so = ../report.so\n[env]\nLD_PRELOAD = /report.so\n")
    options = ["--cpus", str(cpus), "-m", "256"]
    limit = SECONDS + 300
    with TapNetwork("t0:0", "t1:1") as network:
        with serve(build, "tap", 80, [str(tmp_path / "nginx")], tmp_path / "nginx", options, on=(network, "t0"), limit=limit) as nginx, \
                serve(build, "tap", 6379, [str(tmp_path / "redis"), "/usr/bin/redis-server", *REDIS[2:]], tmp_path / "redis", options,
                      on=(network, "t1"), address="10.0.3.15", limit=limit) as redis:
            nginx.files = str(tmp_path / "nginx/srv")
            load(nginx, redis, 20)
            time.sleep(SETTLE_SECONDS)
            before = [memory(served) for served in (nginx, redis)]
            load(nginx, redis, SECONDS)
            time.sleep(SETTLE_SECONDS)
            after = [memory(served) for served in (nginx, redis)]
            used = [qemu_seconds(served) for served in (nginx, redis)]
            time.sleep(10)
            used = [(qemu_seconds(served) - earlier) / 10 for served, earlier in zip((nginx, redis), used)]
            print(f"KiB more than before: nginx {changes(before[0], after[0])}, redis {changes(before[1], after[1])}; "
                  f"of a host's core while idle: {used}")
            # A program's heap stays as large as it once had to be; the kernel gives all back but for partly used slabs.
            for then, now in zip(before, after):
                assert now["AnonPages"] - then["AnonPages"] < 4096, (then, now)
                assert then["MemAvailable"] + then["AnonPages"] - now["MemAvailable"] - now["AnonPages"] < 1024, (then, now)
            # redis wakes ten times a second by itself.
            assert used[0] < 0.03 and used[1] < 0.15, used
