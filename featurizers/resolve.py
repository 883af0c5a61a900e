"""`KIND:MODEL`, as `--encode COLUMN=KIND:MODEL` has it, to a featurizer."""

from __future__ import annotations

from collections.abc import Callable

from featurizers import arithmetic
from featurizers.arithmetic import Arithmetic
from featurizers.clip import ClipFeaturizer
from featurizers.featurizer import Featurizer, ModelUnavailable
from featurizers.qformer import EvaFeaturizer, QFormerFeaturizer
from featurizers.siglip import SiglipFeaturizer
from featurizers.tokens import Tokens
from featurizers.whisper import WhisperFeaturizer

VISION: dict[str, Callable[[str, Arithmetic, str, Tokens], Featurizer]] = {
    "clip": ClipFeaturizer,
    "siglip": SiglipFeaturizer,
    "eva": EvaFeaturizer,
}
KINDS = ("whisper", *VISION, "qformer")


def resolve(
    column: str,
    spec: str,
    *,
    device: str = "auto",
    dtype: str = "auto",
    fit: str = "crop",
    clip_tokens: str = "patch",
    transcribe: bool = False,
    prompt: str = "",
    gpu_workers: bool = False,
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
        prompt: what a Q-Former reads beside the picture (InstructBLIP).
        gpu_workers: other machines, which have NVIDIA GPUs, do the work.

    Raises:
        ModelUnavailable: an unknown kind, model, size, device or option; one line that names the choices.
    """
    kind, colon, model = spec.partition(":")
    chosen = arithmetic.choose(device, dtype, gpu_workers)
    if not (colon and model and kind in KINDS):
        raise ModelUnavailable(
            f"column {column!r}: {spec!r} is not KIND:MODEL with KIND one of {', '.join(KINDS)}"
        )
    if kind == "whisper":
        return WhisperFeaturizer(model, chosen, transcribe)
    if kind == "qformer":
        return QFormerFeaturizer(model, chosen, fit, prompt=prompt)
    return VISION[kind](model, chosen, fit, Tokens.parse(clip_tokens))
