# SPDX-License-Identifier: MIT
"""Debian's arm64 packages for the tests: the oracle's kernel, and programs that must behave as they do on it.

apt works on a private state below ~/.cache/remora (by XDG), never on the system's: see apt.conf(5),
Dir::State. The system's sources and keys are used. No root is needed and no maintainer script runs.
"""
import contextlib
import fcntl
import functools
import glob
import os
import re
import shutil
import subprocess
import tempfile

CACHE = os.path.join(os.environ.get('XDG_CACHE_HOME') or os.path.expanduser('~/.cache'), 'remora', 'oracle')

APT_CONF = '''APT::Architecture "arm64";
APT::Architectures {{ "arm64"; }};
Dir::State::Lists "{s}/lists";
Dir::State::status "{s}/status";
Dir::Cache "{s}/cache";
APT::Install-Recommends "false";
APT::Sandbox::User "";
Debug::NoLocking "true";
'''


_depth = 0


@contextlib.contextmanager
def only_one():
    """One process at a time fills the cache: tests run in several. Nests within a process."""
    global _depth
    os.makedirs(CACHE, exist_ok=True)
    with open(os.path.join(CACHE, 'lock'), 'w') as lock:
        if _depth == 0:
            fcntl.flock(lock, fcntl.LOCK_EX)
        _depth += 1
        try:
            yield
        finally:
            _depth -= 1


def alone(function):
    """For functions that fill the cache."""
    @functools.wraps(function)
    def call(*arguments, **options):
        with only_one():
            return function(*arguments, **options)
    return call


@alone
def apt(*command):
    """Run an apt command on the private state, which is made when absent; its standard output."""
    state = os.path.join(CACHE, 'apt')
    config = os.path.join(state, 'apt.conf')
    environment = dict(os.environ, APT_CONFIG=config, LC_ALL='C')
    if not glob.glob(os.path.join(state, 'lists', '*Packages*')):
        for folder in ('lists/partial', 'cache/archives/partial'):
            os.makedirs(os.path.join(state, folder), exist_ok=True)
        with open(config, 'w') as file:
            file.write(APT_CONF.format(s=state))
        open(os.path.join(state, 'status'), 'w').close()
        subprocess.run(['apt-get', 'update', '-q'], env=environment, check=True, timeout=300,
                       stdout=subprocess.DEVNULL)
    return subprocess.run(command, env=environment, check=True, timeout=600, text=True,
                          stdout=subprocess.PIPE, cwd=state).stdout


@alone
def unpack(name, packages, closure=True):
    """A folder below the cache that holds `packages` (with all they depend on, unless not closure) unpacked."""
    root = os.path.join(CACHE, 'roots', name)
    stamp = os.path.join(root, '.packages')
    wanted = ' '.join(packages)
    if os.path.exists(stamp) and open(stamp).read() == wanted:
        return root
    shutil.rmtree(root, ignore_errors=True)
    os.makedirs(root)
    if closure:
        # The simulation names all packages; --print-uris would leave out those in the cache.
        plan = apt('apt-get', 'install', '-s', '-y', *packages)
        chosen = re.findall(r'^Inst (\S+) \((\S+) ', plan, re.M)
        apt('apt-get', 'install', '-y', '-qq', '--download-only', *packages)
        debs = [glob.glob(os.path.join(CACHE, 'apt/cache/archives',
                                       '%s_%s_*.deb' % (name, version.replace(':', '%3a'))))[0]
                for name, version in chosen]
    else:
        for package in packages:
            apt('apt-get', 'download', '-qq', package + ':arm64')
        debs = [max(glob.glob(os.path.join(CACHE, 'apt', p + '_*_a*.deb')), key=os.path.getmtime)
                for p in packages]
    for deb in debs:
        subprocess.run(['dpkg-deb', '-x', deb, root], check=True, timeout=120)
    with open(stamp, 'w') as file:
        file.write(wanted)
    return root


@alone
def kernel():
    """(path of Debian's uncompressed arm64 Image, its version), fetched at first use."""
    found = sorted(glob.glob(os.path.join(CACHE, 'roots/kernel/boot/vmlinuz-*')))
    if not found:
        depends = apt('apt-cache', 'depends', 'linux-image-arm64')
        package = re.search(r'Depends: (linux-image-\S+)', depends).group(1)
        root = unpack('kernel', [package], closure=False)
        shutil.rmtree(os.path.join(root, 'lib/modules'), ignore_errors=True)
        found = glob.glob(os.path.join(root, 'boot/vmlinuz-*'))
    image = found[-1]
    return image, kernel_version(image)


@alone
def modules(names):
    """Paths of the kernel's modules, which the package has and the unpacked tree does not."""
    image, _ = kernel()
    folder = os.path.join(CACHE, 'roots/kernel/modules')
    wanted = [os.path.join(folder, name + '.ko') for name in names]
    if all(map(os.path.exists, wanted)):
        return wanted
    os.makedirs(folder, exist_ok=True)
    version = os.path.basename(image).partition('-')[2]
    deb = max(glob.glob(os.path.join(CACHE, 'apt', 'linux-image-%s_*.deb' % version)), key=os.path.getmtime)
    with tempfile.TemporaryDirectory() as unpacked:
        subprocess.run(['dpkg-deb', '-x', deb, unpacked], check=True, timeout=120)
        for target in wanted:
            found, = glob.glob(os.path.join(unpacked, 'lib/modules/*/kernel/**', os.path.basename(target)), recursive=True)
            shutil.copy(found, target)
    return wanted


def kernel_version(image):
    """The 'Linux version' text inside an uncompressed Image, with Debian's own version at its end."""
    with open(image, 'rb') as file:
        data = file.read()
    text = re.search(rb"Linux version (\S+) [^\n]*SMP (Debian [0-9]\S*)", data)
    return b' '.join(text.groups()).decode() if text else os.path.basename(image)


@alone
def musl():
    """The folder of musl-dev:arm64 and musl:arm64, for compiling against."""
    return unpack('musl', ['musl-dev', 'musl'], closure=False)


if __name__ == '__main__':
    print('kernel %s\n       %s' % kernel())
    print('musl   %s' % musl())
