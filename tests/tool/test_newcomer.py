# SPDX-License-Identifier: MIT
"""What a newcomer does wrong, and what the command says then: slips, other tools' habits, closed streams,
full disks, signals while files are written."""
import os
import re
import signal
import stat
import subprocess
import time

import pytest

from conftest import write_kernel

IMAGE_FEATURE_NETWORK, IMAGE_FEATURE_9P = 1, 2


@pytest.mark.parametrize("words,text", [
    (["rnu", "x"], "did you mean run?"),
    (["isnpect", "x"], "did you mean inspect?"),
    (["frobnicate"], "`remora help` lists them"),
    (["deb:jq", "jq"], "to run it: remora run deb:jq"),
    (["./hello"], "to run it: remora run ./hello"),
    (["help", "frobnicate"], "no command is called frobnicate"),
    (["run"], "no SOURCE given; see `remora help run`"),
    (["inspect"], "no FILE given; see `remora help inspect`"),
    (["run", "--memory", "5", "x"], "did you mean -m? `remora help run`"),
    (["run", "--volume=/a:/b", "x"], "did you mean -v?"),
    (["build", "--publish", "80:80", "x"], "`remora help build` lists them"),  # has no -p
    (["run", "--tiemout", "5", "x"], "did you mean --timeout?"),
    (["run", "-x", "x"], "unknown option -x"),
    (["run", "docker:alpine"], "skopeo copy --override-arch arm64 docker://alpine oci:image"),
    (["run", "docker://a/b:1"], "docker://a/b:1 oci:image"),
    (["run", "oci:"], "oci: names no image"),
    (["run", "--env-file", "/", "x"], "--env-file /: Is a directory"),
    (["run", "--sysroot", "/nothing", "x"], "--sysroot /nothing: No such file or directory; name a folder"),
    (["run", "--sysroot", "/etc/passwd", "x"], "--sysroot /etc/passwd: Not a directory"),
    (["run", "-v", "/tmp:/x:rx", "x"], "give HOST:GUEST or HOST:GUEST:ro"),
    (["run", "-v", "/tmp:/", "x"], "give a folder below /"),
    (["run", "-v", "/tmp:/.//", "x"], "give a folder below /"),
    (["run", "-v", "/tmp:/:ro", "x"], "give a folder below /"),
    (["run", "-v", "/tmp:/a/..", "x"], "without `..`"),
    (["run", "-v", "/tmp:/a/../b", "x"], "without `..`"),
])
def test_slips(tool, words, text):
    tool.fails(125, *words, text=text)


def test_wrong_values(tool, programs):
    for user in ("99999999999", "4294967295", "1:4294967295", "-1", ":", ""):
        tool.fails(125, "run", "-u", user, programs["static"], text="give numbers, as in 1000:1000")
    tool.fails(126, "run", "/dev/null", text="a device, pipe or socket")
    tool.fails(125, "inspect", programs["static"], text="`remora check`")
    tool.fails(125, "build", programs["static"], "-o", tool.folder, text="is a folder; name a file in it")


def test_output_that_is_no_file(tool, programs):
    """A device, pipe or socket is not replaced by the image, whoever asks for it."""
    fifo, link = tool.path("fifo"), tool.path("link")
    os.mkfifo(fifo)
    os.symlink(fifo, link)
    for place in (fifo, link):
        tool.fails(125, "build", programs["static"], "-o", place, text="is a device, pipe or socket; name a file")
    assert stat.S_ISFIFO(os.lstat(fifo).st_mode) and os.path.islink(link)


def test_double_dash(tool, programs):
    """Behind -- no word is an option: a program's name may begin with a dash."""
    os.symlink(programs["static"], tool.path("-x"))
    for words in (["--", "-x", "-q"], ["-q", "--", "-x", "-q"]):
        image = tool.path("dash.img")
        tool.ok("build", "-o", image, *words, cwd=tool.folder)
        assert b"command   -x -q\n" in tool.ok("inspect", image).stdout
    tool.fails(125, "run", "--", text="no SOURCE given")


def test_environment_files(tool, programs):
    for text, line in (("A=1\n=2\n", "line 2 has no name"), ("A=1\n\nB=\0\n", "line 3 holds a zero byte")):
        tool.fails(125, "run", "--env-file", tool.write("env", text), programs["static"], text=line)


def test_more_arguments_than_fit(tool, programs):
    """The kernel reads 256 KiB of manifest; more is told here, not by a guest that finds none."""
    long = ["x" * 100000] * 3
    tool.fails(125, "run", programs["static"], *long, text="at most 262144 fit")
    tool.fails(125, "build", "-o", tool.path("long.img"), programs["static"], *long, text="at most 262144 fit")
    assert not os.path.exists(tool.path("long.img"))


def test_what_is_no_program(tool):
    tool.fails(126, "run", tool.write("empty", ""), text="it is empty")
    tool.fails(126, "run", tool.write("script", "#!/bin/sh\necho\n"), text=["it is a script", "-v .:/srv"])


def test_folders_that_do_not_say_enough(tool):
    for text, message in (("", "or as `command` under [program]"), ("hello\n", "remora.conf:1: neither [SECTION] nor NAME = VALUE"),
                          ("[machine]\ncpus = 200\n", "remora.conf:2: cpus = 200: give a number from 1 to 128")):
        tool.write("folder/remora.conf", text)
        tool.fails(125, "run", tool.path("folder"), text=message)


def test_what_is_no_kernel(tool, programs):
    text = "was to be the kernel, as --kernel says"
    for path in (programs["static"], tool.path("nothing")):
        tool.fails(125, "run", "--kernel", path, programs["static"], text=text)


def test_volume_of_docker(tool, programs):
    """:rw is what there is without it; a path with dots in its names is none that leads up."""
    write_kernel(tool.kernel, IMAGE_FEATURE_9P)
    tool.ok("run", "-v", f"{tool.folder}:/x:rw", programs["static"], guest="exit 0")
    tool.ok("run", "-v", f"{tool.folder}:/..x/.y", programs["static"], guest="exit 0")


@pytest.mark.parametrize("command", ["run", "build", "inspect", "check", "ps", "logs", "stop", "rm", "cache"])
def test_help(tool, command):
    """`help COMMAND` and `COMMAND --help` are the same, begin with the usage and fit a terminal."""
    shown = tool.ok("help", command).stdout.decode()
    assert shown.startswith(f"usage: remora {command} ") and len(shown.splitlines()) >= 3
    assert tool.ok(command, "--help").stdout.decode() == shown
    assert max(map(len, shown.splitlines())) <= 80, shown


@pytest.mark.parametrize("words", [["--help"], ["help", "run"], ["cache", "ls"], ["ps"], ["version"]])
def test_output_that_cannot_be_written(tool, words):
    with open("/dev/full", "wb") as full:
        run = subprocess.run([tool.remora, *words], env=tool.environment, stdout=full, stderr=subprocess.PIPE, timeout=20)
    assert (run.returncode, run.stderr) == (125, b"remora: standard output: No space left on device\n")


@pytest.mark.parametrize("closed", ["0<&-", "2>&-", "0<&- 2>&-"])
def test_closed_streams(tool, programs, closed):
    """A descriptor that the caller closed is not taken for one that the command opened."""
    shell = f'exec "$0" run "$1" {closed}'
    run = subprocess.run(["sh", "-c", shell, tool.remora, programs["static"]], timeout=20, capture_output=True,
                         env=dict(tool.environment, FAKE_GUEST="cat" if "0" in closed else "stderr"))
    assert run.returncode == 0, run.stderr
    assert run.stdout == (b"" if "0" in closed else b"to output\n")


def test_closed_output(tool, programs):
    run = subprocess.run(["sh", "-c", 'exec "$0" run "$1" >&-', tool.remora, programs["static"]], timeout=20,
                         capture_output=True, env=dict(tool.environment, FAKE_GUEST="stderr"))
    assert run.returncode == 125 and b"writing the program's output: Bad file descriptor" in run.stderr


def test_udp_without_out(tool, programs):
    """QEMU's restrict=on drops answers by UDP."""
    write_kernel(tool.kernel, IMAGE_FEATURE_NETWORK)
    warned = tool.ok("run", "-p", "0:53/udp", programs["static"], guest="exit 0").stderr
    assert b"warning: -p 0:53/udp: " in warned and b"add --net user,out" in warned
    assert b"warning" not in tool.ok("run", "-p", "0:53/udp", "--net", "user,out", programs["static"], guest="exit 0").stderr


def test_qemu_that_does_not_start(tool, programs):
    qemu = tool.write("qemu", "#!/bin/sh\necho unable to find CPU model >&2\nexit 1\n", 0o755)
    tool.fails(125, "run", "--cpu", "foo", programs["static"], environment={"REMORA_QEMU": qemu},
               text=["remora: unable to find CPU model\n", "QEMU did not start the machine, for the reason above"])


# apt-get and dpkg-deb are played from here on, so that their failures can be had.

APT = """#!/bin/sh
echo "$$" >>"$LOG.pids"
echo "$*" >>"$LOG"
case "$*" in
*update*) {update} ;;
*--simulate*) {simulate} ;;
*--download-only*) {download} ;;
esac
"""


def play_apt(tool, update="true", simulate="true", download="true", madison="true"):
    tool.write("bin/apt-get", APT.format(update=update, simulate=simulate, download=download), 0o755)
    tool.write("bin/apt-cache", f"#!/bin/sh\n{madison}\n", 0o755)
    tool.environment.update(PATH=tool.path("bin") + ":" + os.environ["PATH"], LOG=tool.path("log"))


def test_full_disk(tool):
    """apt's attempts are not repeated, and the disk is named."""
    full = "echo 'E: Failed to fetch x  Error writing to file - write (28: No space left on device)' >&2; exit 100"
    play_apt(tool, update=full)
    tool.fails(125, "run", "deb:a", text=["the disk is full", f"MiB are free in {tool.cache}/remora", "XDG_CACHE_HOME"])
    assert open(tool.path("log")).read().count("update") == 1
    play_apt(tool, simulate="echo 'Inst a (1 Debian [arm64])'", download=full)
    tool.fails(125, "run", "deb:a", text="the disk is full")
    assert open(tool.path("log")).read().count("--download-only") == 1


def test_disk_too_small_for_the_lists(tool):
    """apt waits for ever on a disk that fills while it fetches them, so it is not asked."""
    cache = tool.path("small")
    os.mkdir(cache)
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=2m", "none", cache], capture_output=True).returncode:
        pytest.skip("mounting takes root")
    try:
        play_apt(tool)
        tool.fails(125, "run", "deb:a", environment={"XDG_CACHE_HOME": cache}, text=["the disk is full", f"are free in {cache}"])
        assert not os.path.exists(tool.path("log"))
    finally:
        subprocess.run(["umount", cache], check=True)


def test_versions(tool):
    play_apt(tool, simulate="echo \"E: Version '9' for 'a' was not found\" >&2; exit 100",
             madison="echo '  a | 1.6-2.1 | http://x'; echo '  a | 1.5 | http://x'")
    tool.fails(125, "run", "deb:a=9", text=["package a: the versions in the system's apt sources are 1.6-2.1 1.5\n"])
    play_apt(tool, simulate="echo ' a : Depends: liba (= 1) but 2 is to be installed'; exit 100")
    tool.fails(125, "run", "deb:a=1", text=["apt: a : Depends: liba (= 1) but 2 is to be installed", "deb:NAME=VERSION,OTHER=VERSION"])


def test_progress(tool):
    """On a terminal apt's own progress is shown in one line."""
    import pexpect
    play_apt(tool, simulate="echo 'Inst a (1 Debian [arm64])'",
             download="echo; echo 'dlstatus:1:12.5:Retrieving file 1 of 3 (1min 2s remaining)'; sleep 1; exit 100")
    run = pexpect.spawn(tool.remora, ["run", "deb:a"], env=tool.environment, timeout=20)
    run.expect_exact("1 packages: 12 %, file 1 of 3 (1min 2s remaining)")
    run.sendintr()
    run.expect(pexpect.EOF)
    run.close()
    assert run.signalstatus == signal.SIGINT


def test_killed_while_apt_runs(tool):
    """No apt goes on by itself when the command is killed."""
    play_apt(tool, update="exec sleep 60")
    run = subprocess.Popen([tool.remora, "run", "deb:a"], env=tool.environment)
    until = time.monotonic() + 10
    while not os.path.exists(tool.path("log")) and time.monotonic() < until:
        time.sleep(0.05)
    run.kill()
    run.wait()
    process = int(open(tool.path("log.pids")).read())
    while os.path.exists(f"/proc/{process}") and time.monotonic() < until:
        if re.search(r"^State:\s+Z", open(f"/proc/{process}/status").read(), re.M):
            break  # dead, and nobody here to be told
        time.sleep(0.05)
    else:
        assert not os.path.exists(f"/proc/{process}")


def test_interrupted_while_writing(tool, programs):
    """What there is of an image is taken away; 3 GiB of it are long enough to be seen."""
    big = tool.path("src/app/big")
    os.makedirs(os.path.dirname(big))
    with open(big, "wb") as out:
        out.truncate(3 << 30)
    tool.write("src/remora.conf", f"[program]\ncommand = /app/hello\n[files]\n/app = app\n/app/hello = {programs['static']}\n")
    os.mkdir(tool.path("out"))
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        run = subprocess.Popen([tool.remora, "build", tool.path("src"), "-o", tool.path("out/x.img")],
                               env=tool.environment, stderr=subprocess.PIPE)
        until = time.monotonic() + 20
        while not os.listdir(tool.path("out")) and run.poll() is None and time.monotonic() < until:
            time.sleep(0.01)
        assert run.poll() is None, run.stderr.read()
        run.send_signal(number)
        assert run.wait(timeout=20) == -number
        assert os.listdir(tool.path("out")) == []
