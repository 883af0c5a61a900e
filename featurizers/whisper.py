"""Whisper's encoder on sound of any length: 25 vectors of every 0.5 s step, and the words if wanted."""

from __future__ import annotations

import os
import socket
import threading
import urllib.error
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt
import torch
import torch.nn.functional as F  # noqa: N812
import whisper
from torch import Tensor
from whisper.audio import N_FRAMES, N_SAMPLES, log_mel_spectrogram, pad_or_trim
from whisper.model import AudioEncoder, ModelDimensions, Whisper, sinusoids

from featurizers import checkpoints, ctranslate2, untrained
from featurizers.arithmetic import Arithmetic
from featurizers.batches import FixedBatches
from featurizers.featurizer import Encoder, Features, Featurizer, ModelUnavailable
from featurizers.transcribe import Transcriber
from featurizers.transformer import Block, Linear, Norm
from schemas.features import Fingerprint
from schemas.grid import SAMPLES_PER_STEP, VECTORS_PER_STEP
from schemas.media import Modality

BATCH_CPU, BATCH_GPU = 1, 16
SAMPLES_PER_WINDOW: int = N_SAMPLES
_DOWNLOAD_TIMEOUT_S = 20

# name -> width, heads, encoder layers, decoder layers, mel bands, vocabulary (openai-whisper's checkpoints)
_SHAPES = {
    "tiny.en": (384, 6, 4, 4, 80, 51864),
    "tiny": (384, 6, 4, 4, 80, 51865),
    "base.en": (512, 8, 6, 6, 80, 51864),
    "base": (512, 8, 6, 6, 80, 51865),
    "small.en": (768, 12, 12, 12, 80, 51864),
    "small": (768, 12, 12, 12, 80, 51865),
    "medium.en": (1024, 16, 24, 24, 80, 51864),
    "medium": (1024, 16, 24, 24, 80, 51865),
    "large-v1": (1280, 20, 32, 32, 80, 51865),
    "large-v2": (1280, 20, 32, 32, 80, 51865),
    "large-v3": (1280, 20, 32, 32, 128, 51866),
    "large": (1280, 20, 32, 32, 128, 51866),
    "large-v3-turbo": (1280, 20, 32, 4, 128, 51866),
    "turbo": (1280, 20, 32, 4, 128, 51866),
}


def untrained_dimensions(size: str) -> dict[str, int]:
    """openai-whisper's ModelDimensions of a name."""
    width, heads, layers, text_layers, mels, vocabulary = _SHAPES[size]
    return {
        "n_mels": mels,
        "n_audio_ctx": 1500,
        "n_audio_state": width,
        "n_audio_head": heads,
        "n_audio_layer": layers,
        "n_vocab": vocabulary,
        "n_text_ctx": 448,
        "n_text_state": width,
        "n_text_head": heads,
        "n_text_layer": text_layers,
    }


@dataclass(frozen=True)
class WhisperFeaturizer(Featurizer):
    """float32 [n] mono 16 kHz waveform of any length -> float16 [ceil(n / 8000), 25, d].

    Attributes:
        model: an openai-whisper name, a `.pt` file, a faster-whisper (CTranslate2) directory, or
            `random:SIZE`.
        arithmetic: resolved device and dtype.
        transcribe: also give the words.
    """

    model: str
    arithmetic: Arithmetic
    transcribe: bool = False
    modality: ClassVar[Modality] = Modality.AUDIO

    def __post_init__(self) -> None:
        if self.untrained:
            if self._size not in _SHAPES:
                raise ModelUnavailable(
                    f"unknown size {self.model!r}: choose random:SIZE, SIZE one of {_names()}"
                )
            if self.transcribe:
                raise ModelUnavailable(f"{self.model!r} knows no words: leave out --transcribe")
        elif self.model not in _SHAPES:
            self._path()

    @property
    def untrained(self) -> bool:
        return self.model.startswith("random:")

    @property
    def _size(self) -> str:
        return self.model.removeprefix("random:")

    def _path(self) -> Path:
        """The file that holds the weights: a `.pt`, or a directory's model.bin."""
        path = Path(self.model).expanduser()
        if path.is_dir():
            path /= "model.bin"
        if not path.is_file():
            raise ModelUnavailable(
                f"no Whisper model {self.model!r}: give a .pt file, a faster-whisper directory, "
                f"random:SIZE or one of {_names()}"
            )
        return path

    def fingerprint(self) -> Fingerprint:
        options = {"transcribe": "greedy-1"} if self.transcribe else {}
        return Fingerprint("whisper", self._weights_digest(), "log-mel-30s-1", self.arithmetic.dtype, options)

    def _weights_digest(self) -> str:
        if self.untrained:
            return untrained.untrained_digest(untrained_dimensions(self._size))
        if self.model in _SHAPES:
            # The loader refuses a file whose SHA-256 is not the one in its URL.
            return str(whisper._MODELS[self.model].split("/")[-2])
        return checkpoints.file_digest(self._path())

    def rows(self, item: npt.NDArray[Any]) -> int:
        return -(-len(item) // SAMPLES_PER_WINDOW)

    @property
    def rows_per_call(self) -> int:
        return 16 if self.arithmetic.device == "cpu" else 4 * BATCH_GPU

    def prepare(self) -> None:
        self.fingerprint()
        if self.model in _SHAPES:
            _download(self.model)

    def load(self) -> Encoder:
        if self.untrained:
            return WhisperEncoder(self._untrained_encoder(), self.arithmetic)
        model = self._load_whisper()
        encoder = WhisperEncoder(model.encoder, self.arithmetic)
        if self.transcribe:
            half = self.arithmetic.device.startswith("cuda") and self.arithmetic.dtype != "float32"
            encoder.transcriber = Transcriber(model, self.arithmetic.device, half)
        return encoder

    def _untrained_encoder(self) -> AudioEncoder:
        dims = untrained_dimensions(self._size)
        shape = [
            dims[f"n_{name}"] for name in ("mels", "audio_ctx", "audio_state", "audio_head", "audio_layer")
        ]
        with torch.device("meta"):
            encoder = AudioEncoder(*shape)
        encoder.to_empty(device="cpu")
        untrained.fill(encoder)
        encoder.positional_embedding = sinusoids(dims["n_audio_ctx"], dims["n_audio_state"])
        return encoder

    def _load_whisper(self) -> Whisper:
        path = _download(self.model) if self.model in _SHAPES else self._path()
        converted = path.name == "model.bin"
        checkpoint = ctranslate2.read_checkpoint(path.parent) if converted else _read_pt(path)
        try:
            model = Whisper(ModelDimensions(**checkpoint["dims"]))
            model.load_state_dict(checkpoint["model_state_dict"])
        except (KeyError, TypeError, ValueError, RuntimeError) as error:
            detail = str(error).strip().splitlines()[0]
            raise ModelUnavailable(f"{self.model!r} is not an openai-whisper checkpoint: {detail}") from error
        if model.dims.n_audio_ctx * 2 != N_FRAMES:
            raise ModelUnavailable(
                f"{self.model!r} has windows of {model.dims.n_audio_ctx} vectors, not 1500"
            )
        return model


def _names() -> str:
    return ", ".join(_SHAPES)


def _read_pt(path: Path) -> dict[str, Any]:
    try:
        checkpoint = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # torch raises whatever a broken pickle makes it raise
        detail = (str(error).strip().splitlines() or [type(error).__name__])[0]
        raise ModelUnavailable(f"{path} is not a PyTorch checkpoint of plain tensors: {detail}") from error
    if not isinstance(checkpoint, dict) or not {"dims", "model_state_dict"} <= checkpoint.keys():
        raise ModelUnavailable(f"{path} is not an openai-whisper checkpoint: no dims and model_state_dict")
    return checkpoint


def _download(name: str) -> Path:
    """The named checkpoint in openai-whisper's own cache, its SHA-256 checked by whisper's loader."""
    root = Path(os.getenv("XDG_CACHE_HOME", Path.home() / ".cache")) / "whisper"
    try:
        with _socket_timeout(_DOWNLOAD_TIMEOUT_S):
            return Path(whisper._download(whisper._MODELS[name], str(root), False))
    except (urllib.error.URLError, OSError, RuntimeError) as error:
        raise ModelUnavailable(
            f"Whisper {name!r} cannot be downloaded ({error}): put it into {root}, or give a .pt file, "
            "a faster-whisper directory or random:SIZE"
        ) from error


@contextmanager
def _socket_timeout(seconds: float) -> Iterator[None]:
    before = socket.getdefaulttimeout()
    socket.setdefaulttimeout(seconds)  # whisper's loader sets none, and would hang
    try:
        yield
    finally:
        socket.setdefaulttimeout(before)


class WhisperEncoder:
    """A loaded encoder. The transformer is openai-whisper's, laid out anew for speed."""

    def __init__(self, encoder: AudioEncoder, arithmetic: Arithmetic) -> None:
        self.arithmetic = arithmetic
        self.mels: int = encoder.conv1.in_channels
        self.row_shape = tuple(encoder.positional_embedding.shape)
        self.batches = FixedBatches(BATCH_CPU if arithmetic.device == "cpu" else BATCH_GPU)
        self.transcriber: Transcriber | None = None
        self._silence: npt.NDArray[np.float16] | None = None
        self._lock = threading.Lock()
        device, dtype = arithmetic.device, arithmetic.torch_dtype
        with torch.inference_mode():
            self.convolutions = [
                (conv.weight.to(device, dtype), conv.bias.to(device, dtype), conv.stride[0])
                for conv in (encoder.conv1, encoder.conv2)
            ]
            self.positions = encoder.positional_embedding.to(device, dtype)
            self.blocks = [_block(block, arithmetic) for block in encoder.blocks]
            self.last_norm = _norm(encoder.ln_post, arithmetic)

    def encode(self, inputs: Sequence[npt.NDArray[Any]]) -> list[Features]:
        """float32 [n] -> float16 [ceil(n / 8000), 25, d], each."""
        for waveform in inputs:
            if waveform.dtype != np.float32 or waveform.ndim != 1:
                found = f"{waveform.dtype} {list(waveform.shape)}"
                raise ValueError(f"a waveform must be float32 [n], mono, 16 kHz, not {found}")
        with self._lock:
            return self._encode(inputs)

    def _encode(self, inputs: Sequence[npt.NDArray[Any]]) -> list[Features]:
        windows = [[w[at : at + N_SAMPLES] for at in range(0, len(w), N_SAMPLES)] for w in inputs]
        sounding = [[window for window in row if window.any()] for row in windows]
        encoded = self.batches.run(sounding, self.row_shape, self._forward)
        results = []
        for waveform, row, vectors in zip(inputs, windows, encoded, strict=True):
            found = iter(vectors)
            parts = [next(found) if window.any() else None for window in row]
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

    @torch.inference_mode()
    def _forward(self, windows: Sequence[npt.NDArray[Any]], size: int) -> Tensor:
        """[size, 1500, d] of waveforms of at most 30 s."""
        device = self.arithmetic.device
        mel = torch.zeros(size, self.mels, N_FRAMES, device=device, dtype=self.arithmetic.torch_dtype)
        for row, window in zip(mel, windows, strict=False):
            # One by one: log_mel_spectrogram clamps to the loudest value of all that it is given.
            row.copy_(log_mel_spectrogram(pad_or_trim(torch.tensor(window)), self.mels, device=device))
        x = mel
        for weight, bias, stride in self.convolutions:
            x = F.gelu(F.conv1d(x, weight, bias, stride=stride, padding=1))
        x = x.transpose(1, 2).contiguous() + self.positions
        for block in self.blocks:
            x = block(x)
        return self.last_norm(x)


def _block(block: Any, arithmetic: Arithmetic) -> Block:
    device, dtype = arithmetic.device, arithmetic.torch_dtype
    query, key, value = block.attn.query, block.attn.key, block.attn.value
    up, down = block.mlp[0], block.mlp[2]
    return Block(
        attention_norm=_norm(block.attn_ln, arithmetic),
        qkv=Linear(
            torch.cat([query.weight, key.weight, value.weight]),
            torch.cat([query.bias, torch.zeros_like(query.bias), value.bias]),
            device,
            dtype,
        ),
        out=Linear(block.attn.out.weight, block.attn.out.bias, device, dtype),
        mlp_norm=_norm(block.mlp_ln, arithmetic),
        up=Linear(up.weight, up.bias, device, dtype, "gelu"),
        down=Linear(down.weight, down.bias, device, dtype),
        heads=block.attn.n_head,
    )


def _norm(norm: Any, arithmetic: Arithmetic) -> Norm:
    device, dtype = arithmetic.device, arithmetic.torch_dtype
    return Norm(norm.weight.to(device, dtype), norm.bias.to(device, dtype), norm.eps)
