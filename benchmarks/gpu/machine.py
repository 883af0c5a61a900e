"""What the machine has, and how fast it multiplies matrices."""

from __future__ import annotations

import ctypes
import os
import platform
import shutil
import statistics
import subprocess
import time
from collections.abc import Callable
from functools import partial
from typing import Any

import torch
import transformers

SIDE = {"cuda": 8192, "cpu": 512}  # of the square matrices
DTYPES = {"cuda": ("float16", "bfloat16"), "cpu": ("float32",)}


def seconds_a_call(run: Callable[[], Any], device: str, enough_s: float = 0.5, most: int = 200) -> float:
    """Median seconds of the device's time, after two calls to warm up."""
    run()
    run()
    taken: list[float] = []
    begun = time.perf_counter()
    while len(taken) < 3 or (time.perf_counter() - begun < enough_s and len(taken) < most):
        taken.append(_timed(run, device))
    return statistics.median(taken)


def _timed(run: Callable[[], Any], device: str) -> float:
    if device == "cpu":
        began = time.perf_counter()
        run()
        return time.perf_counter() - began
    before, after = (torch.cuda.Event(enable_timing=True) for _ in range(2))  # type: ignore[no-untyped-call]
    before.record()
    run()
    after.record()
    after.synchronize()
    return float(before.elapsed_time(after)) / 1e3


def peak_tflops(device: str) -> dict[str, float]:
    """TFLOP/s of one large product of random matrices, a dtype."""
    side, found = SIDE[device], {}
    for name in DTYPES[device]:
        a, b = (torch.randn(side, side, device=device).to(getattr(torch, name)) for _ in range(2))
        found[name] = 2e-12 * side**3 / seconds_a_call(partial(torch.matmul, a, b), device)
    return found


def copy_gb_s(device: str) -> dict[str, float]:
    """GB/s from pinned memory to the card, and back."""
    if device == "cpu":
        return {}
    here = torch.empty(1 << 28, dtype=torch.uint8, pin_memory=True)
    there = torch.empty_like(here, device=device)
    return {
        "to the card": 0.268 / seconds_a_call(lambda: there.copy_(here, non_blocking=True), device),
        "from the card": 0.268 / seconds_a_call(lambda: here.copy_(there, non_blocking=True), device),
    }


def describe(device: str) -> dict[str, Any]:
    """Card, driver, libraries."""
    found: dict[str, Any] = {
        "python": platform.python_version(),
        "torch": torch.__version__,
        "transformers": transformers.__version__,
        "cores": len(os.sched_getaffinity(0)),
        "processor": _processor(),
        "card": "none",
    }
    if device != "cpu":
        properties = torch.cuda.get_device_properties(0)
        found |= {
            "card": properties.name,
            "memory_gib": properties.total_memory / 2**30,
            "multiprocessors": properties.multi_processor_count,
            "driver": _nvidia_smi("driver_version"),
            "power_limit": _nvidia_smi("power.limit"),
            "libnvcuvid": _loads("libnvcuvid.so.1"),
            "driver_capabilities": os.environ.get("NVIDIA_DRIVER_CAPABILITIES", "not set"),
        }
    return found


def _processor() -> str:
    with open("/proc/cpuinfo", encoding="utf-8") as lines:  # noqa: PTH123
        names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.machine()


def _nvidia_smi(field: str) -> str:
    command = shutil.which("nvidia-smi")
    if command is None:
        return "unknown"
    asked = [command, f"--query-gpu={field}", "--format=csv,noheader"]
    return subprocess.run(asked, capture_output=True, text=True, check=False).stdout.strip()


def _loads(library: str) -> bool:
    try:
        ctypes.CDLL(library)
    except OSError:
        return False
    return True
