"""Tensors of a checkpoint by name, read when they are asked for."""

from __future__ import annotations

import functools
import pickle
import zipfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor

from featurizers.errors import ModelUnavailable
from featurizers.running.checkpoints import folder, weight_files


class Tensors(Protocol):
    """Weights by name and shape."""

    def __call__(self, name: str, *shape: int) -> Tensor:
        """float32 `shape`, on the CPU.

        Raises:
            ModelUnavailable: there is no such tensor, or it has another shape.
        """
        ...


def part(name: str) -> tuple[str, str]:
    """Prefixes of a part of BLIP-2 or InstructBLIP: as saved, or with the model inside another."""
    return name, f"model.{name}"


def fitting(model: str, name: str, tensor: Tensor | None, shape: tuple[int, ...]) -> Tensor:
    """The tensor in float32.

    Raises:
        ModelUnavailable: there is none, or it has another shape than `shape` or holds no floats.
    """
    if tensor is None:
        raise ModelUnavailable(f"{model!r} lacks {name}")
    if tuple(tensor.shape) != shape or not tensor.is_floating_point():
        kind = str(tensor.dtype).removeprefix("torch.")
        found, wanted = list(tensor.shape), list(shape)
        raise ModelUnavailable(f"{model!r}: {name} is {kind} {found}, the configuration wants {wanted}")
    return tensor.float()


@dataclass(frozen=True)
class StateTensors:
    """A state dict's part: what follows `prefix`. `model` is what messages call it."""

    model: str
    state: Mapping[str, Tensor]
    prefix: str

    def __call__(self, name: str, *shape: int) -> Tensor:
        """As `Tensors` has it."""
        full = self.prefix + name
        return fitting(self.model, full, self.state.get(full), shape)


class CheckpointTensors:
    """One part of a transformers checkpoint: what follows the first of `prefixes` that occurs in it.

    Raises:
        ModelUnavailable: the files cannot be found or read, or hold no such part.
    """

    def __init__(self, model: str, prefixes: Sequence[str]) -> None:
        self.model = model
        with _one_line(model):
            self._read = {name: read for path in weight_files(folder(model)) for name, read in _opened(path)}
        found = [prefix for prefix in prefixes if any(name.startswith(prefix) for name in self._read)]
        if not found:
            raise ModelUnavailable(f"{model!r} has no weights named {prefixes[0]}")
        self.prefix = found[0]

    def __call__(self, name: str, *shape: int) -> Tensor:
        """As `Tensors` has it."""
        full = self.prefix + name
        return fitting(self.model, full, self._tensor(full) if full in self._read else None, shape)

    def everything(self) -> dict[str, Tensor]:
        """Every tensor of the part, float32, by its name after the prefix."""
        return {
            name.removeprefix(self.prefix): self._tensor(name).float()
            for name in self._read
            if name.startswith(self.prefix)
        }

    def _tensor(self, full: str) -> Tensor:
        with _one_line(self.model):
            return self._read[full]()


def check_readable(model: str) -> None:
    """Opens a checkpoint's files; of their tensors it reads none.

    Raises:
        ModelUnavailable: they are cut short, or are none.
    """
    with _one_line(model):
        for path in weight_files(folder(model)):
            for _ in _opened(path):
                pass


def _opened(path: Path) -> Iterator[tuple[str, Callable[[], Tensor]]]:
    if path.suffix == ".safetensors":
        tensors: Any = safe_open(path, framework="pt")
        for name in tensors.keys():  # noqa: SIM118 - not a dict
            yield name, functools.partial(tensors.get_tensor, name)
        return
    for name, tensor in unpickled(path).items():
        if isinstance(tensor, Tensor):
            yield name, functools.partial(_same, tensor)


def unpickled(path: Path) -> dict[str, Any]:
    """A file of torch.save, on the CPU and mapped where that can be; nothing in it is run.

    Raises:
        ModelUnavailable: no dict of plain tensors.
    """
    try:
        # Files from before torch 1.6 are no zip archives and cannot be mapped.
        loaded = torch.load(path, map_location="cpu", weights_only=True, mmap=zipfile.is_zipfile(path))
    except pickle.UnpicklingError as error:  # its text recommends to run what is in the file
        raise ModelUnavailable(f"{path} is not a PyTorch checkpoint of plain tensors") from error
    except Exception as error:  # torch raises whatever a broken file makes it raise
        detail = (str(error).strip().splitlines() or [type(error).__name__])[0]
        raise ModelUnavailable(f"{path} is not a PyTorch checkpoint of plain tensors: {detail}") from error
    if not isinstance(loaded, dict):
        raise ModelUnavailable(f"{path} is not a PyTorch checkpoint: it holds no tensors by name")
    return loaded


def _same(tensor: Tensor) -> Tensor:
    return tensor


@contextmanager
def _one_line(model: str) -> Iterator[None]:
    try:
        yield
    except ModelUnavailable:  # a ValueError itself
        raise
    except (OSError, ValueError, SafetensorError) as error:
        detail = (str(error).strip().splitlines() or [type(error).__name__])[0]
        raise ModelUnavailable(f"{model!r} cannot be read: {detail}") from error
