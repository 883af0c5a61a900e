"""The small records that travel between the job's steps."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from schemas.digest import digest
from schemas.grid import Span
from schemas.media import MediaInfo, Modality
from schemas.reasons import Reason, Stage
from schemas.sample import Source

Row = dict[str, Any]  # of the index or the ledger


@dataclass(frozen=True)
class Rejection:
    """Why an input, or a part of it, gave no sample."""

    stage: Stage
    reason: Reason
    detail: str


@dataclass(frozen=True)
class Probed:
    """One file, read once: its bytes' digest and what it holds."""

    sha256: str
    info: MediaInfo


@dataclass(frozen=True)
class PlannedSample:
    """One sample to be: everything but its features.

    `media` holds what the files do hold: a video with sound appears under both modalities.
    """

    key: str
    id: str
    span: Span
    media: Mapping[Modality, Source]
    conversations: tuple[tuple[Mapping[str, str], ...], ...]
    metadata: Mapping[str, Any]
    inputs: tuple[str, ...]

    def content(self, products: list[str]) -> str:
        """SHA-256, hex, of all that decides the sample's bytes; equal content need not be built again."""
        return digest(
            {
                "key": self.key,
                "id": self.id,
                "span": [self.span.start_ns, self.span.end_ns],
                "media": {str(m): [source.uri, source.content] for m, source in self.media.items()},
                "conversations": self.conversations,
                "metadata": self.metadata,
                "products": products,
            }
        )


@dataclass(frozen=True)
class SampleOutcome:
    """What became of one sample of an input; `rejection` None: it is in the corpus."""

    key: str
    rejection: Rejection | None = None


@dataclass(frozen=True)
class InputOutcome:
    """What became of one input, or of a part of it: samples written, or why not."""

    samples: tuple[SampleOutcome, ...] = field(default=())
    rejection: Rejection | None = None


AccountOfInput = tuple[str, InputOutcome]  # by the input's name
