"""faster-whisper's model.bin (CTranslate2) as an openai-whisper state dict, without the ctranslate2 package.

The layout, little-endian, as CTranslate2's Python writer has it (python/ctranslate2/specs/model_spec.py):

    u32 version | str spec | u32 revision | u32 variables
    each variable: str name | u8 rank | u32 dimension * rank | u8 dtype | u32 bytes | the data
    u32 aliases, each: str alias | str name

where str is u16 length (with its NUL) and the bytes. Quantised weights have a `..._scale` beside them.
"""

from __future__ import annotations

import mmap
import struct
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from featurizers.errors import ModelUnavailable

VERSION = 6
_DTYPES: dict[int, np.dtype[Any]] = {
    0: np.dtype("<f4"),
    1: np.dtype("i1"),
    2: np.dtype("<i2"),
    3: np.dtype("<i4"),
    4: np.dtype("<f2"),
    5: np.dtype("<u2"),  # bfloat16: the upper half of a float32
}
_BFLOAT16 = 5
_MAX_RANK = 8
_MAX_VARIABLES = 100_000

Array = npt.NDArray[Any]


class _Reader:
    """Reads from a buffer and never past its end."""

    def __init__(self, data: mmap.mmap) -> None:
        self.data = data
        self.at = 0

    def take(self, count: int) -> int:
        """Offset of the next `count` bytes."""
        start, self.at = self.at, self.at + count
        if self.at > len(self.data):
            raise ModelUnavailable("model.bin is cut short: copy it again")
        return start

    def numbers(self, layout: str) -> tuple[int, ...]:
        layout = "<" + layout
        return struct.unpack_from(layout, self.data, self.take(struct.calcsize(layout)))

    def string(self) -> str:
        (length,) = self.numbers("H")
        start = self.take(length)
        return self.data[start : start + length].rstrip(b"\0").decode("utf-8", errors="replace")


def read_variables(path: Path) -> dict[str, Array]:
    """Every variable of a model.bin, dequantised: floats become float32, integers stay.

    Raises:
        ModelUnavailable: not a model.bin of version 6, cut short, or with impossible sizes.
    """
    with path.open("rb") as file:
        if path.stat().st_size == 0:
            raise ModelUnavailable(f"{path} is empty")
        with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
            reader = _Reader(data)
            (version,) = reader.numbers("I")
            if version != VERSION:
                raise ModelUnavailable(
                    f"{path}: CTranslate2 version {version}, not {VERSION}: convert it anew"
                )
            spec, _revision = reader.string(), reader.numbers("I")
            if spec != "WhisperSpec":
                raise ModelUnavailable(f"{path} holds a {spec[:40]!r}, not a Whisper model")
            (count,) = reader.numbers("I")
            if count > _MAX_VARIABLES:
                raise ModelUnavailable(f"{path}: {count} variables cannot be: not a model.bin")
            raw = dict(_variable(reader) for _ in range(count))
    return {
        name: _dequantised(value, raw.get(f"{name}_scale"))
        for name, value in raw.items()
        if not name.endswith("_scale")
    }


def _variable(reader: _Reader) -> tuple[str, Array]:
    name = reader.string()
    (rank,) = reader.numbers("B")
    if rank > _MAX_RANK:
        raise ModelUnavailable(f"model.bin: {name[:60]!r} has {rank} axes: not a model.bin")
    shape = reader.numbers(f"{rank}I")
    kind, size = reader.numbers("BI")
    dtype = _DTYPES.get(kind)
    if dtype is None:
        raise ModelUnavailable(f"model.bin: {name[:60]!r} has the unknown dtype {kind}")
    elements = 1
    for dimension in shape:
        elements *= dimension
    if elements * dtype.itemsize != size:
        raise ModelUnavailable(f"model.bin: {name[:60]!r} has {size} bytes for {list(shape)} {dtype}")
    start = reader.take(size)
    value = np.frombuffer(reader.data[start : start + size], dtype).reshape(shape)
    if kind == _BFLOAT16:
        value = (value.astype(np.uint32) << 16).view(np.float32)
    return name, value


def _dequantised(value: Array, scale: Array | None) -> Array:
    if scale is not None:
        # CTranslate2 stores round(weight * scale), one scale a row (int8) or for all (int16).
        rows = scale.astype(np.float32).reshape(-1, *[1] * (value.ndim - 1)) if scale.ndim else scale
        return value.astype(np.float32) / rows
    return value.astype(np.float32) if value.dtype == np.float16 else value


def read_checkpoint(directory: Path) -> dict[str, Any]:
    """{"dims", "model_state_dict"} as in an openai-whisper `.pt`, float32.

    Raises:
        ModelUnavailable: no model.bin, or one that is not a Whisper model.
    """
    variables = read_variables(directory / "model.bin")
    try:
        return {"dims": _dimensions(variables), "model_state_dict": _state_dict(variables)}
    except KeyError as error:
        raise ModelUnavailable(f"{directory / 'model.bin'} lacks {error}") from error


def _layers(variables: Mapping[str, Array], side: str) -> int:
    return sum(
        name.startswith(f"{side}/layer_") and name.endswith("/ffn/linear_0/weight") for name in variables
    )


def _dimensions(variables: Mapping[str, Array]) -> dict[str, int]:
    conv = variables["encoder/conv1/weight"]
    audio, text = (variables[f"{side}/position_encodings/encodings"] for side in ("encoder", "decoder"))
    return {
        "n_mels": conv.shape[1],
        "n_audio_ctx": audio.shape[0],
        "n_audio_state": audio.shape[1],
        "n_audio_head": int(variables["encoder/num_heads"]),
        "n_audio_layer": _layers(variables, "encoder"),
        "n_vocab": variables["decoder/embeddings/weight"].shape[0],
        "n_text_ctx": text.shape[0],
        "n_text_state": text.shape[1],
        "n_text_head": int(variables["decoder/num_heads"]),
        "n_text_layer": _layers(variables, "decoder"),
    }


def _state_dict(variables: Mapping[str, Array]) -> dict[str, torch.Tensor]:
    state: dict[str, Array] = {
        "encoder.positional_embedding": variables["encoder/position_encodings/encodings"],
        "decoder.positional_embedding": variables["decoder/position_encodings/encodings"],
        "decoder.token_embedding.weight": variables["decoder/embeddings/weight"],
    }
    for conv in ("conv1", "conv2"):
        state[f"encoder.{conv}.weight"] = variables[f"encoder/{conv}/weight"]
        state[f"encoder.{conv}.bias"] = variables[f"encoder/{conv}/bias"]
    for side, norm in (("encoder", "ln_post"), ("decoder", "ln")):
        _put_norm(state, f"{side}.{norm}", variables, f"{side}/layer_norm")
        for layer in range(_layers(variables, side)):
            block, source = f"{side}.blocks.{layer}", f"{side}/layer_{layer}"
            _put_norm(state, f"{block}.attn_ln", variables, f"{source}/self_attention/layer_norm")
            _put_linears(
                state,
                f"{block}.attn",
                ("query", "key", "value"),
                variables,
                f"{source}/self_attention/linear_0",
            )
            _put_linears(state, f"{block}.attn", ("out",), variables, f"{source}/self_attention/linear_1")
            _put_norm(state, f"{block}.mlp_ln", variables, f"{source}/ffn/layer_norm")
            _put_linears(state, f"{block}.mlp", ("0",), variables, f"{source}/ffn/linear_0")
            _put_linears(state, f"{block}.mlp", ("2",), variables, f"{source}/ffn/linear_1")
            if side == "decoder":
                cross = f"{block}.cross_attn"
                _put_norm(state, f"{cross}_ln", variables, f"{source}/attention/layer_norm")
                _put_linears(state, cross, ("query",), variables, f"{source}/attention/linear_0")
                _put_linears(state, cross, ("key", "value"), variables, f"{source}/attention/linear_1")
                _put_linears(state, cross, ("out",), variables, f"{source}/attention/linear_2")
    return {name: torch.from_numpy(np.array(value, np.float32)) for name, value in state.items()}


def _put_norm(state: dict[str, Array], target: str, variables: Mapping[str, Array], source: str) -> None:
    state[f"{target}.weight"] = variables[f"{source}/gamma"]
    state[f"{target}.bias"] = variables[f"{source}/beta"]


def _put_linears(
    state: dict[str, Array], target: str, names: tuple[str, ...], variables: Mapping[str, Array], source: str
) -> None:
    """Parts of one fused projection, in order. Whisper's key has no bias, CTranslate2's is zero."""
    weights = np.split(variables[f"{source}/weight"], len(names))
    biases = np.split(variables[f"{source}/bias"], len(names))
    for name, weight, bias in zip(names, weights, biases, strict=True):
        state[f"{target}.{name}.weight"] = weight
        if name != "key":
            state[f"{target}.{name}.bias"] = bias
