"""Cores that a process may use: its affinity, its cgroups' quotas, a system without either."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from decoders import cores as module
from decoders.cores import cores


@pytest.fixture(autouse=True)
def eight(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A process of eight cores and no cgroup."""
    monkeypatch.setattr(os, "sched_getaffinity", lambda pid: set(range(8)), raising=False)
    monkeypatch.setattr(module, "_GROUPS", tmp_path / "self")
    monkeypatch.setattr(module, "_MOUNT", tmp_path / "mount")


def group(tmp_path: Path, text: str, **limits: str) -> None:
    """The process is in `text`; limits by path, `__` for each slash."""
    (tmp_path / "self").write_text(text)
    for name, content in limits.items():
        path = tmp_path / "mount" / name.replace("__", "/")
        path.parent.mkdir(parents=True, exist_ok=True)
        (path.with_name(path.name.replace("cpu_", "cpu."))).write_text(content)


def test_affinity_alone() -> None:
    assert cores() == 8


@pytest.mark.parametrize(("quota", "expected"), [("200000", 2), ("150000", 2), ("50000", 1), ("max", 8)])
def test_a_quota_of_version_2(tmp_path: Path, quota: str, expected: int) -> None:
    group(tmp_path, "0::/pod/box\n", pod__box__cpu_max=f"{quota} 100000\n")
    assert cores() == expected


def test_the_narrowest_of_the_groups_around_it_holds(tmp_path: Path) -> None:
    group(tmp_path, "0::/pod/box\n", pod__cpu_max="300000 100000", pod__box__cpu_max="max 100000")
    assert cores() == 3


def test_a_quota_of_version_1_in_a_container(tmp_path: Path) -> None:
    """Its tree begins at its own group, under a path that it does not see."""
    text = "4:memory:/docker/a\n2:cpu,cpuacct:/docker/a\n0::/\n"
    cpu = {"cpu,cpuacct__cpu_cfs_quota_us": "250000", "cpu,cpuacct__cpu_cfs_period_us": "100000"}
    group(tmp_path, text, **cpu)
    assert cores() == 3
    group(tmp_path, text, **{"cpu,cpuacct__cpu_cfs_quota_us": "-1"})
    assert cores() == 8


def test_a_system_without_affinities_has_all_cores(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(os, "sched_getaffinity")
    monkeypatch.setattr(os, "cpu_count", lambda: 6)
    assert cores() == 6


def test_the_kernels_own_answer() -> None:
    """Nothing replaced, in a process that may use one core."""
    program = (
        "import os; from decoders.cores import cores; "
        "os.sched_setaffinity(0, {min(os.sched_getaffinity(0))}); print(cores())"
    )
    ended = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert ended.stdout.strip() == "1"
