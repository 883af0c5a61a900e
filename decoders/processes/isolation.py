"""A decoder may do nothing but decode: what a worker gives up before it reads the first byte of a file.

Two locks, each of which keeps files and sockets from being opened: Landlock rules, and a filter of system
calls. docs/security.md lists what is left to each decoder.
"""

from __future__ import annotations

import ctypes
import errno
import os
import resource
import sys
from collections.abc import Iterable, Iterator, Mapping
from enum import StrEnum
from glob import glob
from pathlib import Path

from decoders.limits import Limits
from decoders.processes import system_calls
from decoders.processes.system_calls import LIBC

SWITCH = "FAVOR_DATA_ISOLATION"  # "off": for whoever must look into a decoder with a debugger
OPEN_FILES = 512

# What Python, its libraries and a GPU's driver want to know. Everything else, keys and tokens, stays outside.
_KEPT = {
    "HOME", "LANG", "LANGUAGE", "LD_LIBRARY_PATH", "PATH", "TMPDIR", "TZ", "VIRTUAL_ENV", "CUDA_HOME",
    "CUDA_PATH", "CUDA_VISIBLE_DEVICES", "CUDA_DEVICE_ORDER", "NVIDIA_VISIBLE_DEVICES",
    "NVIDIA_DRIVER_CAPABILITIES", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "ONEDNN_MAX_CPU_ISA", SWITCH,
}  # fmt: skip
_KEPT_BEGINNINGS = ("LC_", "PYTHON", "MALLOC_")

_PR_SET_NO_NEW_PRIVS = 38
_CREATE_RULESET, _ADD_RULE, _RESTRICT_SELF = 444, 445, 446  # the same on every machine
_VERSION, _PATH_BENEATH = 1, 1
_EXECUTE, _WRITE, _READ, _LIST = 1 << 0, 1 << 1, 1 << 2, 1 << 3
_DEVICE = 1 << 15
# By version of Landlock: how many kinds of access to files, to TCP, and of reaching out it knows.
_FILE_RIGHTS = {1: 13, 2: 14, 3: 15, 4: 15}
_NEWEST_FILE_RIGHTS = 16
_LIBRARIES = ("/usr", "/lib", "/lib64", "/opt", "/proc", "/sys", "/etc/ld.so.cache")
_GPUS = ("/dev/nvidia*", "/dev/nvidia-caps/*", "/dev/dxg")


class Level(StrEnum):
    """How much of it holds: both locks, one, none."""

    ON = "on"
    IN_PART = "in part"
    OFF = "off"


def environment(given: Mapping[str, str]) -> dict[str, str]:
    """What of it a decoder may see."""
    return {
        name: value for name, value in given.items() if name in _KEPT or name.startswith(_KEPT_BEGINNINGS)
    }


def lower_limits(limits: Limits) -> None:
    """No more memory than allowed, few files, none written, no core dumps."""
    status = Path("/proc/self/status")
    if status.exists():
        held = next(
            int(line.split()[1]) for line in status.read_text().splitlines() if line.startswith("VmData:")
        )
        _lower(resource.RLIMIT_DATA, held * 1024 + limits.memory_bytes)
    _lower(resource.RLIMIT_NOFILE, OPEN_FILES)
    _lower(resource.RLIMIT_FSIZE, 0)
    _lower(resource.RLIMIT_CORE, 0)


def _lower(which: int, most: int) -> None:
    _, hard = resource.getrlimit(which)
    least = most if hard == resource.RLIM_INFINITY else min(most, hard)
    resource.setrlimit(which, (least, least))


def enter(decoder: str, file: int) -> tuple[Level, str]:
    """Give up, for good, all that `decoder` does not need.

    Args:
        decoder: pyav may open nothing; decord the file that it is given; nvdec its GPU and libraries.
        file: a descriptor of the file that decord opens by its name.

    Returns:
        What holds from now on, and the words for it.
    """
    if os.environ.get(SWITCH) == "off":
        return Level.OFF, f"{SWITCH}=off"
    if sys.platform != "linux":
        return Level.OFF, "only Linux has it"
    LIBC.prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
    if decoder == "nvdec":
        rules: Iterable[tuple[int, int]] = _of_gpu()
        calls = system_calls.driving()
    elif decoder == "decord":
        rules, calls = [(file, _READ)], system_calls.decoding(system_calls.OPENING)
    else:
        rules, calls = [], system_calls.decoding()
    held, said = 0, []
    try:
        said.append(f"Landlock {_landlock(rules)}")
        held += 1
    except OSError as error:
        said.append(f"no Landlock ({_why(error)})")
    try:
        system_calls.install(*calls)
        said.append("system calls filtered")
        held += 1
    except OSError as error:
        said.append(f"system calls not filtered ({_why(error)})")
    return (Level.OFF, Level.IN_PART, Level.ON)[held], ", ".join(said)


def _why(error: OSError) -> str:
    if error.errno == errno.ENOSYS:
        return "the kernel has none"
    if error.errno == errno.EOPNOTSUPP:
        return "the kernel has it switched off"
    return str(error.strerror)


def landlock_version() -> int:
    """Of this kernel.

    Raises:
        OSError: it has none (ENOSYS), or not switched on (EOPNOTSUPP), or a container forbids it.
    """
    return _checked(LIBC.syscall(_CREATE_RULESET, None, ctypes.c_size_t(0), ctypes.c_uint32(_VERSION)))


def _checked(result: int) -> int:
    if result < 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
    return result


def _landlock(rules: Iterable[tuple[int, int]]) -> int:
    """Forbids all that this version can forbid, but for `rules`: (descriptor, access)."""
    version = landlock_version()
    files = (1 << _FILE_RIGHTS.get(version, _NEWEST_FILE_RIGHTS)) - 1
    asked = (ctypes.c_uint64 * 3)(files, 0b11 if version >= 4 else 0, 0b11 if version >= 6 else 0)
    size = ctypes.c_size_t(8 if version < 4 else 16 if version < 6 else 24)
    ruleset = _checked(LIBC.syscall(_CREATE_RULESET, asked, size, ctypes.c_uint32(0)))
    try:
        for descriptor, access in rules:
            rule = _PathBeneath(access & files, descriptor)
            _checked(LIBC.syscall(_ADD_RULE, ruleset, _PATH_BENEATH, ctypes.byref(rule), ctypes.c_uint32(0)))
        _checked(LIBC.syscall(_RESTRICT_SELF, ruleset, ctypes.c_uint32(0)))
    finally:
        os.close(ruleset)
    return version


class _PathBeneath(ctypes.Structure):
    """struct landlock_path_beneath_attr."""

    _pack_ = 1
    _fields_ = (("access", ctypes.c_uint64), ("descriptor", ctypes.c_int32))


def _of_gpu() -> Iterator[tuple[int, int]]:
    given = os.environ.get("LD_LIBRARY_PATH", "").split(os.pathsep)
    for path in (*_LIBRARIES, *filter(None, given)):
        yield from _rule(path, _READ | _EXECUTE | (_LIST if Path(path).is_dir() else 0))
    for pattern in _GPUS:
        for path in glob(pattern):  # noqa: PTH207
            if not Path(path).is_dir():
                yield from _rule(path, _READ | _WRITE | _DEVICE)


def _rule(path: str, access: int) -> Iterator[tuple[int, int]]:
    try:
        descriptor = os.open(path, os.O_PATH | os.O_CLOEXEC)
    except OSError:
        return
    try:
        yield descriptor, access
    finally:
        os.close(descriptor)
