"""A sample: one span of one media item (or of a pair), its key, and the members it has in a shard."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from schemas.digest import digest
from schemas.grid import Span, ns_to_seconds
from schemas.media import Modality

SAMPLE_VERSION = 2
_SLUG_LENGTH = 48

Conversation = Sequence[Mapping[str, str]]
_HASH_LENGTH = 16  # hex digits, 64 bits; 8 in version 1


@dataclass(frozen=True, slots=True)
class Source:
    """The file behind one modality of a sample.

    Attributes:
        timeline: version of the reading of just this file and span. 1: as favor-data 0.1.0 reads it.
    """

    uri: str
    sha256: str
    timeline: int = 1

    @classmethod
    def of_content(cls, uri: str, content: str) -> Source:
        """Inverse of `content`."""
        sha256, _, timeline = content.partition("+")
        return cls(uri, sha256, int(timeline or 1))

    @property
    def content(self) -> str:
        """What features were made of: the bytes' SHA-256, with the timeline's version where it is not 1."""
        return self.sha256 if self.timeline == 1 else f"{self.sha256}+{self.timeline}"


@dataclass(frozen=True, slots=True)
class Feature:
    """One column of a sample: its encoder's fingerprint (hex), array shape and dtype.

    Attributes:
        questions: ids of what was asked, a row of the first axis each; of a prompted column only.
    """

    fingerprint: str
    shape: tuple[int, ...]
    dtype: str
    questions: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Sample:
    """The content of `KEY.json`.

    Attributes:
        span: in the media's own time (zero: the container's earliest presentation time).
        frame_times: presentation time, in seconds of the media's time, of each step's frame; None: missing.
            A still image counts as shown from 0.0 on.
        audio_mask, visual_mask: 0 or 1 a step.
        features: those in the same shard.
        remarks: what the media had about them, as schemas/reasons.py has it; not stored where there is none.
    """

    key: str
    id: str
    span: Span
    steps: int
    media: Mapping[Modality, Source]
    frame_times: Sequence[float | None]
    audio_mask: Sequence[int]
    visual_mask: Sequence[int]
    features: Mapping[str, Feature]
    remarks: Sequence[str] = ()

    def to_json(self) -> dict[str, Any]:
        """As stored; `span` in seconds beside the exact `span_ns`."""
        return {
            "version": SAMPLE_VERSION,
            "key": self.key,
            "id": self.id,
            "span": [ns_to_seconds(self.span.start_ns), ns_to_seconds(self.span.end_ns)],
            "span_ns": [self.span.start_ns, self.span.end_ns],
            "steps": self.steps,
            "media": {
                str(modality): {"uri": source.uri, "sha256": source.sha256}
                for modality, source in sorted(self.media.items())
            },
            "frame_times": list(self.frame_times),
            "audio_mask": list(self.audio_mask),
            "visual_mask": list(self.visual_mask),
            "features": {
                column: {
                    "fingerprint": feature.fingerprint,
                    "shape": list(feature.shape),
                    "dtype": feature.dtype,
                    **({"questions": list(feature.questions)} if feature.questions else {}),
                }
                for column, feature in sorted(self.features.items())
            },
            **({"remarks": list(self.remarks)} if self.remarks else {}),
        }


def questions_of(conversations: Iterable[Conversation]) -> tuple[str, ...]:
    """What is asked: the first turn of each conversation, each text once, sorted, so that they do not change
    their places with the answers. Rows of a prompted column are in this order."""
    return tuple(sorted({talk[0]["value"] for talk in conversations if talk}))


def question_id(question: str) -> str:
    """What a question is called beside a prompted column: 16 hex digits."""
    return digest(question)[:_HASH_LENGTH]


def sample_key(sample_id: str, span: Span, digests: Mapping[Modality, str]) -> str:
    """`SLUG-START-HASH`: the id as far as file names allow, the start in milliseconds, and 16 hex
    digits of the whole id, span and content.

    Only ASCII letters, digits, `_` and `-`: no dot (WebDataset cuts names there), no slash.
    """
    ascii_id = unicodedata.normalize("NFKD", sample_id).encode("ascii", "ignore").decode()
    slug = re.sub(r"[^A-Za-z0-9_]+", "-", ascii_id).strip("-")[:_SLUG_LENGTH].rstrip("-") or "sample"
    identity = {
        "id": sample_id,
        "span": [span.start_ns, span.end_ns],
        "media": {str(modality): sha256 for modality, sha256 in digests.items()},
    }
    return f"{slug}-{span.start_ns // 1_000_000:09d}-{digest(identity)[:_HASH_LENGTH]}"
