"""Kinds of encoders by name: `KIND:MODEL`, as `--encode COLUMN=KIND:MODEL` has it, to a featurizer, and a
featurizer to its loaded encoder."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache, partial
from importlib import import_module
from importlib.metadata import entry_points
from pkgutil import iter_modules
from typing import TYPE_CHECKING

import featurizers.kinds
from featurizers.errors import ModelUnavailable
from featurizers.featurizer import Encoder, Featurizer, Kind, Settings
from featurizers.running import arithmetic
from featurizers.whisper.description import Transcription

if TYPE_CHECKING:
    from featurizers.whisper.transcribe import Transcriber

ENTRY_POINTS = "favor_data.featurizers"  # the group under which other packages bring kinds of their own


@cache
def kinds() -> dict[str, Callable[[], Kind]]:
    """What imports a kind, by its name: the files of featurizers/kinds, and those of installed packages."""
    found: dict[str, Callable[[], Kind]] = {
        point.name: point.load for point in entry_points(group=ENTRY_POINTS)
    }
    for module in iter_modules(featurizers.kinds.__path__):
        found[module.name] = partial(_own, module.name)
    return dict(sorted(found.items()))


def _own(name: str) -> Kind:
    kind: Kind = import_module(f"{featurizers.kinds.__name__}.{name}").KIND
    return kind


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
    return kinds()[kind]().describe(model, Settings(chosen, fit, clip_tokens, prompt, audio_tail))


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
    return kinds()[featurizer.kind]().load(featurizer)
