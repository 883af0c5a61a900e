"""An input that cannot be encoded is that input's; an encoder that cannot encode is the machine's."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pytest
import torch

from featurizers.featurizer import Encoder, Features
from featurizers.registry import load, resolve
from featurizers.running.failures import EncodingFailed, encode_each
from schemas.reasons import MachineError

BROKEN = torch.AcceleratorError("CUDA error: an illegal memory access was encountered\nmore")


class Spoiled:
    """A real encoder that raises what `spoil` makes of its inputs, if anything."""

    def __init__(self, encoder: Encoder, spoil: Callable[[int, np.ndarray], BaseException | None]) -> None:
        self.encoder, self.spoil, self.calls = encoder, spoil, 0

    def encode(self, inputs: Sequence[np.ndarray[Any, Any]]) -> list[Features]:
        self.calls += 1
        for item in inputs:
            if error := self.spoil(self.calls, item):
                raise error
        return self.encoder.encode(inputs)


@pytest.fixture(scope="module")
def encoder() -> Encoder:
    return load(resolve("w", "whisper:random:tiny", device="cpu", dtype="float32"))


def sound(seed: int) -> np.ndarray:
    return np.random.default_rng(seed).normal(0, 0.1, 9_000).astype(np.float32)


SOUNDS = [sound(seed) for seed in range(3)]
BAD = SOUNDS[1]


def is_bad(item: np.ndarray) -> bool:
    return np.array_equal(item, BAD)


def test_an_input_that_fails_alone_and_again_is_at_fault(encoder: Encoder) -> None:
    spoiled = Spoiled(encoder, lambda calls, item: RuntimeError("bad") if is_bad(item) else None)
    first, bad, last = encode_each(spoiled, SOUNDS)
    assert bad == EncodingFailed("RuntimeError: bad")
    for found, item in ((first, SOUNDS[0]), (last, SOUNDS[2])):
        assert isinstance(found, Features)
        np.testing.assert_array_equal(found.array, encoder.encode([item])[0].array)


def test_a_failure_that_passes_costs_nothing(encoder: Encoder) -> None:
    spoiled = Spoiled(
        encoder, lambda calls, item: RuntimeError("once") if calls < 4 and is_bad(item) else None
    )
    found = encode_each(spoiled, SOUNDS)
    assert all(isinstance(result, Features) for result in found)


@pytest.mark.parametrize(
    "error", [RuntimeError("cuBLAS"), MemoryError(), torch.OutOfMemoryError("none left")]
)
@pytest.mark.parametrize("before", [0, 1])
def test_an_encoder_that_fails_at_everything_is_the_machines_fault(
    encoder: Encoder, error: Exception, before: int
) -> None:
    """Whether it has ever worked or not."""
    spoiled = Spoiled(encoder, lambda calls, item: error if calls > before else None)
    if before:
        encode_each(spoiled, SOUNDS)
    with pytest.raises(MachineError, match=r"^an encoder fails on this machine[^\n]*$"):
        encode_each(spoiled, [BAD])


def test_a_gpu_that_says_it_is_broken_is_not_asked_again(encoder: Encoder) -> None:
    spoiled = Spoiled(encoder, lambda calls, item: BROKEN)
    with pytest.raises(MachineError, match=r"^an encoder's GPU fails: [^\n]*illegal memory access[^\n]*$"):
        encode_each(spoiled, SOUNDS)
    assert spoiled.calls == 1
