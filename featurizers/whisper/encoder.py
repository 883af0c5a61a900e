"""Whisper's loaded encoder. The transformer is openai-whisper's, laid out anew for speed."""

from __future__ import annotations

import threading
from collections.abc import Sequence
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
from featurizers.whisper.transcribe import Transcriber
from schemas.grid import SAMPLES_PER_STEP, VECTORS_PER_STEP

_CONVOLUTIONS = (("conv1", 1), ("conv2", 2))  # name, stride
_EPS = 1e-5


def load(featurizer: WhisperFeaturizer) -> WhisperEncoder:
    """The encoder that a featurizer describes.

    Raises:
        ModelUnavailable: weights that cannot be fetched or read.
    """
    arithmetic = featurizer.arithmetic
    if featurizer.size is not None:
        dims = ModelDimensions(**untrained_dimensions(featurizer.size))
        return WhisperEncoder(weights.untrained_tensor, dims, arithmetic)
    path = featurizer.path()
    dims, state = weights.read(path)
    encoder = WhisperEncoder(StateTensors(str(path), state, "encoder."), dims, arithmetic)
    if featurizer.transcribe:
        half = arithmetic.device.startswith("cuda") and arithmetic.dtype != "float32"
        model = weights.whole_model(path, dims, state)
        encoder.transcriber = Transcriber(model, arithmetic.device, half)
    return encoder


class WhisperEncoder:
    """A loaded encoder. Several threads may share one."""

    def __init__(self, tensors: Tensors, dims: ModelDimensions, arithmetic: Arithmetic) -> None:
        width = dims.n_audio_state
        self.arithmetic = arithmetic
        self.mels: int = dims.n_mels
        self.row_shape = (dims.n_audio_ctx, width)
        self.batches = FixedBatches(BATCH_CPU if arithmetic.device == "cpu" else BATCH_GPU)
        self.transcriber: Transcriber | None = None
        self._silence: npt.NDArray[np.float16] | None = None
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
        """float32 [n] -> float16 [ceil(n / 8000), 25, d], each."""
        for waveform in inputs:
            if waveform.dtype != np.float32 or waveform.ndim != 1:
                found = f"{waveform.dtype} {list(waveform.shape)}"
                raise ValueError(f"a waveform must be float32 [n], mono, 16 kHz, not {found}")
        with self._lock:
            return self._encode(inputs)

    def _encode(self, inputs: Sequence[npt.NDArray[Any]]) -> list[Features]:
        windows = [
            [w[at : at + SAMPLES_PER_WINDOW] for at in range(0, len(w), SAMPLES_PER_WINDOW)] for w in inputs
        ]
        sounding = [[window for window in row if _sounds(window)] for row in windows]
        encoded = self.batches.run(sounding, self.row_shape, self._forward)
        results = []
        for waveform, row, vectors in zip(inputs, windows, encoded, strict=True):
            found = iter(vectors)
            parts = [next(found) if _sounds(window) else None for window in row]
            text = None if self.transcriber is None else self.transcriber.words(parts)
            results.append(Features(self._on_grid(len(waveform), vectors, parts), text))
        return results

    def _on_grid(
        self, samples: int, vectors: npt.NDArray[np.float16], parts: list[npt.NDArray[np.float16] | None]
    ) -> npt.NDArray[np.float16]:
        steps = -(-samples // SAMPLES_PER_STEP)
        if len(vectors) < len(parts):
            vectors = np.stack([self._silent() if part is None else part for part in parts])
        flat = vectors.reshape(-1, self.row_shape[1])[: steps * VECTORS_PER_STEP]
        if flat.size < vectors.size:
            flat = flat.copy()  # let go of the rest of the last window
        return flat.reshape(steps, VECTORS_PER_STEP, self.row_shape[1])

    def _silent(self) -> npt.NDArray[np.float16]:
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
