"""How many cores this process may use: one count for decoders, encoders and whatever else makes threads."""

from __future__ import annotations

import math
import os
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path, PurePosixPath

_GROUPS, _MOUNT = Path("/proc/self/cgroup"), Path("/sys/fs/cgroup")


def cores() -> int:
    """Those of its affinity, and no more than its cgroups' quotas pay for, parts rounded up as Go does;
    on systems that know neither, all of the machine's."""
    try:
        allowed = len(os.sched_getaffinity(0))
    except AttributeError:  # macOS
        allowed = os.cpu_count() or 1
    return max(1, min([allowed, *map(math.ceil, _quotas())]))


def _quotas() -> Iterator[float]:
    """Cores a second of its cgroup and of those around it; in a container the tree may begin at its own."""
    with suppress(OSError):
        for line in _GROUPS.read_text(encoding="utf-8").splitlines():
            _, controllers, name = line.split(":", 2)
            if controllers and "cpu" not in controllers.split(","):
                continue
            inside = PurePosixPath(name.lstrip("/"))
            for folder in (_MOUNT / controllers / part for part in (inside, *inside.parents)):
                with suppress(OSError, ValueError, ZeroDivisionError):
                    yield _version_1(folder) if controllers else _version_2(folder)


def _version_2(group: Path) -> float:
    """Raises ValueError for no limit ("max 100000")."""
    quota, period = (group / "cpu.max").read_text(encoding="ascii").split()
    return int(quota) / int(period)


def _version_1(group: Path) -> float:
    """Raises ValueError for no limit (-1)."""
    quota, period = (
        int((group / f"cpu.cfs_{name}_us").read_text(encoding="ascii")) for name in ("quota", "period")
    )
    if quota < 0:
        raise ValueError("no limit")
    return quota / period
