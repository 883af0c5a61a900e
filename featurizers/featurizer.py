"""What every encoder looks like from outside: a small description that travels, and the weights it loads."""

from __future__ import annotations

import abc
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Protocol

import numpy as np
import numpy.typing as npt

from schemas.features import Fingerprint
from schemas.media import FrameTransform, Modality

if TYPE_CHECKING:
    from featurizers.arithmetic import Arithmetic


class ModelUnavailable(ValueError):  # noqa: N818
    """A model that the user named cannot be had. One line: what is wrong and how to mend it."""


@dataclass(frozen=True)
class Features:
    """What an encoder made of one input.

    Attributes:
        array: float16, first axis the input's steps (sound) or frames (pictures).
        text: the words spoken, where a transcript was asked for.
    """

    array: npt.NDArray[np.float16]
    text: str | None = None


class Encoder(Protocol):
    """Loaded weights. Several threads may share one."""

    def encode(self, inputs: Sequence[npt.NDArray[Any]]) -> list[Features]:
        """Features of each input, in order; what one input gives does not depend on the others.

        Raises:
            ValueError: an input of the wrong shape or dtype, or features that are not finite.
        """
        ...


@dataclass(frozen=True)
class Featurizer(abc.ABC):
    """Picklable description of one encoder. Weights are read only in `load`.

    Attributes:
        model: as the user named it.
        arithmetic: resolved device and dtype.
    """

    model: str
    arithmetic: Arithmetic
    modality: ClassVar[Modality]

    @property
    @abc.abstractmethod
    def untrained(self) -> bool:
        """True where the weights are random (`random:SIZE`)."""

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

    @abc.abstractmethod
    def load(self) -> Encoder:
        """Reads the weights.

        Raises:
            ModelUnavailable: they cannot be found, fetched or understood.
        """
