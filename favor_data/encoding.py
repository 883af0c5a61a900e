"""`featurizer`: one of the encoders that fill a corpus's columns, for one clip at a time."""

from __future__ import annotations

from functools import cached_property
from typing import Any

import numpy as np

from favor_data.decoding import Clip
from featurizers.featurizer import Encoder, Features, Featurizer
from featurizers.registry import load, load_transcriber, resolve
from featurizers.running.sharing import distinct
from featurizers.whisper.description import Transcription, WhisperFeaturizer
from pipelines.errors import UsageError
from schemas.features import Fingerprint
from schemas.grid import Span
from schemas.media import Modality


class ClipEncoder:
    """An encoder whose weights are read when the first clip comes.

    Attributes:
        featurizer: its description.
    """

    def __init__(self, featurizer: Featurizer) -> None:
        self.featurizer = featurizer

    @property
    def fingerprint(self) -> Fingerprint:
        """Everything that can change a feature's bytes; corpus.json holds its digest for every column."""
        return self.featurizer.fingerprint()

    def encode(self, clip: Clip) -> Features:
        """The clip's features step by step, the same as a build's.

        Returns:
            `array` float16: pictures [steps, tokens, width], sound [steps, 25, width], zero where the clip's
            mask is 0; or rows of the encoder's own rate (`featurizer.rate`).

        Raises:
            ModelUnavailable: the weights cannot be had.
            UsageError: the clip has no sound, or no pictures, for this encoder.
        """
        sound = self.featurizer.modality is Modality.AUDIO
        mask = clip.audio_mask if sound else clip.visual_mask
        if not mask.any():
            raise UsageError(f"{clip!r} has no {'sound' if sound else 'pictures'} to encode")
        if sound and self.featurizer.rate is not None:
            assert clip.sound is not None
            return self._encoder.encode([clip.sound])[0]
        made, rows = self._sound(clip) if sound else self._pictures(clip)
        array = made.array[rows]
        array[~mask] = 0
        return Features(array)

    def words(self, clip: Clip, language: str | None = None) -> dict[str, Any]:
        """What is said in the clip, as `KEY.words.json` has it; times in the media's own time.

        The clip is heard by itself. A build hears the whole file, so that a clip's first words have what was
        said before them.

        Args:
            language: Whisper's code; None: detected.

        Raises:
            ModelUnavailable: the weights cannot be had, or do not know the language.
            UsageError: the encoder is none of Whisper's, or the clip has no sound.
        """
        if not isinstance(self.featurizer, WhisperFeaturizer):
            raise UsageError(f"{self!r} hears no words: take a whisper:MODEL")
        if clip.sound is None:
            raise UsageError(f"{clip!r} has no sound to hear")
        listener = load_transcriber(Transcription(self.featurizer, language), self._encoder).listener()
        listener.hear(clip.sound)
        return listener.finish().later(clip.span_ns[0]).record(Span(*clip.span_ns))

    def _sound(self, clip: Clip) -> tuple[Features, list[int]]:
        assert clip.sound is not None
        [made] = self._encoder.encode([clip.sound])
        return made, list(range(len(clip.audio_mask)))

    def _pictures(self, clip: Clip) -> tuple[Features, list[int]]:
        """Pictures that are the same once they are prepared are encoded once."""
        assert clip.frames is not None
        described = self.featurizer
        transform = described.still_transform() if clip.is_image else described.frame_transform()
        assert transform is not None, "an encoder of pictures prepares them"
        shown = [np.asarray(transform(frame)) for frame in clip.frames[clip.visual_mask]]
        firsts, numbers = distinct(shown)
        [made] = self._encoder.encode([np.stack([shown[first] for first in firsts])])
        rows = np.zeros(clip.steps, np.int64)
        rows[clip.visual_mask] = numbers
        return made, rows.tolist()

    @cached_property
    def _encoder(self) -> Encoder:
        return load(self.featurizer)

    def __repr__(self) -> str:
        made = self.featurizer
        untrained = ", UNTRAINED weights" if made.untrained else ""
        at = f"{made.arithmetic.dtype} on {made.arithmetic.device}"
        return f"<ClipEncoder {made.kind}:{made.model} of {made.modality}, {at}{untrained}>"


def featurizer(
    spec: str,
    *,
    device: str = "auto",
    dtype: str = "auto",
    fit: str = "crop",
    clip_tokens: str = "patch",
) -> ClipEncoder:
    """The encoder KIND:MODEL, as `favor-data build --encode COLUMN=KIND:MODEL` takes it.

    `featurizer("clip:openai/clip-vit-large-patch14").encode(decode("talk.mp4"))`. Options as the command's.

    Raises:
        ModelUnavailable: an unknown kind, model, size, device or option; one line that names the choices.
    """
    described = resolve(
        "features",
        spec,
        device=device,
        dtype=dtype,
        fit=fit,
        clip_tokens=clip_tokens,
    )
    return ClipEncoder(described)
