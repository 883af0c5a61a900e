"""Which system calls a decoder may make: a filter that the kernel runs before each (seccomp, classic BPF).

Numbers and structures: Linux's include/uapi (asm-generic/unistd.h, linux/seccomp.h, linux/filter.h).
"""

from __future__ import annotations

import ctypes
import errno
import os
import platform
from collections.abc import Iterable, Sequence

# By machine: AUDIT_ARCH_…, and the column of NUMBERS.
_MACHINES = {"x86_64": (0xC000003E, 0), "aarch64": (0xC00000B7, 1)}
NUMBERS = {
    # files that are open already, and connections
    "read": (0, 63), "write": (1, 64), "readv": (19, 65), "writev": (20, 66), "pread64": (17, 67),
    "lseek": (8, 62), "close": (3, 57), "dup": (32, 23), "dup3": (292, 24), "fcntl": (72, 25),
    "fstat": (5, 80), "newfstatat": (262, 79), "ioctl": (16, 29), "fadvise64": (221, 223),
    "recvmsg": (47, 212), "recvfrom": (45, 207), "sendmsg": (46, 211), "sendto": (44, 206),
    "shutdown": (48, 210), "getsockopt": (55, 209), "getsockname": (51, 204), "getpeername": (52, 205),
    "poll": (7, None), "ppoll": (271, 73), "select": (23, None), "pselect6": (270, 72), "pipe2": (293, 59),
    # memory
    "mmap": (9, 222), "munmap": (11, 215), "mprotect": (10, 226), "mremap": (25, 216), "madvise": (28, 233),
    "brk": (12, 214), "mincore": (27, 232), "membarrier": (324, 283),
    # threads, signals, time
    "futex": (202, 98), "clone": (56, 220), "clone3": (435, 435), "exit": (60, 93), "exit_group": (231, 94),
    "set_robust_list": (273, 99), "set_tid_address": (218, 96), "rseq": (334, 293), "prctl": (157, 167),
    "arch_prctl": (158, None), "sched_yield": (24, 124), "sched_getaffinity": (204, 123),
    "sched_getparam": (143, 121), "sched_getscheduler": (145, 120), "getcpu": (309, 168),
    "rt_sigaction": (13, 134), "rt_sigprocmask": (14, 135), "rt_sigreturn": (15, 139),
    "sigaltstack": (131, 132), "tgkill": (234, 131), "restart_syscall": (219, 128),
    "clock_gettime": (228, 113), "clock_getres": (229, 114), "clock_nanosleep": (230, 115),
    "nanosleep": (35, 101), "gettimeofday": (96, 169), "times": (100, 153),
    # what the process is
    "getpid": (39, 172), "gettid": (186, 178), "getppid": (110, 173), "getuid": (102, 174),
    "geteuid": (107, 175), "getgid": (104, 176), "getegid": (108, 177), "getrusage": (98, 165),
    "getrlimit": (97, 163), "prlimit64": (302, 261), "sysinfo": (99, 179), "uname": (63, 160),
    "getrandom": (318, 278),
    # only for some, or for none
    "openat": (257, 56), "readlinkat": (267, 78), "readlink": (89, None), "getcwd": (79, 17),
    "socket": (41, 198), "execve": (59, 221), "execveat": (322, 281), "fork": (57, None),
    "vfork": (58, None), "kill": (62, 129), "tkill": (200, 130), "ptrace": (101, 117),
    "process_vm_readv": (310, 270), "process_vm_writev": (311, 271), "pidfd_open": (434, 434),
    "pidfd_getfd": (438, 438), "pidfd_send_signal": (424, 424), "rt_sigqueueinfo": (129, 138),
    "rt_tgsigqueueinfo": (297, 240), "io_uring_setup": (425, 425), "bpf": (321, 280), "mount": (165, 40),
    "umount2": (166, 39), "unshare": (272, 97), "setns": (308, 268), "chroot": (161, 51),
    "pivot_root": (155, 41), "perf_event_open": (298, 241), "userfaultfd": (323, 282), "keyctl": (250, 219),
    "add_key": (248, 217), "request_key": (249, 218), "open_by_handle_at": (304, 265),
    "init_module": (175, 105), "finit_module": (313, 273), "kexec_load": (246, 104),
}  # fmt: skip
_SECCOMP = (317, 277)
_SIGNALS = ("kill", "tgkill")
_LIMITED = {"ioctl", "clone", "clone3", "prctl", "prlimit64", *_SIGNALS}
_NEVER = list(NUMBERS)[list(NUMBERS).index("socket") :]
OPENING = ("openat", "readlinkat", "readlink", "getcwd")
_DECODING = [name for name in NUMBERS if name not in {*_LIMITED, *_NEVER, *OPENING}]

_LOAD, _EQUAL, _ANY_BIT, _JUMP, _RETURN = 0x20, 0x15, 0x45, 0x05, 0x06
_NUMBER_AT, _MACHINE_AT, _ARGUMENTS_AT = 0, 4, 16  # in struct seccomp_data
_ALLOW, _FAIL, _KILL = 0x7FFF0000, 0x00050000, 0x80000000
_REFUSE, _UNKNOWN = _FAIL | errno.EPERM, _FAIL | errno.ENOSYS
_CLONE_THREAD, _AF_UNIX = 0x00010000, 1
_PR_SET_NAME, _PR_SET_VMA = 15, 0x53564D41
_TERMINAL, _NONBLOCKING, _CLOSE_ON_EXEC = 0x5401, 0x5421, 0x5451  # TCGETS, FIONBIO, FIOCLEX
_SET_FILTER, _ALL_THREADS, _NO_SPECULATION_GUARD = 1, 1, 4

LIBC = ctypes.CDLL(None, use_errno=True)  # before the fork: a worker's first look at it would cost more
Test = tuple[int, int, int]  # where in seccomp_data, how to compare, with what
Rule = tuple[str, Sequence[Test], int]


def _argument(which: int, equals: int) -> Test:
    return _ARGUMENTS_AT + 8 * which, _EQUAL, equals  # the lower half: both machines are little-endian


def decoding(also: Sequence[str] = ()) -> tuple[list[Rule], int]:
    """What decoding needs, and nothing else."""
    rules: list[Rule] = [(name, (), _ALLOW) for name in (*_DECODING, *also)]
    rules += [("ioctl", [_argument(1, one)], _ALLOW) for one in (_TERMINAL, _NONBLOCKING, _CLOSE_ON_EXEC)]
    rules += [("prctl", [_argument(0, one)], _ALLOW) for one in (_PR_SET_NAME, _PR_SET_VMA)]
    rules.append(("prlimit64", [_argument(2, 0), (_ARGUMENTS_AT + 20, _EQUAL, 0)], _ALLOW))  # reading alone
    return [*_threads(), *rules], _REFUSE


def driving() -> tuple[list[Rule], int]:
    """What a GPU's driver asks for is nobody's to list: all but processes, signals and the network."""
    rules: list[Rule] = [("socket", [_argument(0, _AF_UNIX)], _ALLOW)]
    return [*_threads(), *rules, *((name, (), _REFUSE) for name in _NEVER)], _ALLOW


def _threads() -> list[Rule]:
    """New threads and their signals, no new processes. glibc takes clone where clone3 is not known."""
    return [
        ("clone", [(_ARGUMENTS_AT, _ANY_BIT, _CLONE_THREAD)], _ALLOW),
        ("clone", (), _REFUSE),
        ("clone3", (), _UNKNOWN),
        *((name, [_argument(0, os.getpid())], _ALLOW) for name in _SIGNALS),
        *((name, (), _REFUSE) for name in _SIGNALS),
    ]


def install(rules: Iterable[Rule], otherwise: int) -> None:
    """For this process, all its threads, for good. It must have given up new privileges.

    Raises:
        OSError: the kernel refuses, or the machine's numbers are not known here.
    """
    if platform.machine() not in _MACHINES:
        raise OSError(errno.ENOTSUP, f"no list of system calls for {platform.machine()}")
    machine, column = _MACHINES[platform.machine()]
    program = [(_LOAD, 0, 0, _MACHINE_AT), (_EQUAL, 1, 0, machine), (_RETURN, 0, 0, _KILL)]
    plain: dict[int, list[int]] = {}  # action -> numbers that it is for, whatever the arguments
    for name, tests, action in rules:
        number = NUMBERS[name][column]
        if number is None:
            continue
        if tests or name in _LIMITED:
            program += _block([(_NUMBER_AT, _EQUAL, number), *tests], action)
        else:
            plain.setdefault(action, []).append(number)
    for action, numbers in plain.items():
        program += _any(numbers, action)
    program.append((_RETURN, 0, 0, otherwise))
    array = (_Instruction * len(program))(*(_Instruction(*one) for one in program))
    filtered = ctypes.byref(_Program(len(program), array))
    flags = ctypes.c_ulong(_ALL_THREADS | _NO_SPECULATION_GUARD)
    if LIBC.syscall(ctypes.c_long(_SECCOMP[column]), ctypes.c_ulong(_SET_FILTER), flags, filtered):
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))


def _block(tests: Sequence[Test], action: int) -> list[tuple[int, int, int, int]]:
    """Passes on to the next block unless all tests hold."""
    block = []
    for place, (at, compare, value) in enumerate(tests):
        left = 2 * (len(tests) - place - 1) + 1
        block += [(_LOAD, 0, 0, at), (compare, 0, left, value)]
    return [*block, (_RETURN, 0, 0, action)]


def _any(numbers: Sequence[int], action: int) -> list[tuple[int, int, int, int]]:
    """As blocks, one after another, of one number each would be; a third as long, and as quickly loaded."""
    tests = [(_EQUAL, len(numbers) - place, 0, number) for place, number in enumerate(numbers)]
    return [(_LOAD, 0, 0, _NUMBER_AT), *tests, (_JUMP, 0, 0, 1), (_RETURN, 0, 0, action)]


class _Instruction(ctypes.Structure):
    """struct sock_filter."""

    _fields_ = (
        ("code", ctypes.c_uint16),
        ("jump_true", ctypes.c_uint8),
        ("jump_false", ctypes.c_uint8),
        ("value", ctypes.c_uint32),
    )


class _Program(ctypes.Structure):
    """struct sock_fprog."""

    _fields_ = (("size", ctypes.c_ushort), ("instructions", ctypes.POINTER(_Instruction)))
