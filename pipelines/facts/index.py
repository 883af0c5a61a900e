"""What the index says of a sample, from what is made of it."""

from __future__ import annotations

import json
from collections.abc import Mapping

from pipelines.facts.headers import HEADERS
from pipelines.members import Masks, Members
from pipelines.records import Fresh, PlannedSample
from schemas.grid import Span
from schemas.media import Modality
from schemas.rows import Row
from schemas.selection.signals import MEMBERS, values_text
from schemas.words import spoken_share


def told(contents: Mapping[str, bytes], span: Span) -> Row:
    """The index's account of a transcript and of signals."""
    said: Row = {}
    if (content := contents.get("words.json")) is not None:
        record = json.loads(content)
        said |= {"words": len(record["words"]), "language": record["language"]}
        said["whisper_speech_share"] = spoken_share(record["words"], span)
    if (content := contents.get(MEMBERS[0])) is not None:
        said["signals"] = values_text(content)
    return said


def facts(sample: PlannedSample, masks: Masks) -> Row:
    """What is known of a sample as soon as it is decoded."""
    return {
        "key": sample.key,
        "id": sample.id,
        **dict(zip(HEADERS, sample.headers, strict=False)),
        "steps": len(masks.audio),
        "start_ns": sample.span.start_ns,
        "end_ns": sample.span.end_ns,
        "audio_steps": sum(masks.audio),
        "visual_steps": sum(masks.visual),
        "modalities": sorted(
            str(modality)
            for modality in sample.media
            if any(masks.audio if modality is Modality.AUDIO else masks.visual)
        ),
        "uris": {str(modality): source.uri for modality, source in sample.media.items()},
        "digests": {str(modality): source.content for modality, source in sample.media.items()},
    }


def annotated(sample: PlannedSample) -> Row:
    """What the rows of manifests say of it."""
    return {
        "conversations": len(sample.conversations),
        "metadata": sample.annotations()["metadata"],
    }


def candidate(fresh: Fresh, members: Members) -> Row:
    """The index row that a sample would have, but for where its bytes lie.

    Raises:
        OSError: an entry is not in the cache.
    """
    masks = members.masks(fresh)
    heard = told(dict(members.told(fresh, masks)), fresh.sample.span)
    return {**facts(fresh.sample, masks), **heard, **annotated(fresh.sample)}
