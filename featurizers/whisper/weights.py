"""Whisper's weights out of the files that they come in."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

import torch
import whisper
from torch import Tensor
from whisper.audio import N_FRAMES
from whisper.model import ModelDimensions, Whisper, sinusoids

from featurizers.errors import ModelUnavailable
from featurizers.running import untrained
from featurizers.running.tensors import unpickled
from featurizers.whisper import ctranslate2


def read(path: Path) -> tuple[ModelDimensions, dict[str, Tensor]]:
    """Dimensions and openai-whisper's state dict, of a `.pt` or a CTranslate2 model.bin.

    Raises:
        ModelUnavailable: it is neither, or not a Whisper model.
    """
    checkpoint = ctranslate2.read_checkpoint(path.parent) if path.name == "model.bin" else unpickled(path)
    dims, state = checkpoint.get("dims"), checkpoint.get("model_state_dict")
    if not isinstance(dims, dict) or not isinstance(state, dict):
        raise ModelUnavailable(f"{path} is not an openai-whisper checkpoint: no dims and model_state_dict")
    try:
        dimensions = ModelDimensions(**dims)
    except TypeError as error:
        raise ModelUnavailable(f"{path} is not an openai-whisper checkpoint: {error}") from error
    if dimensions.n_audio_ctx * 2 != N_FRAMES:
        raise ModelUnavailable(f"{path} has windows of {dimensions.n_audio_ctx} vectors, not 1500")
    for name, tensor in state.items():
        if not isinstance(tensor, Tensor):
            raise ModelUnavailable(f"{path}: {str(name)[:60]} is {type(tensor).__name__}, not a tensor")
    return dimensions, state


def whole_model(path: Path, dims: ModelDimensions, state: Mapping[str, Tensor]) -> Whisper:
    """openai-whisper's module, float32.

    Raises:
        ModelUnavailable: tensors are missing or do not fit.
    """
    try:
        model = Whisper(dims)
        model.load_state_dict(state)
    except (AttributeError, TypeError, ValueError, RuntimeError) as error:
        detail = " ".join(str(error).split())[:200]
        raise ModelUnavailable(f"{path} is not an openai-whisper checkpoint: {detail}") from error
    return model


def set_alignment_heads(model: Whisper, name: str, path: Path) -> None:
    """Tells the model which of its heads follow the sound: by its name, or by the `config.json` beside a
    model.bin; of other checkpoints all in the upper half of the layers, as whisper.load_model has it.

    Raises:
        ModelUnavailable: a `config.json` that names other heads than the model has.
    """
    config = path.with_name("config.json")
    if known := whisper._ALIGNMENT_HEADS.get(name):
        model.set_alignment_heads(known)
    elif path.name == "model.bin" and config.is_file():
        heads = torch.zeros(model.dims.n_text_layer, model.dims.n_text_head, dtype=torch.bool)
        try:
            layers, numbers = zip(*json.loads(config.read_bytes())["alignment_heads"], strict=True)
            heads[list(layers), list(numbers)] = True
        except (ValueError, KeyError, TypeError, IndexError) as error:
            raise ModelUnavailable(f"{config}: alignment_heads: {error}") from error
        model.register_buffer("alignment_heads", heads.to_sparse(), persistent=False)


def untrained_tensor(name: str, *shape: int) -> Tensor:
    """Seeded random weights; the positions are those that every Whisper has."""
    return sinusoids(*shape) if name == "positional_embedding" else untrained.tensor(name, *shape)
