"""What every encoder looks like from outside: a small description that travels, and the weights it loads."""

from __future__ import annotations

import abc
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Protocol

import numpy as np
import numpy.typing as npt

from schemas.features import Fingerprint
from schemas.media import FrameTransform, Modality

if TYPE_CHECKING:
    import torch


@dataclass(frozen=True, slots=True)
class Arithmetic:
    """A torch device ("cpu", "cuda:1") and a dtype's name ("bfloat16"), both resolved: never "auto".

    "cuda" without a number is the GPU that a worker takes for itself (featurizers/running/accelerators.py).
    """

    device: str
    dtype: str

    @property
    def torch_dtype(self) -> torch.dtype:
        import torch

        dtype: torch.dtype = getattr(torch, self.dtype)
        return dtype


@dataclass(frozen=True, repr=False)
class Features:
    """What an encoder made of one input.

    Attributes:
        array: float16, first axis the input's steps (sound) or frames (pictures).
    """

    array: npt.NDArray[np.float16]

    def __repr__(self) -> str:
        return f"<Features {self.array.dtype} {list(self.array.shape)}>"


class Encoder(Protocol):
    """Loaded weights. Several threads may share one."""

    def encode(self, inputs: Sequence[npt.NDArray[Any]]) -> list[Features]:
        """Features of each input, in order; what one input gives does not depend on the others.

        Raises:
            ValueError: an input of the wrong shape or dtype, or features that are not finite.
        """
        ...


@dataclass(frozen=True)
class Fetch:
    """Weights that are not on this machine.

    Attributes:
        size: bytes; None: whoever has them does not say, or cannot be reached.
        into: the folder they will lie in.
    """

    size: int | None
    into: Path


@dataclass(frozen=True)
class Featurizer(abc.ABC):
    """Picklable description of one encoder. Weights are read only by `registry.load`.

    Attributes:
        model: as the user named it.
        arithmetic: resolved device and dtype.
        kind: the name under which featurizers/registry.py knows it.
    """

    model: str
    arithmetic: Arithmetic
    kind: ClassVar[str]
    modality: ClassVar[Modality]

    @property
    @abc.abstractmethod
    def untrained(self) -> bool:
        """True where the weights are random (`random:SIZE`)."""

    def to_fetch(self) -> Fetch | None:
        """What `prepare` would bring from elsewhere; None: all is here."""
        return None

    @abc.abstractmethod
    def fingerprint(self) -> Fingerprint:
        """Everything that can change a feature's bytes.

        Raises:
            ModelUnavailable: the weights cannot be found or fetched.
        """

    def frame_transform(self) -> FrameTransform | None:
        """uint8 [H, W, 3] RGB -> uint8 [size, size, 3], numpy and Pillow only; None for sound.

        Raises:
            ModelUnavailable: the model's preprocessing cannot be found or fetched.
        """
        return None

    def still_transform(self) -> FrameTransform | None:
        """The same for a still picture, where it is prepared otherwise.

        Raises:
            ModelUnavailable: as `frame_transform`.
        """
        return self.frame_transform()

    @abc.abstractmethod
    def rows(self, item: npt.NDArray[Any]) -> int:
        """How many encoder rows (frames, 30 s windows) an input costs."""

    @property
    @abc.abstractmethod
    def rows_per_call(self) -> int:
        """How many rows one call of `encode` should be given, for full batches in bounded memory."""

    def prepare(self) -> None:
        """Fetches the weights to this machine if they have to be fetched, without loading them.

        Raises:
            ModelUnavailable: they cannot be found or fetched.
        """
        self.fingerprint()
