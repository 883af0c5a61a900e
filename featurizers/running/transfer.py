"""Between the host's arrays and the device's tensors; on CUDA through pinned memory and on streams of their
own, one a direction, so that the copies run beside the arithmetic."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor


def upload(rows: Sequence[npt.NDArray[Any]], shape: tuple[int, ...], device: str) -> Tensor:
    """`shape` on the device: each row from the beginning of its place, zeros after it.

    Args:
        rows: at most shape[0], of one dtype; each at most shape[1] long.
    """
    cuda = device.startswith("cuda")
    number = torch.from_numpy(rows[0][:0].copy()).dtype
    host = torch.empty(shape, dtype=number, pin_memory=cuda)
    for place, row in zip(host.numpy(), rows, strict=False):
        place[: len(row)] = row
        place[len(row) :] = 0
    host[len(rows) :] = 0
    if not cuda:
        return host.to(device)
    copies, arithmetic = _stream(device, "in"), torch.cuda.current_stream(device)
    with torch.cuda.stream(copies):
        there = host.to(device, non_blocking=True)
    arithmetic.wait_stream(copies)
    there.record_stream(arithmetic)
    return there


def download(tensor: Tensor) -> Callable[[], npt.NDArray[np.float16]]:
    """Begins to bring a tensor to the host as float16; what is given back waits for it.

    Raises (when waited for):
        ValueError: a value that is not finite in float16.
    """
    half = tensor.to(torch.float16)
    finite = torch.isfinite(half).all()
    arrived: torch.cuda.Event | None = None
    if half.is_cuda:
        copies = _stream(str(half.device), "out")
        copies.wait_stream(torch.cuda.current_stream(half.device))
        with torch.cuda.stream(copies):
            half, finite = _to_host(half), _to_host(finite)
            arrived = copies.record_event()

    def wait() -> npt.NDArray[np.float16]:
        if arrived is not None:
            arrived.synchronize()
        if not finite:
            raise ValueError("features are not finite in float16; try --dtype float32")
        return np.asarray(half.cpu().numpy(), np.float16)

    return wait


def _to_host(tensor: Tensor) -> Tensor:
    """A copy in pinned memory, on its way on the current stream."""
    host = torch.empty(tensor.shape, dtype=tensor.dtype, pin_memory=True)
    host.copy_(tensor, non_blocking=True)
    tensor.record_stream(torch.cuda.current_stream(tensor.device))
    return host


@functools.cache
def _stream(device: str, direction: str) -> torch.cuda.Stream:
    return torch.cuda.Stream(device)  # type: ignore[no-untyped-call]
