"""`KIND:MODEL`, as `--encode COLUMN=KIND:MODEL` has it, to a featurizer."""

from __future__ import annotations

from featurizers import arithmetic
from featurizers.clip import ClipFeaturizer, Tokens
from featurizers.featurizer import Featurizer, ModelUnavailable
from featurizers.whisper import WhisperFeaturizer

KINDS = ("whisper", "clip")


def resolve(
    column: str,
    spec: str,
    *,
    device: str = "auto",
    dtype: str = "auto",
    fit: str = "crop",
    clip_tokens: str = "patch",
    transcribe: bool = False,
) -> Featurizer:
    """The featurizer of one column ("whisper:large-v2", "clip:random:vit-b-32").

    Nothing is downloaded and no weights are read; `Featurizer.prepare` does the first.

    Args:
        column: for messages only.
        spec: KIND:MODEL.
        device: auto, cpu, cuda, cuda:N or mps.
        dtype: auto, float32, bfloat16 or float16.
        fit: crop or squash (pictures).
        clip_tokens: patch, cls or pool:NxN (pictures).
        transcribe: also give the words (Whisper).

    Raises:
        ModelUnavailable: an unknown kind, model, size, device or option; one line that names the choices.
    """
    kind, colon, model = spec.partition(":")
    chosen = arithmetic.choose(device, dtype)
    if colon and model and kind == "whisper":
        return WhisperFeaturizer(model, chosen, transcribe)
    if colon and model and kind == "clip":
        return ClipFeaturizer(model, chosen, fit, Tokens.parse(clip_tokens))
    raise ModelUnavailable(
        f"column {column!r}: {spec!r} is not KIND:MODEL with KIND one of {', '.join(KINDS)}"
    )
