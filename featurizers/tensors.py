"""Tensors of a checkpoint by name, read when they are asked for."""

from __future__ import annotations

import functools
import zipfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Protocol

import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor

from featurizers.checkpoints import folder, weight_files
from featurizers.featurizer import ModelUnavailable


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
        if full not in self._read:
            raise ModelUnavailable(f"{self.model!r} lacks {full}")
        tensor = self._tensor(full)
        if tuple(tensor.shape) != shape or not tensor.is_floating_point():
            kind = str(tensor.dtype).removeprefix("torch.")
            raise ModelUnavailable(
                f"{self.model!r}: {full} is {kind} {list(tensor.shape)}, config.json wants {list(shape)}"
            )
        return tensor.float()

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


def _opened(path: Path) -> Iterator[tuple[str, Callable[[], Tensor]]]:
    if path.suffix == ".safetensors":
        tensors: Any = safe_open(path, framework="pt")
        for name in tensors.keys():  # noqa: SIM118 - not a dict
            yield name, functools.partial(tensors.get_tensor, name)
        return
    for name, tensor in _unpickled(path).items():
        if isinstance(tensor, Tensor):
            yield name, functools.partial(_same, tensor)


def _unpickled(path: Path) -> dict[str, Any]:
    try:
        # Files from before torch 1.6 are no zip archives and cannot be mapped.
        loaded = torch.load(path, map_location="cpu", weights_only=True, mmap=zipfile.is_zipfile(path))
    except Exception as error:  # torch raises whatever a broken pickle makes it raise
        raise ValueError(str(error).strip() or type(error).__name__) from error
    if not isinstance(loaded, dict):
        raise ValueError(f"{path.name} holds no tensors by name")  # noqa: TRY004 - the file is wrong
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
