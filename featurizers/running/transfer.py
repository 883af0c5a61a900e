"""Between the host's arrays and the device's tensors; on CUDA through pinned memory, so that the copies run
beside the arithmetic."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor


def upload(array: npt.NDArray[Any], device: str) -> Tensor:
    """A copy of the array on the device."""
    if device.startswith("cuda"):
        return torch.tensor(array, pin_memory=True).to(device, non_blocking=True)
    return torch.tensor(array, device=device)


def download(tensor: Tensor) -> Callable[[], npt.NDArray[np.float16]]:
    """Begins to bring a tensor to the host as float16; what is given back waits for it.

    Raises (when waited for):
        ValueError: a value that is not finite in float16.
    """
    half = tensor.to(torch.float16)
    arrived: torch.cuda.Event | None = None
    if half.is_cuda:
        host = torch.empty(half.shape, dtype=torch.float16, pin_memory=True)
        host.copy_(half, non_blocking=True)
        arrived = torch.cuda.current_stream(half.device).record_event()
    else:
        host = half.cpu()

    def wait() -> npt.NDArray[np.float16]:
        if arrived is not None:
            arrived.synchronize()
        if not torch.isfinite(host).all():
            raise ValueError("features are not finite in float16; try --dtype float32")
        return np.asarray(host.numpy(), np.float16)

    return wait
