"""Hugging Face's audio models, loaded: windows of sound in, vectors in order of time out."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
import transformers
from torch import Tensor

from featurizers.audio.hugging_face import STRIDED, HuggingFaceAudioFeaturizer
from featurizers.errors import ModelUnavailable
from featurizers.featurizer import Features
from featurizers.running import checkpoints
from featurizers.running.batches import FixedBatches
from featurizers.running.transfer import upload
from schemas.grid import SAMPLE_RATE

Waveform = npt.NDArray[np.float32]
_AST_EXTRA = 2  # its class and its distillation token
_NOT_HEARD = ("decoder.", "text_", "masked_spec_embed")  # parts that do not encode
_CLASSES = {
    "whisper": ("WhisperModel", "WhisperFeatureExtractor"),
    "audio-spectrogram-transformer": ("ASTModel", "ASTFeatureExtractor"),
    "clap": ("ClapModel", "ClapFeatureExtractor"),
    "wav2vec2": ("Wav2Vec2Model", "Wav2Vec2FeatureExtractor"),
    "hubert": ("HubertModel", "Wav2Vec2FeatureExtractor"),
    "wavlm": ("WavLMModel", "Wav2Vec2FeatureExtractor"),
}


def load(featurizer: HuggingFaceAudioFeaturizer) -> HuggingFaceAudioEncoder:
    """The encoder that a featurizer describes.

    Raises:
        ModelUnavailable: weights that cannot be read, or lack a part of the model.
    """
    return HuggingFaceAudioEncoder(featurizer)


class HuggingFaceAudioEncoder:
    """A loaded encoder. Several threads may share one."""

    def __init__(self, featurizer: HuggingFaceAudioFeaturizer) -> None:
        self._layout = featurizer.layout()
        self._arithmetic = featurizer.arithmetic
        model, self._extract = _read(featurizer)
        self._model = model.eval().to(self._arithmetic.device, self._arithmetic.torch_dtype)
        config = model.config.audio_config if self._layout.family == "clap" else model.config
        self._width = int(config.hidden_size)
        self._lock = threading.Lock()
        self._batches = FixedBatches(1)  # a window by itself: the last one may be shorter

    def encode(self, inputs: Sequence[npt.NDArray[Any]]) -> list[Features]:
        """float32 [n] -> float16 [steps, vectors, d], or [rows, vectors, d], each."""
        for waveform in inputs:
            if waveform.dtype != np.float32 or waveform.ndim != 1:
                found = f"{waveform.dtype} {list(waveform.shape)}"
                raise ValueError(f"a waveform must be float32 [n], mono, 16 kHz, not {found}")
        with self._lock:
            return [Features(self._encode(waveform)) for waveform in inputs]

    def _encode(self, waveform: Waveform) -> npt.NDArray[np.float16]:
        size = self._layout.window
        windows = [waveform[at : at + size] for at in range(0, max(1, len(waveform)), size)]
        made = np.concatenate([self._window(window) for window in windows])
        steps = self._layout.rows_per_step
        return made.reshape(-1, steps * made.shape[1], made.shape[2]) if steps else made

    def _window(self, window: Waveform) -> npt.NDArray[np.float16]:
        """[rows, vectors, d]"""
        rows = self._layout.rows_of(len(window))
        shape = (rows, self._layout.vectors, self._width)

        def forward(prepared: Sequence[npt.NDArray[Any]], size: int) -> Tensor:
            return self._forward(prepared, size)[:, :rows]

        made: npt.NDArray[np.float16] = self._batches.run([[self._prepared(window, rows)]], shape, forward)[
            0
        ][0]
        return made

    def _prepared(self, window: Waveform, rows: int) -> npt.NDArray[np.float32]:
        """What the model reads: a spectrogram, or a waveform that is long enough for `rows`."""
        if self._layout.family == "clap":  # of 48 kHz
            import torchaudio.functional

            rate = self._extract.sampling_rate
            window = torchaudio.functional.resample(torch.from_numpy(window), SAMPLE_RATE, rate).numpy()
            given = self._extract(window, sampling_rate=rate, truncation="rand_trunc", return_tensors="np")
            return np.asarray(given["input_features"][0], np.float32)
        given = self._extract(window, sampling_rate=SAMPLE_RATE, return_tensors="np")
        made = np.asarray(given[self._extract.model_input_names[0]][0], np.float32)
        if self._layout.family in STRIDED:
            made = np.pad(made, (0, max(0, self._needed(rows) - len(made))))
        return made

    def _needed(self, rows: int) -> int:
        """Samples that convolutions without padding make `rows` of."""
        config = self._model.config
        for kernel, stride in zip(reversed(config.conv_kernel), reversed(config.conv_stride), strict=True):
            rows = (rows - 1) * stride + kernel
        return rows

    @torch.inference_mode()
    def _forward(self, prepared: Sequence[npt.NDArray[Any]], size: int) -> Tensor:
        """[size, rows, vectors, d]"""
        given = upload(prepared, (size, *prepared[0].shape), self._arithmetic.device)
        given = given.to(self._arithmetic.torch_dtype)
        layout, model = self._layout, self._model
        hidden: Tensor
        match layout.family:
            case "whisper":
                hidden = model.get_encoder()(given).last_hidden_state[:, :, None]
            case "clap":
                hidden = model.audio_model(input_features=given).last_hidden_state.permute(0, 3, 2, 1)
            case "audio-spectrogram-transformer":
                patches = model(given).last_hidden_state[:, _AST_EXTRA:]  # by bands, then by time
                hidden = patches.unflatten(1, (layout.vectors, -1)).transpose(1, 2)
            case _:
                hidden = model(given).last_hidden_state[:, :, None]
        return hidden


def _read(featurizer: HuggingFaceAudioFeaturizer) -> tuple[Any, Any]:
    """Model and feature extractor."""
    folder = checkpoints.folder(featurizer.model)
    model_name, extractor_name = _CLASSES[featurizer.layout().family]
    try:
        model, said = getattr(transformers, model_name).from_pretrained(
            folder, local_files_only=True, output_loading_info=True
        )
        extract = getattr(transformers, extractor_name).from_pretrained(folder, local_files_only=True)
    except (OSError, ValueError, KeyError, RuntimeError) as error:
        detail = (str(error).strip().splitlines() or [type(error).__name__])[0]
        raise ModelUnavailable(f"{featurizer.model!r} cannot be read: {detail}") from error
    missing = sorted(name for name in said["missing_keys"] if not name.startswith(_NOT_HEARD))
    if missing:
        raise ModelUnavailable(f"{featurizer.model!r} lacks {missing[0]}")
    return model, extract
