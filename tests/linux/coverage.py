#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Writes tests/linux/coverage from the checks: which system calls, flags and errnos they look at.

    tests/linux/coverage.py [--check]       --check: fails when the list is old or a call of the kernel's
                                            table (kernel/linux/abi64/syscalls.c) has no check at all

A check is read as text: the calls in it (library names stand for the system call that glibc makes), the
constants among their arguments, and the errno of an EXPECT_ERR.
"""
import collections
import glob
import os
import re
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
TABLE = os.path.join(HERE, '../../kernel/linux/abi64/syscalls.c')
LIST = os.path.join(HERE, 'coverage')

# The library's name -> the call's, where they differ on arm64.
NAMES = dict(pair.split('=') for pair in '''
open=openat stat=newfstatat lstat=newfstatat fstatat=newfstatat mkdir=mkdirat rmdir=unlinkat unlink=unlinkat
link=linkat symlink=symlinkat rename=renameat mknod=mknodat mkfifo=mknodat chmod=fchmodat chown=fchownat lchown=fchownat
access=faccessat readlink=readlinkat futimens=utimensat dup2=dup3 pipe=pipe2 eventfd=eventfd2 epoll_wait=epoll_pwait
poll=ppoll select=pselect6 pselect=pselect6 pread=pread64 pwrite=pwrite64 signalfd=signalfd4 send=sendto
recv=recvfrom sigaction=rt_sigaction signal=rt_sigaction handle=rt_sigaction sigprocmask=rt_sigprocmask
pthread_sigmask=rt_sigprocmask block=rt_sigprocmask sigpending=rt_sigpending sigsuspend=rt_sigsuspend pause=ppoll
sigtimedwait=rt_sigtimedwait sigwaitinfo=rt_sigtimedwait sigqueue=rt_sigqueueinfo raise=tgkill pthread_kill=tgkill
alarm=setitimer usleep=clock_nanosleep pthread_create=clone3 pthread_join=futex
pthread_mutex_lock=futex pthread_cond_wait=futex getrlimit=prlimit64 setrlimit=prlimit64 posix_fadvise=fadvise64
sync_file_range=sync_file_range statfs=statfs gethostname=uname readdir=getdents64 opendir=openat exit=exit_group
_exit=exit_group fexecve=execveat waitpid=wait4 time=gettimeofday creat=openat posix_fallocate=fallocate
timer_getoverrun=timer_getoverrun getegid=getegid nice=setpriority sched_getcpu=getcpu siglongjmp=rt_sigprocmask
getresgid=getresgid list=getdents64 fresh=openat adjtimex=adjtimex setdomainname=setdomainname isatty=ioctl memfd_create=memfd_create
preadv=preadv pwritev=pwritev preadv2=preadv2 pwritev2=pwritev2 renameat2=renameat2 '''.split())
ALSO = {'renameat': ['renameat2']}
CONSTANT = re.compile(r'\b(?:O|PROT|MAP|MREMAP|MADV|MS|MCL|SA|SIG|SEEK|AT|F|LOCK|EPOLL|EFD|TFD|SFD|POLL|SOCK|MSG|SO|SHUT|CLONE|'
                      r'FUTEX|CLOCK|TIMER|ITIMER|RLIMIT|PR|GRND|FALLOC|STATX|XATTR|RENAME|SCHED|PRIO|RUSAGE|MFD|SS|W|SIGEV|RWF|'
                      r'UTIME|MPOL|POSIX_FADV|AF|SCM|P|LOCK)_?[A-Z][A-Z0-9_]*\b')
NOT_FLAGS = re.compile(r'^(PAGE|WNOHANG_|POLL$)')


def implemented():
    with open(TABLE) as file:
        return re.findall(r'\[__NR_(\w+)\]', file.read())


def checks():
    """(topic, name, text) of every check, and one a topic for what stands outside of checks."""
    for path in sorted(glob.glob(os.path.join(HERE, '*.c'))):
        topic = os.path.basename(path)[:-2]
        with open(path) as file:
            text = re.sub(r'//[^\n]*|/\*.*?\*/|"(?:\\.|[^"\\])*"', '', file.read(), flags=re.S)
        parts = re.split(r'^CHECK\((\w+)\)', text, flags=re.M)
        yield topic, None, parts[0]
        for name, body in zip(parts[1::2], parts[2::2]):
            yield topic, name, body


def arguments_at(text, start):
    """The text between the parentheses that open at start."""
    depth = 0
    for i in range(start, len(text)):
        depth += (text[i] == '(') - (text[i] == ')')
        if depth == 0:
            return text[start + 1:i]
    return text[start + 1:]


def calls_in(text, known):
    """(call, its arguments) for every system call that the text makes by any name."""
    for match in re.finditer(r'\b(\w+)\(', text):
        name, inside = match.group(1), arguments_at(text, match.end() - 1)
        if name == 'syscall':
            number = re.match(r'\s*SYS_(\w+)', inside)
            name = number.group(1) if number else ''
        name = name if name in known and name not in NAMES else NAMES.get(name, name)
        if name in known:
            yield name, inside
    for number in re.findall(r'\bSYS_(\w+)\b', text):
        if number in known:
            yield number, ''


def collect():
    known = set(implemented())
    found = {name: collections.defaultdict(set) for name in known}
    for topic, name, text in checks():
        for call, inside in calls_in(text, known):
            found[call]['topics'].add(topic)
            found[call]['flags'].update(c for c in CONSTANT.findall(inside) if not c.startswith('EXPECT'))
        for match in re.finditer(r'\bEXPECT_ERR\(', text):
            inside = arguments_at(text, match.end() - 1)
            errno = inside.rsplit(',', 1)[-1].strip()
            for call, _ in list(calls_in(inside, known))[:1]:
                found[call]['errnos'].add(errno)
    return found


def render(found):
    lines = ['# What the checks of tests/linux look at, by system call. Written by coverage.py; tests/run checks that it is true.',
             '# CALL: topics | flags and constants | errnos', '']
    for name in sorted(found):
        entry = found[name]
        lines.append('%s: %s | %s | %s' % (name, ' '.join(sorted(entry['topics'])) or 'none',
                                           ' '.join(sorted(entry['flags'])), ' '.join(sorted(entry['errnos']))))
    return re.sub(r' +$', '', '\n'.join(lines), flags=re.M) + '\n'


def main():
    found = collect()
    text = render(found)
    missing = sorted(name for name in found if not found[name]['topics'])
    errnos = sum(len(entry['errnos']) for entry in found.values())
    print('coverage: %d calls, %d without a check, %d pairs of call and errno' % (len(found), len(missing), errnos))
    if missing:
        print('coverage: found no check of: ' + ' '.join(missing))
    if '--check' in sys.argv[1:]:
        with open(LIST) as file:
            if file.read() != text:
                print('coverage: found tests/linux/coverage old, expected what coverage.py writes; run it')
                return 1
        return 1 if missing else 0
    with open(LIST, 'w') as file:
        file.write(text)
    return 0


if __name__ == '__main__':
    sys.exit(main())
