"""Kinds of encoders by name: `KIND:MODEL`, as `--encode COLUMN=KIND:MODEL` has it, to a featurizer, and a
featurizer to its loaded encoder."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from importlib.metadata import entry_points
from typing import TYPE_CHECKING, Any

from featurizers.audio.beats import BeatsFeaturizer
from featurizers.audio.hugging_face import HuggingFaceAudioFeaturizer
from featurizers.errors import ModelUnavailable
from featurizers.featurizer import Arithmetic, Encoder, Featurizer
from featurizers.running import arithmetic
from featurizers.vision.clip import ClipFeaturizer
from featurizers.vision.description import VisionFeaturizer
from featurizers.vision.hugging_face import HuggingFaceVisionFeaturizer
from featurizers.vision.qformer import EvaFeaturizer, PromptedFeaturizer, QFormerFeaturizer
from featurizers.vision.siglip import SiglipFeaturizer
from featurizers.vision.tokens import Tokens
from featurizers.whisper.description import Transcription, WhisperFeaturizer

if TYPE_CHECKING:
    from featurizers.whisper.transcribe import Transcriber

ENTRY_POINTS = "favor_data.featurizers"  # the group under which other packages bring kinds of their own


@dataclass(frozen=True)
class Settings:
    """What the command's options say to every kind; each takes of it what is its own."""

    arithmetic: Arithmetic
    fit: str = "crop"
    clip_tokens: str = "patch"
    prompt: str = ""
    audio_tail: bool = False


@dataclass(frozen=True)
class Kind:
    """What a kind of encoder brings.

    Attributes:
        describe: (model as named, settings) -> featurizer; reads no weights. Raises ModelUnavailable.
        load: that featurizer -> its encoder; imports torch only when it is called. Raises ModelUnavailable.
    """

    describe: Callable[[str, Settings], Featurizer]
    load: Callable[[Any], Encoder]


def _load_whisper(featurizer: WhisperFeaturizer) -> Encoder:
    from featurizers.whisper.encoder import load

    return load(featurizer)


def _load_audio(featurizer: HuggingFaceAudioFeaturizer) -> Encoder:
    from featurizers.audio.hugging_face_encoder import load

    return load(featurizer)


def _load_beats(featurizer: BeatsFeaturizer) -> Encoder:
    from featurizers.audio.beats_encoder import load

    return load(featurizer)


def _load_vision(featurizer: VisionFeaturizer) -> Encoder:
    from featurizers.vision.encoder import load

    return load(featurizer)


def _load_qformer(featurizer: QFormerFeaturizer) -> Encoder:
    from featurizers.vision.qformer_encoder import load

    return load(featurizer)


def _load_prompted(featurizer: PromptedFeaturizer) -> Encoder:
    from featurizers.vision.qformer_encoder import load_prompted

    return load_prompted(featurizer)


def _vision(described: type[VisionFeaturizer]) -> Kind:
    return Kind(
        lambda model, given: described(model, given.arithmetic, given.fit, Tokens.parse(given.clip_tokens)),
        _load_vision,
    )


_OWN = {
    "whisper": Kind(
        lambda model, given: WhisperFeaturizer(model, given.arithmetic, given.audio_tail), _load_whisper
    ),
    "clip": _vision(ClipFeaturizer),
    "siglip": _vision(SiglipFeaturizer),
    "eva": _vision(EvaFeaturizer),
    "vision": _vision(HuggingFaceVisionFeaturizer),
    "qformer": Kind(
        lambda model, given: QFormerFeaturizer(model, given.arithmetic, given.fit, prompt=given.prompt),
        _load_qformer,
    ),
    "prompted": Kind(
        lambda model, given: PromptedFeaturizer(model, given.arithmetic, given.fit, prompt=given.prompt),
        _load_prompted,
    ),
    "audio": Kind(lambda model, given: HuggingFaceAudioFeaturizer(model, given.arithmetic), _load_audio),
    "beats": Kind(
        lambda model, given: BeatsFeaturizer(model, given.arithmetic, given.audio_tail), _load_beats
    ),
}


@cache
def kinds() -> dict[str, Kind]:
    """Every kind by name: our own, and those of installed packages."""
    return {point.name: point.load() for point in entry_points(group=ENTRY_POINTS)} | _OWN


def resolve(
    column: str,
    spec: str,
    *,
    device: str = "auto",
    dtype: str = "auto",
    fit: str = "crop",
    clip_tokens: str = "patch",
    prompt: str = "",
    audio_tail: bool = False,
    gpu_workers: bool = False,
) -> Featurizer:
    """The featurizer of one column ("whisper:large-v2", "clip:random:vit-b-32").

    Nothing is downloaded and no weights are read; `Featurizer.prepare` does the first.

    Args:
        column: for messages only.
        spec: KIND:MODEL.
        device: auto, cpu, cuda, cuda:N or mps.
        dtype: auto, float32, bfloat16 or float16.
        fit: crop, squash or favor (pictures).
        clip_tokens: patch, cls, all or pool:NxN (pictures).
        prompt: what a Q-Former reads beside the picture (InstructBLIP).
        audio_tail: sound as FAVOR's and video-SALMONN's code hears it, with its padding.
        gpu_workers: other machines, which have NVIDIA GPUs, do the work.

    Raises:
        ModelUnavailable: an unknown kind, model, size, device or option; one line that names the choices.
    """
    kind, colon, model = spec.partition(":")
    chosen = arithmetic.choose(device, dtype, gpu_workers)
    if not (colon and model and kind in kinds()):
        raise ModelUnavailable(
            f"column {column!r}: {spec!r} is not KIND:MODEL with KIND one of {', '.join(kinds())}"
        )
    return kinds()[kind].describe(model, Settings(chosen, fit, clip_tokens, prompt, audio_tail))


def load_transcriber(transcription: Transcription, encoder: Encoder) -> Transcriber:
    """The decoder that belongs to a loaded encoder.

    Raises:
        ModelUnavailable: its weights cannot be read.
    """
    from featurizers.whisper.encoder import WhisperEncoder
    from featurizers.whisper.transcribe import load

    assert isinstance(encoder, WhisperEncoder)
    return load(transcription, encoder)


def load(featurizer: Featurizer) -> Encoder:
    """Reads the weights.

    Raises:
        ModelUnavailable: they cannot be found, fetched or understood.
    """
    return kinds()[featurizer.kind].load(featurizer)
