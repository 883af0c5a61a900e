"""BEATs' loaded encoder: a transformer of post-norm layers over patches, with a gated relative position bias.

After the paper (arXiv 2212.09058; the bias is WavLM's, arXiv 2110.13900) and the published weights' names.
"""

from __future__ import annotations

import threading
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
import torch.nn.functional as F  # noqa: N812
from torch import Tensor

from featurizers.audio.beats import (
    BANDS,
    BANDS_OF_PATCHES,
    CONFIG,
    FRAME,
    HOP,
    LONGEST,
    PATCH,
    SHORTEST,
    BeatsFeaturizer,
    windows,
)
from featurizers.errors import ModelUnavailable
from featurizers.featurizer import Arithmetic, Features
from featurizers.running import untrained
from featurizers.running.batches import FixedBatches
from featurizers.running.building import Builder
from featurizers.running.tensors import StateTensors, Tensors, unpickled
from featurizers.running.transfer import upload
from featurizers.running.transformer import Linear, Norm

# AudioSet's mean and deviation of log filterbank energies, of waveforms in 16-bit units.
FBANK_MEAN, FBANK_STD, FULL_SCALE = 15.41663, 6.55582, 2**15
_EPS = 1e-5


def load(featurizer: BeatsFeaturizer) -> BeatsEncoder:
    """The encoder that a featurizer describes.

    Raises:
        ModelUnavailable: weights that cannot be read, or of another design.
    """
    if featurizer.size is not None:
        return BeatsEncoder(untrained.tensor, CONFIG, featurizer)
    path = featurizer.path()
    content = unpickled(path)
    config, state = content.get("cfg"), content.get("model")
    if not isinstance(config, dict) or not isinstance(state, dict):
        raise ModelUnavailable(f"{path} is not a BEATs checkpoint: no cfg and model")
    return BeatsEncoder(StateTensors(str(path), state, ""), {**CONFIG, **config}, featurizer)


class BeatsEncoder:
    """A loaded encoder. Several threads may share one."""

    def __init__(self, tensors: Tensors, config: dict[str, Any], featurizer: BeatsFeaturizer) -> None:
        self._tail = featurizer.tail
        self._lock = threading.Lock()
        self._batches = FixedBatches(1)  # windows differ in length; a batch of one needs no padding
        with torch.inference_mode():
            self._tower = _tower(tensors, config, featurizer)

    def encode(self, inputs: Sequence[npt.NDArray[Any]]) -> list[Features]:
        """float32 [n] -> float16 [rows, 8, d], each."""
        for waveform in inputs:
            if waveform.dtype != np.float32 or waveform.ndim != 1:
                found = f"{waveform.dtype} {list(waveform.shape)}"
                raise ValueError(f"a waveform must be float32 [n], mono, 16 kHz, not {found}")
        with self._lock:
            return [Features(self._encode(waveform)) for waveform in inputs]

    def _encode(self, waveform: npt.NDArray[np.float32]) -> npt.NDArray[np.float16]:
        if self._tail:
            waveform = _padded(waveform[:LONGEST], SHORTEST)
        parts = [_padded(waveform[window], FRAME + (PATCH - 1) * HOP) for window in windows(len(waveform))]
        encoded = [self._batches.run([[part]], self._shape(part), self._forward)[0][0] for part in parts]
        return np.concatenate(encoded)

    def _shape(self, window: npt.NDArray[np.float32]) -> tuple[int, int, int]:
        return (1 + (len(window) - FRAME) // HOP) // PATCH, BANDS_OF_PATCHES, self._tower.width

    def _forward(self, part: Sequence[npt.NDArray[Any]], size: int) -> Tensor:
        waves = upload(part, (size, len(part[0])), self._tower.arithmetic.device)
        hidden = self._tower(torch.stack([filterbank(wave) for wave in waves]))
        return hidden.reshape(size, -1, BANDS_OF_PATCHES, self._tower.width)


def filterbank(wave: Tensor) -> Tensor:
    """float32 [frames, 128] of float32 [n]: Kaldi's log mel energies, normalised as BEATs was trained."""
    import torchaudio.compliance.kaldi

    energies: Tensor = torchaudio.compliance.kaldi.fbank(
        wave[None] * FULL_SCALE, num_mel_bins=BANDS, sample_frequency=16_000, frame_length=25, frame_shift=10
    )
    return (energies - FBANK_MEAN) / (2 * FBANK_STD)


@dataclass(frozen=True)
class _Layer:
    """x = norm(alpha x + attention(x)), then the same with the feed-forward part."""

    qkv: Linear
    out: Linear
    attention_norm: Norm
    up: Linear
    down: Linear
    last_norm: Norm
    gate_weight: Tensor
    gate_bias: Tensor
    gate_scale: Tensor
    heads: int
    alpha: float

    def __call__(self, x: Tensor, bias: Tensor) -> Tensor:
        x = self.attention_norm(self.alpha * x + self._attention(x, bias))
        return self.last_norm(self.alpha * x + self.down(self.up(x)))

    def _attention(self, x: Tensor, bias: Tensor) -> Tensor:
        rows, length, width = x.shape
        qkv = self.qkv(x).view(rows, length, 3, self.heads, width // self.heads)
        query, key, value = qkv.permute(2, 0, 3, 1, 4)
        gated = self._gate(query) * bias
        mixed = F.scaled_dot_product_attention(query, key, value, attn_mask=gated.to(query.dtype))
        return self.out(mixed.transpose(1, 2).reshape(x.shape))

    def _gate(self, query: Tensor) -> Tensor:
        """[rows, heads, length, 1]: by how much a query takes the bias into account."""
        gates = F.linear(query, self.gate_weight, self.gate_bias)
        gates = gates.reshape(*query.shape[:-1], 2, 4).sum(-1)
        update, reset = torch.sigmoid(gates).chunk(2, dim=-1)
        return update * (reset * self.gate_scale - 1) + 2


@dataclass(frozen=True)
class _Tower:
    """Filterbank to patches' vectors."""

    arithmetic: Arithmetic
    embed: Linear
    embed_norm: Norm
    widen: Linear
    position_weight: Tensor
    position_bias: Tensor
    groups: int
    first_norm: Norm
    buckets: Tensor
    distance: int
    layers: Sequence[_Layer]

    @cached_property
    def width(self) -> int:
        """d"""
        return self.position_bias.shape[0]

    @torch.inference_mode()
    def __call__(self, bank: Tensor) -> Tensor:
        """[n, patches, d] of float32 [n, frames, 128]: by time, then by bands."""
        n, frames, bands = bank.shape
        whole = bank[:, : frames // PATCH * PATCH].to(self.arithmetic.torch_dtype)
        patches = whole.reshape(n, -1, PATCH, bands // PATCH, PATCH).permute(0, 1, 3, 2, 4)
        x = self.widen(self.embed_norm(self.embed(patches.reshape(n, -1, PATCH * PATCH))))
        x = self.first_norm(x + self._positions(x))
        bias = self._bias(x.shape[1])
        for layer in self.layers:
            x = layer(x, bias)
        return x

    def _positions(self, x: Tensor) -> Tensor:
        taps = self.position_weight.shape[-1]
        made = F.conv1d(
            x.transpose(1, 2),
            self.position_weight,
            self.position_bias,
            padding=taps // 2,
            groups=self.groups,
        )
        return F.gelu(made[..., : x.shape[1]]).transpose(1, 2)

    def _bias(self, length: int) -> Tensor:
        """float [heads, length, length] by the distance from query to key: near ones each their own, far ones
        in buckets of logarithmic width, either side its half."""
        places = torch.arange(length, device=self.buckets.device)
        distance = places[None, :] - places[:, None]
        half = len(self.buckets) // 2
        exact = half // 2
        far = torch.log(distance.abs().clamp(min=1).float() / exact) / np.log(self.distance / exact)
        bucket = torch.where(
            distance.abs() < exact,
            distance.abs(),
            (exact + (far * (half - exact)).long()).clamp(max=half - 1),
        )
        return self.buckets[bucket + half * (distance > 0)].permute(2, 0, 1)


def _tower(tensors: Tensors, config: dict[str, Any], featurizer: BeatsFeaturizer) -> _Tower:
    fixed = (
        "input_patch_size",
        "activation_fn",
        "layer_norm_first",
        "relative_position_embedding",
        "gru_rel_pos",
    )
    for name in fixed:
        if config[name] != CONFIG[name]:
            raise ModelUnavailable(f"{featurizer.model!r}: {name} is {config[name]!r}, not {CONFIG[name]!r}")
    arithmetic = featurizer.arithmetic
    narrow, width, taps = config["embed_dim"], config["encoder_embed_dim"], config["conv_pos"]
    groups, heads, layers = (
        config[name] for name in ("conv_pos_groups", "encoder_attention_heads", "encoder_layers")
    )
    build = Builder(tensors, arithmetic, width, _EPS)
    narrower = Builder(tensors, arithmetic, narrow, _EPS)
    alpha = (2 * layers) ** 0.25 if config["deep_norm"] else 1.0
    # Weight normalisation over every tap by itself.
    direction = tensors("encoder.pos_conv.0.weight_v", width, width // groups, taps)
    length = tensors("encoder.pos_conv.0.weight_g", 1, 1, taps)
    position = direction * (length / direction.norm(dim=(0, 1), keepdim=True))
    buckets = tensors(
        "encoder.layers.0.self_attn.relative_attention_bias.weight", config["num_buckets"], heads
    )
    return _Tower(
        arithmetic=arithmetic,
        embed=build.linear(tensors("patch_embedding.weight", narrow, 1, PATCH, PATCH).flatten(1), None),
        embed_norm=narrower.norm("layer_norm"),
        widen=build.linear(*build.pair("post_extract_proj", width, narrow)),
        position_weight=build.placed(position),
        position_bias=build.placed(tensors("encoder.pos_conv.0.bias", width)),
        groups=groups,
        first_norm=build.norm("encoder.layer_norm"),
        buckets=build.placed(buckets),
        distance=config["max_distance"],
        layers=[_layer(build, f"encoder.layers.{layer}", config, alpha) for layer in range(layers)],
    )


def _layer(build: Builder, name: str, config: dict[str, Any], alpha: float) -> _Layer:
    width, mlp, heads = build.width, config["encoder_ffn_embed_dim"], config["encoder_attention_heads"]
    attention = f"{name}.self_attn"
    parts = [build.pair(f"{attention}.{part}_proj", width, width) for part in "qkv"]
    gate, gate_bias = build.pair(f"{attention}.grep_linear", 8, width // heads)
    return _Layer(
        qkv=build.linear(torch.cat([weight for weight, _ in parts]), torch.cat([bias for _, bias in parts])),
        out=build.linear(*build.pair(f"{attention}.out_proj", width, width)),
        attention_norm=build.norm(f"{name}.self_attn_layer_norm"),
        up=build.linear(*build.pair(f"{name}.fc1", mlp, width), "gelu"),
        down=build.linear(*build.pair(f"{name}.fc2", width, mlp)),
        last_norm=build.norm(f"{name}.final_layer_norm"),
        gate_weight=build.placed(gate),
        gate_bias=build.placed(gate_bias),
        gate_scale=build.placed(build.tensors(f"{attention}.grep_a", 1, heads, 1, 1)),
        heads=heads,
        alpha=alpha,
    )


def _padded(waveform: npt.NDArray[np.float32], samples: int) -> npt.NDArray[np.float32]:
    """At least `samples`, with zeros after it."""
    return np.pad(waveform, (0, max(0, samples - len(waveform))))
