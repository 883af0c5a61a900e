"""Whisper's loaded encoder. The transformer is openai-whisper's, laid out anew for speed."""

from __future__ import annotations

import hashlib
import threading
from collections import OrderedDict
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
import torch.nn.functional as F  # noqa: N812
from torch import Tensor
from whisper.model import ModelDimensions

from featurizers.featurizer import Arithmetic, Features
from featurizers.running.batches import FixedBatches
from featurizers.running.building import Builder
from featurizers.running.tensors import StateTensors, Tensors
from featurizers.running.transfer import upload
from featurizers.running.transformer import Block, through
from featurizers.whisper import weights
from featurizers.whisper.description import (
    BATCH_CPU,
    BATCH_GPU,
    SAMPLES_PER_WINDOW,
    WhisperFeaturizer,
    untrained_dimensions,
)
from featurizers.whisper.log_mel import log_mel
from schemas.grid import SAMPLES_PER_STEP, VECTORS_PER_STEP

_CONVOLUTIONS = (("conv1", 1), ("conv2", 2))  # name, stride
_EPS = 1e-5
REMEMBERED = 64  # windows whose vectors are kept for who asks next; of large-v2, 3.8 MB each
Vectors = npt.NDArray[np.float16]


def load(featurizer: WhisperFeaturizer) -> WhisperEncoder:
    """The encoder that a featurizer describes.

    Raises:
        ModelUnavailable: weights that cannot be fetched or read.
    """
    arithmetic = featurizer.arithmetic
    if featurizer.size is not None:
        dims = ModelDimensions(**untrained_dimensions(featurizer.size))
        return WhisperEncoder(weights.untrained_tensor, dims, arithmetic, featurizer.tail)
    path = featurizer.path()
    dims, state = weights.read(path)
    return WhisperEncoder(StateTensors(str(path), state, "encoder."), dims, arithmetic, featurizer.tail)


class WhisperEncoder:
    """A loaded encoder. Several threads may share one."""

    def __init__(
        self, tensors: Tensors, dims: ModelDimensions, arithmetic: Arithmetic, tail: bool = False
    ) -> None:
        width = dims.n_audio_state
        self.arithmetic = arithmetic
        self.tail = tail
        self.mels: int = dims.n_mels
        self.row_shape = (dims.n_audio_ctx, width)
        self.batches = FixedBatches(BATCH_CPU if arithmetic.device == "cpu" else BATCH_GPU)
        self._alone = FixedBatches(1)
        self._heard: OrderedDict[bytes, Vectors] = OrderedDict()
        self._silence: Vectors | None = None
        self._lock = threading.Lock()
        build = Builder(tensors, arithmetic, width, _EPS)
        with torch.inference_mode():
            self.convolutions = [
                (
                    build.placed(tensors(f"{name}.weight", width, inputs, 3)),
                    build.placed(tensors(f"{name}.bias", width)),
                    stride,
                )
                for (name, stride), inputs in zip(_CONVOLUTIONS, (self.mels, width), strict=True)
            ]
            self.positions = build.placed(tensors("positional_embedding", *self.row_shape))
            layers = range(dims.n_audio_layer)
            self.blocks = [_block(build, f"blocks.{layer}", dims.n_audio_head) for layer in layers]
            self.last_norm = build.norm("ln_post")

    def encode(self, inputs: Sequence[npt.NDArray[Any]]) -> list[Features]:
        """float32 [n] -> float16 [ceil(n / 8000), 25, d], with its tail [60, 25, d], each."""
        for waveform in inputs:
            if waveform.dtype != np.float32 or waveform.ndim != 1:
                found = f"{waveform.dtype} {list(waveform.shape)}"
                raise ValueError(f"a waveform must be float32 [n], mono, 16 kHz, not {found}")
        with self._lock:
            return self._encode(inputs)

    def _encode(self, inputs: Sequence[npt.NDArray[Any]]) -> list[Features]:
        if self.tail:
            inputs = [waveform[:SAMPLES_PER_WINDOW] for waveform in inputs]
        windows = [
            [w[at : at + SAMPLES_PER_WINDOW] for at in range(0, len(w), SAMPLES_PER_WINDOW)] for w in inputs
        ]
        encoded = self._run([[window for window in row if _sounds(window)] for row in windows])
        results = []
        for waveform, row, vectors in zip(inputs, windows, encoded, strict=True):
            found = iter(vectors)
            parts = [next(found) if _sounds(window) else None for window in row]
            results.append(Features(self._on_grid(len(waveform), vectors, parts)))
        return results

    def remember(self, windows: Sequence[npt.NDArray[np.float32]]) -> list[Vectors]:
        """[1500, d] of windows, of 30 s or the last of their sound, that are features' too: encoded but once,
        whoever asks first."""
        names = [_name(window) for window in windows]
        with self._lock:
            fresh = {name: w for name, w in zip(names, windows, strict=True) if name not in self._heard}
            encoded = self.batches.run([[window] for window in fresh.values()], self.row_shape, self._forward)
            self._heard.update({name: rows[0] for name, rows in zip(fresh, encoded, strict=True)})
            found = [self._heard[name] for name in names]
            while len(self._heard) > REMEMBERED:
                self._heard.popitem(last=False)
        return found

    def window(self, window: npt.NDArray[np.float32]) -> Vectors:
        """[1500, d] of a window that nobody else will ask for."""
        with self._lock:
            vectors: Vectors = self._alone.run([[window]], self.row_shape, self._forward)[0][0]
        return vectors

    def _run(self, inputs: Sequence[Sequence[npt.NDArray[Any]]]) -> list[Vectors]:
        """[windows, 1500, d] of every input; what is remembered is not computed again."""
        if not self._heard:
            return self.batches.run(inputs, self.row_shape, self._forward)
        known = [[self._heard.get(_name(window)) for window in row] for row in inputs]
        fresh = [
            [window for window, found in zip(row, there, strict=True) if found is None]
            for row, there in zip(inputs, known, strict=True)
        ]
        encoded = self.batches.run(fresh, self.row_shape, self._forward)
        return [_filled(there, rows, self.row_shape) for there, rows in zip(known, encoded, strict=True)]

    def _on_grid(self, samples: int, vectors: Vectors, parts: list[Vectors | None]) -> Vectors:
        steps = (
            len(parts) * self.row_shape[0] // VECTORS_PER_STEP
            if self.tail
            else -(-samples // SAMPLES_PER_STEP)
        )
        if len(vectors) < len(parts):
            vectors = np.stack([self._silent() if part is None else part for part in parts])
        flat = vectors.reshape(-1, self.row_shape[1])[: steps * VECTORS_PER_STEP]
        if flat.size < vectors.size:
            flat = flat.copy()  # let go of the rest of the last window
        return flat.reshape(steps, VECTORS_PER_STEP, self.row_shape[1])

    def _silent(self) -> Vectors:
        """[1500, d] of a window of zeros: always the same, so computed once."""
        if self._silence is None:
            self._silence = self.batches.run([[np.zeros(1, np.float32)]], self.row_shape, self._forward)[0][0]
        return self._silence

    def _forward(self, windows: Sequence[npt.NDArray[Any]], size: int) -> Tensor:
        """[size, 1500, d] of waveforms of at most 30 s."""
        return self.vectors(upload(windows, (size, SAMPLES_PER_WINDOW), self.arithmetic.device))

    @torch.inference_mode()
    def vectors(self, waves: Tensor) -> Tensor:
        """[size, 1500, d] of float32 [size, 480000] on the device."""
        x = log_mel(waves, self.mels).to(self.arithmetic.torch_dtype)
        for weight, bias, stride in self.convolutions:
            x = F.gelu(F.conv1d(x, weight, bias, stride=stride, padding=1))
        x = x.transpose(1, 2).contiguous() + self.positions
        return through(self.blocks, x, self.last_norm)


def _sounds(window: npt.NDArray[Any]) -> bool:
    """Whether it is not all zeros, most often seen from its beginning."""
    return bool(window[:SAMPLES_PER_STEP].any() or window.any())


def _name(window: npt.NDArray[Any]) -> bytes:
    return hashlib.blake2b(window.tobytes()).digest()


def _filled(
    known: Sequence[Vectors | None],
    fresh: Iterable[Vectors],
    shape: tuple[int, ...],
) -> Vectors:
    """[windows, *shape]: what was known, and what was computed where it was not."""
    rest = iter(fresh)
    out = np.empty((len(known), *shape), np.float16)
    for place, found in zip(out, known, strict=True):
        place[...] = next(rest) if found is None else found
    return out


def _block(build: Builder, name: str, heads: int) -> Block:
    width, attention = build.width, f"{name}.attn"
    query, query_bias = build.pair(f"{attention}.query", width, width)
    key = build.tensors(f"{attention}.key.weight", width, width)  # Whisper's has no bias
    value, value_bias = build.pair(f"{attention}.value", width, width)
    return Block(
        attention_norm=build.norm(f"{name}.attn_ln"),
        qkv=build.linear(
            torch.cat([query, key, value]),
            torch.cat([query_bias, torch.zeros_like(query_bias), value_bias]),
        ),
        out=build.linear(*build.pair(f"{attention}.out", width, width)),
        mlp_norm=build.norm(f"{name}.mlp_ln"),
        up=build.linear(*build.pair(f"{name}.mlp.0", 4 * width, width), "gelu"),
        down=build.linear(*build.pair(f"{name}.mlp.2", width, 4 * width)),
        heads=heads,
    )
