"""Which device and which number format an encoder runs in; torch is asked only where it has to be."""

from __future__ import annotations

import platform
import sys
from pathlib import Path

from featurizers.errors import ModelUnavailable
from featurizers.featurizer import Arithmetic

NAMES = ("float32", "bfloat16", "float16")
# NVIDIA's driver (the last two: Jetson's), AMD's, and WSL's.
_DRIVERS = (
    "/proc/driver/nvidia",
    "/dev/nvidiactl",
    "/dev/nvmap",
    "/dev/nvhost-ctrl",
    "/dev/kfd",
    "/dev/dxg",
)
_CPUINFO = Path("/proc/cpuinfo")


def choose(device: str = "auto", dtype: str = "auto", gpu_workers: bool = False) -> Arithmetic:
    """The fastest arithmetic that this machine has, or the one that was asked for.

    With `gpu_workers` the work is done on other machines, which have NVIDIA GPUs: `auto` is "cuda", and no
    CUDA device need be here.

    `auto` is float16 on CUDA and Apple GPUs; bfloat16 on CPUs that multiply it in hardware (AMX,
    AVX512-BF16: measured at 1.9 times float32 on an AMD EPYC, 3.6 times with AMX); else float32.

    Raises:
        ModelUnavailable: a name that is not one of the choices, or a device that this machine lacks.
    """
    device = "cuda" if gpu_workers and device in ("auto", "cuda") else _device(device)
    if dtype == "auto":
        dtype = _fastest(device)
    if dtype not in NAMES:
        raise ModelUnavailable(f"unknown dtype {dtype!r}: choose auto, {', '.join(NAMES)}")
    if dtype == "float16" and device == "cpu":
        raise ModelUnavailable("float16 is slow and imprecise on a CPU: choose auto, bfloat16 or float32")
    return Arithmetic(device, dtype)


def _device(name: str) -> str:
    if name == "cpu" or (name == "auto" and surely_no_accelerator()):
        return "cpu"
    kind, _, index = name.partition(":")
    if name not in ("auto", "mps") and not (kind == "cuda" and (not index or index.isdecimal())):
        raise ModelUnavailable(f"unknown device {name!r}: choose auto, cpu, cuda, cuda:N or mps")
    import torch

    if name == "auto":
        if torch.cuda.is_available():
            return "cuda"
        return "mps" if torch.backends.mps.is_available() else "cpu"
    if name == "mps" and not torch.backends.mps.is_available():
        raise ModelUnavailable("no device 'mps' on this machine; try auto")
    if kind == "cuda" and int(index or 0) >= torch.cuda.device_count():
        found = torch.cuda.device_count()
        raise ModelUnavailable(f"no device {name!r}: this machine has {found} CUDA devices; try auto")
    return name


def surely_no_accelerator() -> bool:
    """Whether torch need not be asked: Linux, without the driver of any."""
    return sys.platform == "linux" and not any(Path(driver).exists() for driver in _DRIVERS)


def _fastest(device: str) -> str:
    if device != "cpu":
        return "float16"
    return "bfloat16" if cpu_multiplies_bfloat16() else "float32"


def cpu_multiplies_bfloat16() -> bool:
    """Whether bfloat16 matrix products are instructions of this CPU (AMX or AVX512-BF16)."""
    known = _kernel_says_bfloat16()
    if known is not None:
        return known
    import torch

    return bool(torch.cpu._is_amx_tile_supported() or torch.cpu._is_avx512_bf16_supported())


def _kernel_says_bfloat16() -> bool | None:
    """None: the kernel is too old to know these instructions, or there is no such file."""
    if not _CPUINFO.is_file():
        return None
    for line in _CPUINFO.read_text(encoding="utf-8", errors="replace").splitlines():
        label, _, flags = line.partition(":")
        if label.strip() == "flags":
            if {"amx_tile", "avx512_bf16"} & set(flags.split()):
                return True
            # AVX512-BF16 is listed since Linux 5.3, AMX since 5.16.
            return False if int(platform.release().partition(".")[0]) >= 6 else None
    return None
