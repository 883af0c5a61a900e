"""Whose fault it is that an encoder fails: the input's, if another can be encoded between its two failures,
or the machine's (a GPU that is gone fails at whatever comes)."""

from __future__ import annotations

import weakref
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from featurizers.featurizer import Encoder, Features
from schemas.reasons import MachineError

EXPECTED = (ValueError, ArithmeticError, RuntimeError, MemoryError)  # what an encoder may raise at an input
Input = npt.NDArray[Any]


@dataclass(frozen=True, slots=True)
class EncodingFailed:
    """An input that the encoder could not encode, also not by itself (ledger: `encoder_failed`)."""

    detail: str


_encoded: weakref.WeakKeyDictionary[Encoder, Input] = weakref.WeakKeyDictionary()  # the last that went well


def encode_each(encoder: Encoder, inputs: Sequence[Input]) -> list[Features | EncodingFailed]:
    """Every input's features; an input that fails by itself does not take the others with it.

    Raises:
        MachineError: it is the encoder that fails, not an input.
    """
    try:
        results: list[Features | EncodingFailed] = list(encoder.encode(inputs))
    except EXPECTED as error:
        check_machine(error)
        results = [_alone(encoder, item) for item in inputs]
        for place, result in enumerate(results):
            if isinstance(result, EncodingFailed):
                results[place] = _again(encoder, inputs[place], result)
    else:
        _encoded[encoder] = inputs[0]
    return results


def _alone(encoder: Encoder, item: Input) -> Features | EncodingFailed:
    try:
        [result] = encoder.encode([item])
    except EXPECTED as error:
        check_machine(error)
        return EncodingFailed(_detail(error))
    _encoded[encoder] = item
    return result


def _again(encoder: Encoder, item: Input, failure: EncodingFailed) -> Features | EncodingFailed:
    check_encoder(encoder, failure.detail, item)
    return _alone(encoder, item)


def check_encoder(encoder: Encoder, failure: str, item: Input) -> None:
    """Encodes what was encoded before, backwards, so that no result which is remembered will do; noise like
    the item where nothing was.

    Raises:
        MachineError: that fails too.
    """
    known = _encoded[encoder][::-1].copy() if encoder in _encoded else _noise_like(item)
    try:
        encoder.encode([known])
    except EXPECTED as error:
        raise MachineError(
            f"an encoder fails on this machine, at any input: {_detail(error)} (at first: {failure})"
        ) from error


def check_machine(error: BaseException) -> None:
    """Raises:
    MachineError: a GPU says that it is broken; nothing in this process can use it any more.
    """
    import torch  # by now it is there

    if isinstance(error, torch.AcceleratorError):
        raise MachineError(f"an encoder's GPU fails: {_line(error)}") from error


def failed(error: BaseException, encoder: Encoder, item: Input) -> EncodingFailed:
    """What the ledger says of an error of EXPECTED that came from an encoder's neighbour, which cannot try
    again.

    Raises:
        MachineError: the encoder fails too, or memory ran out.
    """
    from featurizers.running.batches import out_of_memory

    check_machine(error)
    if out_of_memory(error):
        raise MachineError(f"there is not enough memory: {_line(error)}") from error
    check_encoder(encoder, _detail(error), item)
    return EncodingFailed(_detail(error))


def _noise_like(item: Input) -> Input:
    """The same noise every time."""
    noise = np.random.default_rng(0)
    if item.dtype.kind in "ui":
        return noise.integers(0, 1 + np.iinfo(item.dtype).max, item.shape, item.dtype)
    return noise.uniform(-0.1, 0.1, item.shape).astype(item.dtype)


def _detail(error: BaseException) -> str:
    from featurizers.running.batches import out_of_memory  # torch; by now it is there

    return "out of memory with one row a batch" if out_of_memory(error) else _line(error)


def _line(error: BaseException) -> str:
    lines = str(error).strip().splitlines()
    return f"{type(error).__name__}: {lines[0]}" if lines else type(error).__name__
