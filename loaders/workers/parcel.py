"""A step's batch on its way from a worker: all of its tensors in one piece of shared memory.

torch hands over every tensor by itself, each with an open file: a batch of 64 samples has some hundreds, and
1,024 is a usual limit.
"""

from __future__ import annotations

import io
import pickle
from dataclasses import dataclass
from multiprocessing.reduction import ForkingPickler
from typing import Any, NamedTuple

import torch

_ALIGNMENT = 64


class _Place(NamedTuple):
    offset: int
    dtype: torch.dtype
    shape: torch.Size


@dataclass(frozen=True)
class Parcel:
    """`content` is a pickle, which this process's own worker wrote, with places in `block` for tensors."""

    content: bytes
    block: torch.Tensor

    @classmethod
    def of(cls, value: Any) -> Parcel:
        stream = io.BytesIO()
        packer = _Packer(stream)
        packer.dump(value)
        block = torch.frombuffer(bytearray(1), dtype=torch.uint8)
        if packer.size:
            # The call of torch's own collate; a tensor that is shared afterwards is copied once more.
            storage = torch.UntypedStorage._new_shared(packer.size)  # type: ignore[no-untyped-call]
            block = torch.empty(0, dtype=torch.uint8).set_(storage)
        for tensor, place in packer.places.values():
            _view(block, place).copy_(tensor)
        return cls(stream.getvalue(), block)

    def open(self) -> Any:
        return _Unpacker(io.BytesIO(self.content), self.block).load()

    def pin_memory(self) -> Parcel:
        return Parcel(self.content, self.block.pin_memory())


def _view(block: torch.Tensor, place: _Place) -> torch.Tensor:
    size = place.shape.numel() * place.dtype.itemsize
    return block[place.offset : place.offset + size].view(place.dtype).view(place.shape)


class _Packer(ForkingPickler):
    """Leaves plain tensors out, and says where they go."""

    def __init__(self, stream: io.BytesIO) -> None:
        super().__init__(stream, pickle.HIGHEST_PROTOCOL)
        self.size = 0
        self.places: dict[int, tuple[torch.Tensor, _Place]] = {}

    def persistent_id(self, value: Any) -> _Place | None:
        if (
            type(value) is not torch.Tensor
            or value.device.type != "cpu"
            or value.layout is not torch.strided
            or value.requires_grad
            or value.is_quantized
            or not value.numel()
        ):
            return None
        if id(value) not in self.places:
            self.places[id(value)] = (value, _Place(self.size, value.dtype, value.shape))
            size = value.numel() * value.itemsize
            self.size += size + -size % _ALIGNMENT
        return self.places[id(value)][1]


class _Unpacker(pickle.Unpickler):
    def __init__(self, stream: io.BytesIO, block: torch.Tensor) -> None:
        super().__init__(stream)
        self._block = block

    def persistent_load(self, place: _Place) -> torch.Tensor:
        return _view(self._block, place)
