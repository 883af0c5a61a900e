"""What every encoder looks like from outside: a small description that travels, and the weights it loads."""

from __future__ import annotations

import abc
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Protocol

import numpy as np
import numpy.typing as npt

from schemas.features import Fingerprint, Rate
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
        array: float16, first axis the input's steps (sound), frames (pictures) or rows of their own `rate`.
    """

    array: npt.NDArray[np.float16]

    def __repr__(self) -> str:
        return f"<Features {self.array.dtype} {list(self.array.shape)}>"


@dataclass(frozen=True, repr=False)
class Asked:
    """Frames, and the questions that are asked about them (of an encoder that `asks`)."""

    frames: npt.NDArray[Any]
    questions: tuple[str, ...]

    @property
    def nbytes(self) -> int:
        """As an array has it."""
        return int(self.frames.nbytes)

    def __len__(self) -> int:
        return len(self.frames)


class Encoder(Protocol):
    """Loaded weights. Several threads may share one."""

    def encode(self, inputs: Sequence[Any]) -> list[Features]:
        """Features of each input, an array or Asked, in order; what one gives does not depend on others.

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
    asks: ClassVar[bool] = False
    """Whether its inputs are `Asked`: it reads a sample's questions beside the frames."""

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

    @property
    def rate(self) -> Rate | None:
        """When the rows of what it makes lie; None: they are the grid's steps. Also part of the fingerprint's
        options."""
        return None

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


@dataclass(frozen=True)
class Settings:
    """What the command's options say to every kind; each takes of it what is its own."""

    arithmetic: Arithmetic
    fit: str = "crop"
    clip_tokens: str = "patch"
    prompt: str = ""
    audio_tail: bool = False


@dataclass(frozen=True)
class Kind:
    """What a kind of encoder brings.

    Attributes:
        describe: (model as named, settings) -> featurizer; reads no weights. Raises ModelUnavailable.
        load: that featurizer -> its encoder; imports torch only when it is called. Raises ModelUnavailable.
    """

    describe: Callable[[str, Settings], Featurizer]
    load: Callable[[Any], Encoder]
