"""Each encoder on the card: its share of the matrix peak, beside CPU fp32, and the memory it takes."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from whisper.model import ModelDimensions

from benchmarks.gpu.machine import seconds_a_call
from featurizers.featurizer import Arithmetic, Features
from featurizers.running import untrained
from featurizers.running.transfer import upload
from featurizers.vision import clip, qformer
from featurizers.vision.encoder import VisionEncoder, take
from featurizers.vision.preprocessing import Preprocessing
from featurizers.vision.shape import VisionShape
from featurizers.vision.tokens import PATCH
from featurizers.vision.weights import clip_tower, eva_tower
from featurizers.whisper.description import SAMPLES_PER_WINDOW, untrained_dimensions
from featurizers.whisper.encoder import WhisperEncoder

MODELS = ("ViT-B/32", "ViT-L/14", "EVA-g", "Whisper tiny", "Whisper small", "Whisper large-v2")
SMALL = ("ViT-B/32", "Whisper tiny")
_CLIPS = {"ViT-B/32": "vit-b-32", "ViT-L/14": "vit-l-14"}
_BATCHES_A_CALL = 4
_COMPARED = {"vision": 4, "sound": 1}  # rows that the CPU computes too


@dataclass(frozen=True)
class Subject:
    """One encoder: a batch whose input lies on the device already, and whole calls from host to host."""

    rows: int
    gflop_a_row: float
    inputs: npt.NDArray[Any]
    on_device: Callable[[], Any]
    encode: Callable[[Sequence[npt.NDArray[Any]]], list[Features]]


@dataclass(frozen=True)
class Measured:
    """Shares are of the larger peak of the dtypes; cosines, of each vector to the CPU's in float32."""

    model: str
    dtype: str
    batch: int
    gflop_a_row: float
    device_ms_a_row: float
    device_share: float
    rows_a_second: float
    encode_share: float
    cosine_least: float
    cosine_mean: float
    peak_gib: float


def vision(model: str, arithmetic: Arithmetic) -> Subject:
    """ViT of `random` weights in the true shape."""
    if model in _CLIPS:
        config, make = clip.DEFAULTS | clip.UNTRAINED[_CLIPS[model]], clip_tower
    else:
        config, make = qformer.DEFAULTS, eva_tower
    shape = VisionShape.read(config)
    pre = Preprocessing.read({}, shape.side)
    tower = make(untrained.tensor, shape, pre, arithmetic)

    def forward(frames: Sequence[npt.NDArray[Any]], size: int) -> torch.Tensor:
        return take(PATCH, tower(frames, size), True)

    encoder = VisionEncoder(forward, shape.side, (shape.patches, shape.width), arithmetic)
    rows = encoder.batches.size
    random = np.random.default_rng(0)
    frames = random.integers(0, 256, (_BATCHES_A_CALL * rows, shape.side, shape.side, 3), np.uint8)
    pixels = upload(list(frames[:rows]), (rows, *frames.shape[1:]), arithmetic.device)
    tokens, width = 1 + shape.patches, shape.width
    flop = 2 * shape.patches * 3 * shape.patch**2 * width
    flop += shape.layers * (2 * tokens * width * (4 * width + 2 * shape.mlp) + 4 * tokens**2 * width)
    return Subject(rows, flop / 1e9, frames, lambda: tower.tokens(pixels), encoder.encode)


def sound(model: str, arithmetic: Arithmetic) -> Subject:
    """Whisper's encoder of random weights in the true shape; the log-mel is within its time, not its FLOP."""
    dims = untrained_dimensions(model.removeprefix("Whisper "))
    encoder = WhisperEncoder(untrained.tensor, ModelDimensions(**dims), arithmetic)
    rows = encoder.batches.size
    random = np.random.default_rng(0)
    waves = random.standard_normal((_BATCHES_A_CALL * rows, SAMPLES_PER_WINDOW), np.float32) * np.float32(0.1)
    there = upload(list(waves[:rows]), (rows, SAMPLES_PER_WINDOW), arithmetic.device)
    width, layers, tokens = dims["n_audio_state"], dims["n_audio_layer"], dims["n_audio_ctx"]
    flop = 6 * width * (2 * tokens * dims["n_mels"] + tokens * width)
    flop += layers * (24 * tokens * width**2 + 4 * tokens**2 * width)
    return Subject(rows, flop / 1e9, waves, lambda: encoder.vectors(there), encoder.encode)


def measure(model: str, device: str, dtype: str, peak: float) -> dict[str, Any]:
    """One encoder's row; `peak` in TFLOP/s."""
    kind = "sound" if model.startswith("Whisper") else "vision"
    make = sound if kind == "sound" else vision
    if device != "cpu":
        torch.cuda.empty_cache()
        torch.cuda.reset_peak_memory_stats()
    subject = make(model, Arithmetic(device, dtype))
    on_device = seconds_a_call(subject.on_device, device, enough_s=2) / subject.rows
    given = list(subject.inputs) if kind == "sound" else [subject.inputs]
    found = subject.encode(given)
    rate = _rows_a_second(subject, given)
    memory = 0.0 if device == "cpu" else torch.cuda.max_memory_allocated() / 2**30
    some = subject.inputs[: _COMPARED[kind]]
    bare = make(model, Arithmetic("cpu", "float32")).encode(list(some) if kind == "sound" else [some])
    cosines = _cosines(found[0].array, bare[0].array)
    row = Measured(
        model=model,
        dtype=dtype,
        batch=subject.rows,
        gflop_a_row=subject.gflop_a_row,
        device_ms_a_row=1e3 * on_device,
        device_share=subject.gflop_a_row / on_device / 1e3 / peak,
        rows_a_second=rate,
        encode_share=subject.gflop_a_row * rate / 1e3 / peak,
        cosine_least=float(cosines.min()),
        cosine_mean=float(cosines.mean()),
        peak_gib=memory,
    )
    return asdict(row)


def _rows_a_second(subject: Subject, given: Sequence[npt.NDArray[Any]], enough_s: float = 3) -> float:
    """Calls from host arrays to host arrays, one after another, in one thread."""
    begun, calls = time.perf_counter(), 0
    while (took := time.perf_counter() - begun) < enough_s:
        subject.encode(given)
        calls += 1
    return calls * len(subject.inputs) / took


def _cosines(there: npt.NDArray[np.float16], here: npt.NDArray[np.float16]) -> npt.NDArray[np.float64]:
    a, b = (
        np.asarray(x, np.float64).reshape(-1, x.shape[-1])
        for x in (there.reshape(-1, there.shape[-1])[: here.size // here.shape[-1]], here)
    )
    product = (a * b).sum(-1) / (np.linalg.norm(a, axis=-1) * np.linalg.norm(b, axis=-1))
    return np.asarray(product, np.float64)
